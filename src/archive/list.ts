// Reads finished recordings back from the tree, newest first.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RecordingDocument, recordingDocument } from '../recording/document.ts';
import { newestFirst, positionOf } from './cursor.ts';
import { withCopies } from './formats/copies-file.ts';
import { withoutRemoved } from './removed-files.ts';

export interface ListedRecording {
  directory: string;
  document: RecordingDocument;
}

/** Days (`2026-01-02`, UTC) that need not be read. */
export interface ListRange {
  firstDay?: string;
  lastDay?: string;
}

/**
 * Yields recordings by start, newest first, the same start by id, descending; stop iterating when you have enough.
 * Unreadable ones are told to `onUnreadable`.
 */
export async function* listRecordings(
  dataDirectory: string,
  onUnreadable: (directory: string, error: unknown) => void = () => {},
  range: ListRange = {},
): AsyncGenerator<ListedRecording> {
  const { firstDay = '', lastDay = '~' } = range;
  for await (const { day, directory } of dayDirectories(dataDirectory)) {
    if (day > lastDay) continue;
    if (day < firstDay) return;
    yield* listDay(directory, onUnreadable);
  }
}

/** Newest first. */
export async function* dayDirectories(dataDirectory: string): AsyncGenerator<{ day: string; directory: string }> {
  const root = join(dataDirectory, 'recordings');
  for (const year of await namesDescending(root, /^\d{4}$/)) {
    for (const month of await namesDescending(join(root, year), /^\d{2}$/)) {
      for (const day of await namesDescending(join(root, year, month), /^\d{2}$/)) {
        yield { day: `${year}-${month}-${day}`, directory: join(root, year, month, day) };
      }
    }
  }
}

/** As written, with copies that were made and without files that were let go since. Rejects if there is none, or none that can be understood. */
export async function readRecording(directory: string): Promise<RecordingDocument> {
  const document = recordingDocument.parse(JSON.parse(await readFile(join(directory, 'recording.json'), 'utf8')));
  return withoutRemoved(await withCopies(document, directory), directory);
}

async function* listDay(dayDirectory: string, onUnreadable: (directory: string, error: unknown) => void) {
  const found: ListedRecording[] = [];
  for (const name of await readdir(dayDirectory)) {
    const directory = join(dayDirectory, name);
    try {
      found.push({ directory, document: await readRecording(directory) });
    } catch (error) {
      onUnreadable(directory, error);
    }
  }
  yield* found.sort((a, b) => newestFirst(positionOf(a.document), positionOf(b.document)));
}

async function namesDescending(directory: string, pattern: RegExp): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => pattern.test(name)).sort((a, b) => (a < b ? 1 : -1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
