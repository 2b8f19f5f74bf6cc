// remote.json beside recording.json: which files are in a store, or on their way. An object's key stands here before its first octet
// is sent, so that nothing is in the store that nobody knows of.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFile, syncDirectory } from '../atomic-file.ts';

export const REMOTE_FILE = 'remote.json';

const remoteCopy = z.object({
  key: z.string(),
  /** `uploading`: may be there, in whole or in part, or not. */
  state: z.enum(['uploading', 'verified']),
  uploadId: z.string().nullable(),
  /** Of the file as stored, once verified. */
  octets: z.number(),
  sha256: z.string(),
  verifiedMs: z.number(),
});
const remoteFile = z.object({ version: z.literal(1), files: z.record(z.string(), remoteCopy) });

export type RemoteCopy = z.infer<typeof remoteCopy>;
/** By the name of the file as stored. */
export type RemoteState = Record<string, RemoteCopy>;

/** Rejects if there is one that cannot be understood. */
export async function readRemote(directory: string): Promise<RemoteState> {
  try {
    return remoteFile.parse(JSON.parse(await readFile(join(directory, REMOTE_FILE), 'utf8'))).files;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

export async function writeRemote(directory: string, files: RemoteState): Promise<void> {
  await replaceFile(join(directory, REMOTE_FILE), `${JSON.stringify({ version: 1, files }, null, 2)}\n`, 'sync');
  await syncDirectory(directory);
}
