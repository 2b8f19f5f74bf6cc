// Encrypts every recording's key anew with the first master key. The recordings themselves stay as they are, also in a store. It can
// be cut off and begun again at any time: each key.json is the old one or the new one.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dayDirectories, readRecording } from '../list.ts';
import { takeLock } from '../lock.ts';
import type { MasterKey, MasterKeys } from './master-keys.ts';
import { readRecordingKey, writeRecordingKey } from './recording-key.ts';

export interface Rotation {
  /** Newly under the first master key. */
  rotated: number;
  /** There already. */
  already: number;
  /** Those whose key could not be opened or written: told to `onFailed`. */
  failed: number;
}

/** Rejects with KEY_MISSING if there is no master key at all, with STORAGE_IN_USE while another process does the same. */
export async function rotateKeys(
  dataDirectory: string,
  masterKeys: MasterKeys,
  onFailed: (directory: string, error: unknown) => void,
): Promise<Rotation> {
  const master = await masterKeys.current();
  // Two would write the same files aside, and one of them might file the other's half.
  const release = await takeLock(
    join(dataDirectory, 'rotate-keys.lock'),
    (pid) => `Process ${pid} is rotating keys in ${dataDirectory} already.`,
  );
  try {
    return await rotateAll(dataDirectory, masterKeys, master, onFailed);
  } finally {
    await release();
  }
}

async function rotateAll(
  dataDirectory: string,
  masterKeys: MasterKeys,
  master: MasterKey,
  onFailed: (directory: string, error: unknown) => void,
): Promise<Rotation> {
  const counts: Rotation = { rotated: 0, already: 0, failed: 0 };
  for await (const day of dayDirectories(dataDirectory)) {
    for (const name of await readdir(day.directory)) {
      const directory = join(day.directory, name);
      try {
        if (!(await readdir(directory)).includes('key.json')) continue;
        const { id } = await readRecording(directory);
        const found = await readRecordingKey(directory, id, masterKeys);
        if (!found) continue;
        if (found.masterKeyId === master.id) {
          counts.already++;
          continue;
        }
        await writeRecordingKey(directory, id, found.key, master);
        counts.rotated++;
      } catch (error) {
        // Deleted meanwhile.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        counts.failed++;
        onFailed(directory, error);
      }
    }
  }
  return counts;
}
