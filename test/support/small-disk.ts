// A file system of its own under a recorder: it can be full, and it can stop answering. Making one takes root.
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  /** False where only a tmpfs can be had: that never keeps anybody waiting. */
  freezes: boolean;
  /** Takes all the space. Everything fails with ENOSPC until `empty`. */
  fill(): Promise<void>;
  empty(): void;
  /** Every call that would change something blocks in the kernel until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  unmount(): void;
}

/** At `directory`, which exists. Null where nothing can be mounted. */
export function mountSmallDisk(directory: string, imagePath: string, sizeMiB: number): SmallDisk | null {
  const freezes = mountImage(directory, imagePath, sizeMiB);
  if (!freezes && !mounted('-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', directory)) return null;
  const ballast = join(directory, 'ballast');
  return {
    freezes,
    async fill() {
      const { bavail, bsize } = statfsSync(directory);
      await run('fallocate', ['-l', String(bavail * bsize), ballast]).catch(() => {});
      try {
        // What the file system took for itself, or had to spare.
        for (let octets = 1 << 20; octets >= 1; octets >>= 1)
          writeFileSync(ballast, Buffer.alloc(octets), { flag: 'a' });
      } catch {
        // Full before the last octet: that is what is wanted.
      }
    },
    empty: () => rmSync(ballast, { force: true }),
    async freeze() {
      await run('fsfreeze', ['--freeze', directory]);
    },
    async thaw() {
      await run('fsfreeze', ['--unfreeze', directory]);
    },
    unmount() {
      execFileSync('umount', ['-l', directory], { stdio: 'ignore' });
      rmSync(imagePath, { force: true });
    },
  };
}

/** The image is sparse: it takes the space that is written. */
function mountImage(directory: string, imagePath: string, sizeMiB: number): boolean {
  try {
    const image = openSync(imagePath, 'w');
    ftruncateSync(image, sizeMiB * 2 ** 20);
    closeSync(image);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', imagePath], { stdio: 'ignore' });
    if (mounted('-o', 'loop', imagePath, directory)) return true;
  } catch {
    // No mkfs here.
  }
  rmSync(imagePath, { force: true });
  return false;
}

function mounted(...args: string[]): boolean {
  try {
    execFileSync('mount', args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
