// The directories that everything is stored in: one, or the spool and the archive on disks of their own. Whether they can be
// used is found out before anything else starts, and said in words.
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecorderError } from '../lib/errors.ts';
import { replaceFile } from './atomic-file.ts';
import { lockDirectory } from './lock.ts';
import { storageError } from './storage-error.ts';

export interface StoragePlaces {
  /** Made if it is not there. */
  data: string;
  /** Has `spool` in it. As `archive`, it must be there already unless it is `data`. */
  spool: string;
  /** Has `recordings` in it. */
  archive: string;
}

/** In <data>: the disks that spool and archive were on. */
const KNOWN_FILE = 'storage.json';
/** In a directory on another disk: which one it is. */
const MARK_FILE = '.sipreel-storage';

/**
 * Makes sure that all places can be written, are the ones of the last time, and are no other process's.
 * Rejects with STORAGE_MISSING, STORAGE_READ_ONLY, STORAGE_DENIED, STORAGE_IN_USE or STORAGE_FAILED.
 */
export async function openStorage(places: StoragePlaces): Promise<{ close(): Promise<void> }> {
  const locks: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const unlock of locks.splice(0)) await unlock();
  };
  const directories = [...new Set([places.data, places.spool, places.archive])];
  try {
    for (const directory of directories) {
      try {
        await makeSure(directory, directory === places.data);
        locks.push(await lockDirectory(directory));
      } catch (error) {
        throw await storageError(error, directory);
      }
    }
    await recognise(places);
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function makeSure(directory: string, mayBeMade: boolean): Promise<void> {
  if (mayBeMade) await mkdir(directory, { recursive: true, mode: 0o750 });
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new RecorderError('STORAGE_MISSING', `${directory} does not exist.`);
    throw error;
  });
  if (!found.isDirectory()) throw new RecorderError('STORAGE_FAILED', `${directory} is no directory.`);
  const probe = join(directory, `.probe-${process.pid}`);
  await writeFile(probe, 'x');
  await rm(probe);
}

/** A mount point without its disk is an empty directory: the mark that was put there is missing. */
async function recognise({ data, spool, archive }: StoragePlaces): Promise<void> {
  const others = [...new Set([spool, archive])].filter((directory) => directory !== data);
  const path = join(data, KNOWN_FILE);
  const known = await readJson(path);
  const now: Record<string, string> = {};
  for (const directory of others) {
    const mark = await readFile(join(directory, MARK_FILE), 'utf8').catch(() => null);
    const expected = known[directory];
    if (expected !== undefined && mark !== expected) {
      throw new RecorderError(
        'STORAGE_MISSING',
        `${directory} is not the one that was used before. If it was replaced on purpose, remove ${path}.`,
      );
    }
    now[directory] = mark ?? randomUUID();
    if (mark === null) await replaceFile(join(directory, MARK_FILE), now[directory], 'sync');
  }
  if (others.length > 0) await replaceFile(path, `${JSON.stringify(now, null, 2)}\n`, 'sync');
}

async function readJson(path: string): Promise<Record<string, string>> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Record<string, string>;
  } catch {
    return {};
  }
}
