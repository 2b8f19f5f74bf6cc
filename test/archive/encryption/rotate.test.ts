// Master keys change under recordings: cut off and begun again, and never twice at once.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MasterKeys } from '../../../src/archive/encryption/master-keys.ts';
import { readRecordingKey, writeRecordingKey } from '../../../src/archive/encryption/recording-key.ts';
import { rotateKeys } from '../../../src/archive/encryption/rotate.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';

const line = (id: string, octet: number) => `${id}:${Buffer.alloc(32, octet).toString('base64')}`;
const before = new MasterKeys({ keys: line('old', 1), file: null });
const meanwhile = new MasterKeys({ keys: `${line('new', 2)} ${line('old', 1)}`, file: null });
const after = new MasterKeys({ keys: line('new', 2), file: null });

async function encryptedRecordings(count: number) {
  const data = await temporaryDirectory();
  const day = join(data, 'recordings', '2026', '01', '02');
  const recordings = Array.from({ length: count }, (_, index) => {
    const id = `0f1e2d3c-0000-4000-8000-${String(index).padStart(12, '0')}`;
    return { id, directory: join(day, id), key: randomBytes(32) };
  });
  for (const { id, directory, key } of recordings) {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, 'recording.json'), JSON.stringify(exampleDocument({ id })));
    await writeRecordingKey(directory, id, key, await before.current());
  }
  const opened = (keys: MasterKeys) =>
    Promise.all(recordings.map(async ({ id, directory }) => (await readRecordingKey(directory, id, keys))?.key));
  return { data, recordings, keys: recordings.map(({ key }) => key), opened };
}

const rotate = (data: string) =>
  rotateKeys(data, meanwhile, (directory, error) => {
    throw new Error(directory, { cause: error });
  });

test('every key is under the new master key; a second run finds nothing to do', async () => {
  const { data, keys, opened } = await encryptedRecordings(5);
  expect(await rotate(data)).toEqual({ rotated: 5, already: 0, failed: 0 });
  expect(await opened(after)).toEqual(keys);
  expect(await rotate(data)).toEqual({ rotated: 0, already: 5, failed: 0 });
});

test('what a kill -9 left: an aside file half written, and the lock of a process that is gone', async () => {
  const { data, recordings, keys, opened } = await encryptedRecordings(3);
  await writeFile(join(recordings[1]!.directory, 'key.json.part'), '{"version":1,"ke');
  await writeFile(join(data, 'rotate-keys.lock'), '999999999 1');
  expect(await rotate(data)).toEqual({ rotated: 3, already: 0, failed: 0 });
  expect(await opened(after)).toEqual(keys);
  expect(await readdir(recordings[1]!.directory)).toEqual(['key.json', 'recording.json']);
  expect(await readdir(data)).toEqual(['recordings']);
});

test('beside another that runs it is refused, in words, and the other one loses nothing', async () => {
  const { data, keys, opened } = await encryptedRecordings(20);
  const [first, second] = await Promise.allSettled([rotate(data), rotate(data)]);
  expect([first, second].map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  const { reason } = [first, second].find(({ status }) => status === 'rejected') as PromiseRejectedResult;
  expect(reason).toMatchObject({ code: 'STORAGE_IN_USE', message: expect.stringContaining('is rotating keys') });
  expect(await opened(after)).toEqual(keys);
});
