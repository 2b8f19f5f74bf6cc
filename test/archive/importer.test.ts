// An import that is cut short by the end of the process: nothing stays, or all of it.
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { createArchive } from '../../src/archive/archive.ts';
import { DirectoryLibrary } from '../../src/archive/directory-library.ts';
import { fingerprint } from '../../src/archive/disk/disk-steps.ts';
import { Importer } from '../../src/archive/importer.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { makeWav } from '../support/wav.ts';
import { exampleDocument } from './example-document.ts';

const DOCUMENT = exampleDocument({ source: 'import', audio: { sampleRateHz: 8000, channels: 1, layout: 'mono' } });

async function open(dataDirectory: string) {
  const places = { spoolDirectory: dataDirectory, archiveDirectory: dataDirectory };
  const archive = createArchive({ ...places, nameTemplate: '{id}', journal: 'always', log: silentLog });
  await archive.prepare();
  const library = new DirectoryLibrary({ dataDirectory, clock: new ManualClock(), log: silentLog });
  return { archive, library, importer: new Importer({ archive, library, log: silentLog, onFiled: () => {} }) };
}

async function* content(wav: Buffer, whenHalf: Promise<void>) {
  yield wav.subarray(0, 1_000);
  await whenHalf;
  yield wav.subarray(1_000);
}

test('killed while it comes in: the next start removes it', async () => {
  const data = await temporaryDirectory();
  const { importer } = await open(data);
  void importer.begin().receive(content(makeWav(), new Promise(() => {})), 1 << 20);
  await vi.waitFor(async () => expect(await readdir(join(data, 'spool'))).toHaveLength(1));
  const next = await open(data);
  expect(await next.archive.unfinishedSessions()).toEqual([]);
  expect(await readdir(join(data, 'spool'))).toEqual([]);
});

test('killed before it was moved to its place: the next start files it', async () => {
  const data = await temporaryDirectory();
  await open(data);
  const spooled = join(data, 'spool', '11111111-0000-4000-8000-000000000001');
  await mkdir(spooled);
  await writeFile(join(spooled, 'audio.wav'), makeWav());
  const file = { name: 'audio.wav', role: 'audio' as const, ...fingerprint(join(spooled, 'audio.wav')) };
  await writeFile(join(spooled, 'recording.json'), JSON.stringify({ ...DOCUMENT, files: [file] }));
  const { library } = await open(data);
  expect((await library.get(DOCUMENT.id))?.document.files).toEqual([file]);
  expect(await readdir(join(data, 'spool'))).toEqual([]);
});

test('an archive that takes nothing: told, and nothing stays to be filed twice', async () => {
  const data = await temporaryDirectory();
  const { importer, library } = await open(data);
  const upload = importer.begin();
  const audio = await upload.receive(content(makeWav(), Promise.resolve()), 1 << 20);
  const file = { name: 'audio.wav', role: 'audio' as const, octets: audio.octets, sha256: audio.sha256 };
  const document = { ...DOCUMENT, files: [file] };
  const breakArchive = async () => {
    await rename(join(data, 'recordings'), join(data, 'elsewhere'));
    await writeFile(join(data, 'recordings'), 'no directory');
  };
  await expect(upload.file(document, breakArchive)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await upload.discard();
  expect(await readdir(join(data, 'spool'))).toEqual([]);
  expect(await library.get(DOCUMENT.id).catch(() => null)).toBeNull();
});
