// The steps in which a recording is filed, as functions of the file system; tests put a disk here that fails between two of them.
import { access, copyFile, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { fingerprint, replaceFile, syncDirectory } from './atomic-file.ts';

export interface Disk {
  exists(path: string): Promise<boolean>;
  /** With parents; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  names(directory: string): Promise<string[]>;
  readText(path: string): Promise<string>;
  /** Never half: aside, synced, renamed. */
  replaceFile(path: string, content: string): Promise<void>;
  /** The copy is on the disk when it resolves. */
  copySynced(from: string, to: string): Promise<void>;
  fingerprint(path: string): Promise<{ octets: number; sha256: string }>;
  rename(from: string, to: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** A file or a whole directory; nothing happens if it is gone already. */
  remove(path: string): Promise<void>;
}

export const systemDisk: Disk = {
  exists: (path) =>
    access(path).then(
      () => true,
      () => false,
    ),
  makeDirectory: async (path) => void (await mkdir(path, { recursive: true, mode: 0o750 })),
  names: (directory) => readdir(directory),
  readText: (path) => readFile(path, 'utf8'),
  replaceFile: (path, content) => replaceFile(path, content, 'sync'),
  async copySynced(from, to) {
    await copyFile(from, to);
    const file = await open(to, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  },
  fingerprint,
  rename,
  syncDirectory,
  remove: (path) => rm(path, { recursive: true, force: true }),
};
