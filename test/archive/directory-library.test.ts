import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DirectoryLibrary } from '../../src/archive/directory-library.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { fileExample, librarySuite, recordingId } from './library-suite.ts';

librarySuite('the library over the directories', async (dataDirectory, clock) => {
  const library = new DirectoryLibrary({ dataDirectory, clock, log: silentLog });
  await library.prepare();
  return { library, filed: () => {} };
});

async function oneRecording() {
  const dataDirectory = await temporaryDirectory();
  const library = new DirectoryLibrary({ dataDirectory, clock: new ManualClock(), log: silentLog });
  const { directory } = await fileExample(dataDirectory, { id: recordingId(1) });
  return { dataDirectory, library, directory };
}

test('deletion leaves nothing of it on the disk', async () => {
  const { dataDirectory, library, directory } = await oneRecording();
  await library.delete(recordingId(1));
  await expect(readFile(join(directory, 'audio.wav'))).rejects.toThrow('ENOENT');
  expect(await readdir(join(dataDirectory, 'trash'))).toEqual([]);
});

test('a deletion that a crash cut is finished at the next start', async () => {
  const { dataDirectory, library } = await oneRecording();
  await library.prepare();
  await writeFile(join(dataDirectory, 'trash', 'left'), 'x');
  await library.prepare();
  expect(await readdir(join(dataDirectory, 'trash'))).toEqual([]);
});

test('annotations that cannot be read count as a hold, and are not written over', async () => {
  const { library, directory } = await oneRecording();
  await writeFile(join(directory, 'annotations.json'), '{"version":1,');
  expect((await library.get(recordingId(1)))?.annotations.hold?.reason).toMatch('cannot be read');
  expect((await library.search({}, { limit: 5, after: null })).items).toHaveLength(1);
  await expect(library.delete(recordingId(1))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await expect(library.setHold(recordingId(1), null)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  expect(await readFile(join(directory, 'annotations.json'), 'utf8')).toBe('{"version":1,');
});

test('a file of another size than recording.json says is an error, not a half answer', async () => {
  const { library, directory } = await oneRecording();
  await truncate(join(directory, 'audio.wav'), 3);
  await expect(library.openFile(recordingId(1), 'audio')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
});
