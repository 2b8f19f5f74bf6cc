// Reads finished recordings back from the tree, newest first.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RecordingDocument, recordingDocument } from '../recording/document.ts';

export interface ListedRecording {
  directory: string;
  document: RecordingDocument;
}

/** Yields recordings by start, newest first; stop iterating when you have enough. Unreadable ones are told to `onUnreadable`. */
export async function* listRecordings(
  dataDirectory: string,
  onUnreadable: (directory: string, error: unknown) => void = () => {},
): AsyncGenerator<ListedRecording> {
  const root = join(dataDirectory, 'recordings');
  for (const year of await newestFirst(root, /^\d{4}$/)) {
    for (const month of await newestFirst(join(root, year), /^\d{2}$/)) {
      for (const day of await newestFirst(join(root, year, month), /^\d{2}$/)) {
        yield* listDay(join(root, year, month, day), onUnreadable);
      }
    }
  }
}

async function* listDay(dayDirectory: string, onUnreadable: (directory: string, error: unknown) => void) {
  const found: ListedRecording[] = [];
  for (const name of await readdir(dayDirectory)) {
    const directory = join(dayDirectory, name);
    try {
      const text = await readFile(join(directory, 'recording.json'), 'utf8');
      found.push({ directory, document: recordingDocument.parse(JSON.parse(text)) });
    } catch (error) {
      onUnreadable(directory, error);
    }
  }
  yield* found.sort((a, b) => (a.document.times.start < b.document.times.start ? 1 : -1));
}

async function newestFirst(directory: string, pattern: RegExp): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => pattern.test(name)).sort((a, b) => (a < b ? 1 : -1));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
