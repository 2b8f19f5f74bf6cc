// A file is either the old one or the new one, never half of either.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename } from 'node:fs/promises';

/** Writes aside and renames. `sync` waits for the disk; without it a power loss may bring the old file back. */
export async function replaceFile(
  path: string,
  content: string,
  durability: 'sync' | 'rename-only',
  mode = 0o640,
): Promise<void> {
  const aside = `${path}.part`;
  const file = await open(aside, 'w', mode);
  try {
    // What a crash left keeps the mode that it was made with.
    await file.chmod(mode);
    await file.writeFile(content);
    if (durability === 'sync') await file.sync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
}

/** Makes renames in a directory durable. Platforms that cannot sync a directory are left as they are. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EISDIR' && code !== 'EPERM' && code !== 'EINVAL' && code !== 'ENOTSUP') throw error;
  }
}

/** Size and SHA-256 (hex) of a file, read as a stream. */
export async function fingerprint(path: string): Promise<{ octets: number; sha256: string }> {
  const hash = createHash('sha256');
  let octets = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    octets += (chunk as Buffer).length;
    hash.update(chunk as Buffer);
  }
  return { octets, sha256: hash.digest('hex') };
}
