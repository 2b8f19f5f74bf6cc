// Filing between two disks, and filing that is cut off between any two of its steps.
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive.ts';
import { type Disk, systemDisk } from '../../src/archive/disk/disk.ts';
import { listRecordings } from '../../src/archive/list.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import type { SessionState } from '../../src/recording/session-state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { exampleDocument } from './example-document.ts';

const ID = '0f1e2d3c-0000-4000-8000-000000000001';
const AUDIO = Buffer.alloc(5_000, 'audio');
const JOURNAL = Buffer.alloc(9_000, 'journal');
const sha256 = (octets: Buffer) => createHash('sha256').update(octets).digest('hex');

type Layout = 'one disk' | 'two disks';

/** Where renames from one place into the other fail as they do between disks; after `steps` steps everything fails, as in a dead process. */
function diskOf(layout: Layout, places: Places, steps = Number.POSITIVE_INFINITY): Disk & { steps: number } {
  const counted = { steps: 0 };
  const step =
    <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (++counted.steps > steps) throw new Error('the process has died');
      return work(...args);
    };
  const disk = Object.fromEntries(
    Object.entries(systemDisk).map(([name, work]) => [name, step(work as (...args: unknown[]) => Promise<unknown>)]),
  ) as unknown as Disk;
  const rename = disk.rename;
  disk.rename = (from, to) => {
    const crosses = from.startsWith(places.spool) !== to.startsWith(places.spool);
    if (layout === 'two disks' && crosses) return Promise.reject(Object.assign(new Error('EXDEV'), { code: 'EXDEV' }));
    return rename(from, to);
  };
  return Object.assign(counted, disk);
}

interface Places {
  spool: string;
  archive: string;
}

async function newPlaces(): Promise<Places> {
  const root = await temporaryDirectory();
  const places = { spool: join(root, 'a'), archive: join(root, 'b') };
  for (const place of Object.values(places)) await mkdir(place);
  return places;
}

async function openArchive({ spool, archive }: Places, disk: Disk) {
  const options = { nameTemplate: '{start}_{id}', journal: 'always', log: silentLog } as const;
  const engine = createArchive({ spoolDirectory: spool, archiveDirectory: archive, ...options, disk });
  await engine.prepare();
  return engine;
}

const document = (): RecordingDocument =>
  exampleDocument({
    id: ID,
    files: [{ name: 'audio.wav', role: 'audio', octets: AUDIO.length, sha256: sha256(AUDIO) }],
  });

async function sealedSession(archive: Awaited<ReturnType<typeof openArchive>>): Promise<SessionState> {
  const paths = await archive.createSession(ID);
  await writeFile(paths.journalPath, JOURNAL);
  await writeFile(paths.audioPath, AUDIO);
  const state = { version: 1, recordingId: ID, phase: 'sealed', startMs: 0, ...paths } as unknown as SessionState;
  await archive.saveSession(state);
  return state;
}

/** One recording, whole, and nothing else anywhere. */
async function expectFiled({ spool, archive }: Places): Promise<void> {
  const found = [];
  for await (const recording of listRecordings(archive)) found.push(recording);
  expect(found.map((recording) => recording.document.id)).toEqual([ID]);
  const { directory, document: filed } = found[0]!;
  expect((await readdir(directory)).sort()).toEqual(['audio.wav', 'capture.pcapng', 'recording.json']);
  for (const file of filed.files) expect(sha256(await readFile(join(directory, file.name)))).toBe(file.sha256);
  expect(await readdir(join(spool, 'spool'))).toEqual([]);
  expect(await readdir(join(archive, 'incoming'))).toEqual([]);
  expect(await readdir(spool)).not.toContain('quarantine');
}

/** No start, however often, may see a recording under recordings/ that is not whole. */
async function expectNothingHalf({ archive }: Places): Promise<void> {
  const unreadable: string[] = [];
  for await (const { directory, document: filed } of listRecordings(archive, (path) => unreadable.push(path))) {
    for (const file of filed.files) expect(sha256(await readFile(join(directory, file.name)))).toBe(file.sha256);
  }
  expect(unreadable).toEqual([]);
}

describe.each<Layout>(['one disk', 'two disks'])('%s', (layout) => {
  test('filed whole, the spool is empty', async () => {
    const places = await newPlaces();
    const archive = await openArchive(places, diskOf(layout, places));
    await archive.file(await sealedSession(archive), document());
    await expectFiled(places);
  });

  test('cut off after any number of steps, and taken up by the next start', async () => {
    let cut = 0;
    for (; ; cut++) {
      const places = await newPlaces();
      const preparing = await openArchive(places, diskOf(layout, places));
      const state = await sealedSession(preparing);
      const counting = diskOf(layout, places);
      await openArchive(places, counting);
      const dying = await openArchive(places, diskOf(layout, places, counting.steps + cut));
      const survived = await dying.file(state, document()).then(
        () => true,
        () => false,
      );
      await expectNothingHalf(places);
      const next = await openArchive(places, diskOf(layout, places));
      for (const left of await next.unfinishedSessions()) await next.file(left, document());
      await expectFiled(places);
      if (survived) break;
    }
    expect(cut).toBeGreaterThan(5);
  });

  test('a failure in the middle is tried again by the same process', async () => {
    const places = await newPlaces();
    const disk = diskOf(layout, places);
    const archive = await openArchive(places, disk);
    const state = await sealedSession(archive);
    const { makeDirectory } = disk;
    let full = true;
    disk.makeDirectory = (path) =>
      full ? Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })) : makeDirectory(path);
    await expect(archive.file(state, document())).rejects.toThrow('ENOSPC');
    full = false;
    await archive.file(state, document());
    await expectFiled(places);
  });
});

test('a copy that is not what was recorded is not filed, and the original stays', async () => {
  const places = await newPlaces();
  const disk = diskOf('two disks', places);
  const archive = await openArchive(places, disk);
  const state = await sealedSession(archive);
  const { copySynced } = disk;
  disk.copySynced = async (from, to) => {
    await copySynced(from, to);
    if (to.endsWith('.wav')) await writeFile(to, 'something else');
  };
  await expect(archive.file(state, document())).rejects.toMatchObject({ code: 'EIO' });
  await expectNothingHalf(places);
  expect(sha256(await readFile(state.journalPath))).toBe(sha256(JOURNAL));
  disk.copySynced = copySynced;
  await archive.file(state, document());
  await expectFiled(places);
});
