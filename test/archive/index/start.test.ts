// The recorder does not depend on its index: it starts without one and makes good what it missed.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createArchiveIndex } from '../../../src/archive/index/archive-index.ts';
import { recorderDatabase } from '../../../src/config/recorder-database.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';
import { recordingId } from '../library-suite.ts';

async function oneRecording(): Promise<string> {
  const dataDirectory = await temporaryDirectory();
  const directory = join(dataDirectory, 'recordings/2026/01/02/one');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'recording.json'), JSON.stringify(exampleDocument({ id: recordingId(1) })));
  return dataDirectory;
}

function start(dataDirectory: string, postgres: string | null, clock = new ManualClock()) {
  const database = recorderDatabase({ postgres, recorder: null }, dataDirectory, { log: silentLog, wallMs: 1 });
  const common = { dataDirectory, recorder: 'here', keepUntilMs: () => null, clock, log: silentLog };
  const index = createArchiveIndex({ ...common, database: database.index });
  const close = async () => {
    await index.close();
    await database.close();
  };
  onTestFinished(close);
  return { ...index, close };
}

test('a damaged SQLite file is put aside and built again', async () => {
  const dataDirectory = await oneRecording();
  await writeFile(join(dataDirectory, 'index.sqlite'), 'this was a database once'.repeat(100));
  const index = start(dataDirectory, null);
  await index.keeper.prepare();
  await index.keeper.idle();
  expect((await index.library.statistics({})).recordings).toBe(1);
  expect((await readdir(dataDirectory)).some((name) => name.startsWith('index.sqlite.damaged-'))).toBe(true);
});

test('a database that cannot be reached stops nothing: questions are refused in words, marks wait for it', async () => {
  const dataDirectory = await oneRecording();
  const index = start(dataDirectory, 'postgres://nobody@127.0.0.1:1/none');
  await index.keeper.prepare();
  await index.keeper.changing(exampleDocument({ id: recordingId(1) }), async () => {});
  await index.keeper.idle();
  await expect(index.library.search({}, { limit: 1, after: null })).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  await index.close();

  const later = start(dataDirectory, null);
  await later.keeper.prepare();
  await later.keeper.idle();
  expect((await later.library.get(recordingId(1)))?.document.id).toBe(recordingId(1));
  expect(await readdir(join(dataDirectory, 'index-pending'))).toEqual([]);
});
