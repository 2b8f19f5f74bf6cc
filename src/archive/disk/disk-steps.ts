// What a Disk does, in the thread that calls: a few system calls in a row cost a fraction of as many turns through Node's pool.
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Replacing } from './disk.ts';

const PIECE_OCTETS = 256 << 10;

export const exists = existsSync;
export const rename = renameSync;

export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o750 });
}

export function names(directory: string): string[] {
  return readdirSync(directory);
}

export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

export function replaceFile(
  path: string,
  content: string,
  { durability, mode }: Replacing = { durability: 'sync', mode: 0o640 },
): void {
  const aside = `${path}.part`;
  withFile(aside, 'w', mode, (descriptor) => {
    // What a crash left keeps the mode that it was made with.
    fchmodSync(descriptor, mode);
    writeFileSync(descriptor, content);
    if (durability === 'sync') fsyncSync(descriptor);
  });
  renameSync(aside, path);
}

export function copySynced(from: string, to: string): void {
  copyFileSync(from, to);
  withFile(to, 'r+', 0o640, fsyncSync);
}

export function fingerprint(path: string): { octets: number; sha256: string } {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE_OCTETS);
  let octets = 0;
  withFile(path, 'r', 0o640, (descriptor) => {
    for (;;) {
      const read = readSync(descriptor, piece);
      if (read === 0) return;
      octets += read;
      hash.update(piece.subarray(0, read));
    }
  });
  return { octets, sha256: hash.digest('hex') };
}

/** Makes renames in it durable. Platforms that cannot sync a directory are left as they are. */
export function syncDirectory(path: string): void {
  try {
    withFile(path, 'r', 0o640, fsyncSync);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP'].includes(code)) throw error;
  }
}

export function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    // A directory, or what the system will not say of one.
    rmSync(path, { recursive: true, force: true });
  }
}

function withFile(path: string, flags: string, mode: number, work: (descriptor: number) => void): void {
  const descriptor = openSync(path, flags, mode);
  try {
    work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
