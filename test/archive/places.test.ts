// Directories that cannot be used, each refused in words and with a code of its own.
import { spawnSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStorage } from '../../src/archive/places.ts';
import { storageError } from '../../src/archive/storage-error.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

async function newPlaces() {
  const root = await temporaryDirectory();
  const places = { data: join(root, 'data'), spool: join(root, 'fast'), archive: join(root, 'large') };
  await mkdir(places.spool);
  await mkdir(places.archive);
  return places;
}

test('data is made, all three are locked, and free again afterwards', async () => {
  const places = await newPlaces();
  const first = await openStorage(places);
  await expect(openStorage(places)).rejects.toMatchObject({ code: 'STORAGE_IN_USE' });
  const onlySpool = { data: places.spool, spool: places.spool, archive: places.spool };
  await expect(openStorage(onlySpool)).rejects.toMatchObject({ code: 'STORAGE_IN_USE' });
  await first.close();
  await (await openStorage(places)).close();
});

test('a spool or archive that is not there is not made: its disk may not be mounted', async () => {
  const places = await newPlaces();
  await rm(places.archive, { recursive: true });
  const opening = openStorage(places);
  await expect(opening).rejects.toMatchObject({ code: 'STORAGE_MISSING' });
  await expect(opening).rejects.toThrow(`${places.archive} does not exist`);
});

test('an empty mount point where the disk was: refused, and nothing is left locked', async () => {
  const places = await newPlaces();
  await (await openStorage(places)).close();
  await rm(places.spool, { recursive: true });
  await mkdir(places.spool);
  for (let start = 0; start < 2; start++) {
    const opening = openStorage(places);
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_MISSING' });
    await expect(opening).rejects.toThrow(/is not the one that was used before.*storage\.json/);
  }
  await rm(join(places.data, 'storage.json'));
  await (await openStorage(places)).close();
});

test('a file where a directory should be', async () => {
  const places = await newPlaces();
  await writeFile(places.data, '');
  await expect(openStorage(places)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
});

test('what the system says becomes a code that tells what to do', async () => {
  const directory = await temporaryDirectory();
  const errno = (code: string) => Object.assign(new Error(`${code}: open`), { code });
  expect(await storageError(errno('EROFS'), directory)).toMatchObject({ code: 'STORAGE_READ_ONLY' });
  expect(await storageError(errno('EIO'), directory)).toMatchObject({ code: 'STORAGE_FAILED' });
  const denied = await storageError(errno('EACCES'), directory);
  expect(denied.code).toBe('STORAGE_DENIED');
  expect(denied.message).toMatch(`belongs to user ${process.getuid?.()}, mode 700`);
});

const root = process.getuid?.() === 0;

test.skipIf(!root)('a disk mounted read-only', async () => {
  const directory = await temporaryDirectory();
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', directory]);
  expect(mount.stderr.toString()).toBe('');
  onTestFinished(() => void spawnSync('umount', [directory]));
  const places = { data: directory, spool: directory, archive: directory };
  await expect(openStorage(places)).rejects.toMatchObject({ code: 'STORAGE_READ_ONLY' });
});
