// The steps in which recordings are kept and filed, as functions of the file system; tests put a disk here that fails between two of them.
import * as steps from './disk-steps.ts';

export interface Disk {
  exists(path: string): Promise<boolean>;
  /** With parents; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  names(directory: string): Promise<string[]>;
  readText(path: string): Promise<string>;
  /** Never half: aside, renamed. Default: synced, and readable by the group. */
  replaceFile(path: string, content: string, how?: Replacing): Promise<void>;
  /** The copy is on the disk when it resolves. */
  copySynced(from: string, to: string): Promise<void>;
  fingerprint(path: string): Promise<{ octets: number; sha256: string }>;
  rename(from: string, to: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** A file or a whole directory; nothing happens if it is gone already. */
  remove(path: string): Promise<void>;
}

export type DiskStep = keyof Disk;

/** A step with what it is done to: `['rename', from, to]`. */
export type DiskCall = { [Step in DiskStep]: [step: Step, ...args: Parameters<Disk[Step]>] }[DiskStep];

export type DiskResults<Calls extends readonly DiskCall[]> = {
  [I in keyof Calls]: Calls[I] extends [infer Step extends DiskStep, ...unknown[]]
    ? Awaited<ReturnType<Disk[Step]>>
    : never;
};

/** A disk that is told of several steps at once. */
export interface FarDisk extends Disk {
  /** One after the other until one fails, which is what it rejects with: no later one is done then. */
  inOrder<Calls extends DiskCall[]>(...calls: Calls): Promise<DiskResults<Calls>>;
}

/** As `FarDisk.inOrder`, on any disk. */
export async function inOrder<Calls extends DiskCall[]>(
  disk: Disk | FarDisk,
  ...calls: Calls
): Promise<DiskResults<Calls>> {
  if ('inOrder' in disk) return disk.inOrder(...calls);
  const results: unknown[] = [];
  for (const [step, ...args] of calls) {
    results.push(await (disk[step] as (...args: unknown[]) => Promise<unknown>)(...args));
  }
  return results as DiskResults<Calls>;
}

export interface Replacing {
  /** `rename-only`: a power loss may bring the old file back. */
  durability: 'sync' | 'rename-only';
  mode: number;
}

/** Works at once in the thread that asks, which waits for the disk: for commands. What must not wait takes a `DiskThread`. */
export const systemDisk: Disk = {
  exists: async (path) => steps.exists(path),
  makeDirectory: async (path) => steps.makeDirectory(path),
  names: async (directory) => steps.names(directory),
  readText: async (path) => steps.readText(path),
  replaceFile: async (path, content, how) => steps.replaceFile(path, content, how),
  copySynced: async (from, to) => steps.copySynced(from, to),
  fingerprint: async (path) => steps.fingerprint(path),
  rename: async (from, to) => steps.rename(from, to),
  syncDirectory: async (path) => steps.syncDirectory(path),
  remove: async (path) => steps.remove(path),
};
