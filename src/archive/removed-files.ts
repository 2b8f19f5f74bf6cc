// removed.json beside recording.json: which of the files that it lists were let go before the rest. recording.json stays as it
// was written; whoever reads the recording is shown what is left.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { RecordedFile, RecordingDocument } from '../recording/document.ts';
import { replaceFile, syncDirectory } from './atomic-file.ts';

export const REMOVED_FILE = 'removed.json';

const removedFile = z.object({
  version: z.literal(1),
  files: z.array(
    z.object({ name: z.string(), role: z.string(), octets: z.number(), sha256: z.string(), removed: z.string() }),
  ),
});
type RemovedFiles = z.infer<typeof removedFile>['files'];

/** The document without the files that are gone. */
export async function withoutRemoved(document: RecordingDocument, directory: string): Promise<RecordingDocument> {
  // Only a journal goes earlier; a recording without one costs no look at the disk.
  if (!document.files.some(({ role }) => role === 'journal')) return document;
  const removed = new Set((await read(directory)).map(({ name }) => name));
  if (removed.size === 0) return document;
  return { ...document, files: document.files.filter(({ name }) => !removed.has(name)) };
}

/** Call it when the file is gone. */
export async function noteRemoved(directory: string, file: RecordedFile, atMs: number): Promise<void> {
  const others = (await read(directory)).filter(({ name }) => name !== file.name);
  const files: RemovedFiles = [...others, { ...file, removed: new Date(atMs).toISOString() }];
  await replaceFile(join(directory, REMOVED_FILE), `${JSON.stringify({ version: 1, files }, null, 2)}\n`, 'sync');
  await syncDirectory(directory);
}

async function read(directory: string): Promise<RemovedFiles> {
  try {
    return removedFile.parse(JSON.parse(await readFile(join(directory, REMOVED_FILE), 'utf8'))).files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
