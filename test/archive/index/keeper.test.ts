import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeAnnotations } from '../../../src/archive/annotations.ts';
import { PendingMarks } from '../../../src/archive/index/pending.ts';
import type { RecordingLibrary } from '../../../src/recording/library.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';
import { fileExample, recordingId } from '../library-suite.ts';
import { onBothDatabases } from './databases.ts';
import { openLibrary } from './open-library.ts';

const DAY = '2026/01/02';
const idsOf = async (library: RecordingLibrary, query = {}) =>
  (await library.search(query, { limit: 100, after: null })).items.map(({ document }) => document.id);

onBothDatabases((fresh) => {
  test('an archive older than its index is indexed at the start', async () => {
    const dataDirectory = await temporaryDirectory();
    const day = join(dataDirectory, 'recordings', DAY);
    for (let n = 1; n <= 110; n++) {
      await mkdir(join(day, String(n)), { recursive: true });
      const document = exampleDocument({ id: recordingId(n) });
      await writeFile(join(day, String(n), 'recording.json'), JSON.stringify(document));
    }
    await writeFile(join(day, 'stray'), 'no recording');
    const { library } = await openLibrary(dataDirectory, await fresh());
    expect((await library.statistics({})).recordings).toBe(110);
    expect((await library.get(recordingId(77)))?.directory).toContain(dataDirectory);
  }, 30_000);

  test('a recording filed, annotated or deleted by a process that died before it told the index', async () => {
    const dataDirectory = await temporaryDirectory();
    const address = await fresh();
    const marks = new PendingMarks(dataDirectory);
    const kept = await fileExample(dataDirectory, { id: recordingId(1) });
    const gone = await fileExample(dataDirectory, { id: recordingId(2) });
    const first = await openLibrary(dataDirectory, address);
    expect(await idsOf(first.library)).toHaveLength(2);
    await first.close();
    for (const n of [1, 2, 3, 4]) await marks.set({ recordingId: recordingId(n), day: DAY });
    await writeAnnotations(kept.directory, { tags: ['late'], notes: [], hold: null });
    await rm(gone.directory, { recursive: true });
    await fileExample(dataDirectory, { id: recordingId(3) });
    await writeFile(join(dataDirectory, 'index-pending', recordingId(5)), '../../etc');

    const told: string[] = [];
    const second = await openLibrary(dataDirectory, address, {
      companion: {
        put: async (_, { recording, before }) =>
          void told.push(`${before ? 'changed' : 'new'} ${recording.document.id}`),
        removed: async (_, id) => void told.push(`removed ${id}`),
      },
    });
    expect((await idsOf(second.library)).sort()).toEqual([recordingId(1), recordingId(3)]);
    expect(await idsOf(second.library, { tag: 'late' })).toEqual([recordingId(1)]);
    expect(await second.library.get(recordingId(2))).toBeNull();
    expect(told.sort()).toEqual([`changed ${recordingId(1)}`, `new ${recordingId(3)}`, `removed ${recordingId(2)}`]);
    expect(await marks.all()).toEqual([]);
  });

  test('what was told in the same transaction is undone with it, and tried again later', async () => {
    const dataDirectory = await temporaryDirectory();
    const clock = new ManualClock();
    let broken = true;
    const { library, keeper } = await openLibrary(dataDirectory, await fresh(), {
      clock,
      companion: {
        put: async () => {
          if (broken) throw new Error('no room for the news');
        },
        removed: async () => {},
      },
    });
    const { document } = await fileExample(dataDirectory, { id: recordingId(1) });
    await keeper.changing(document, async () => {});
    expect(await idsOf(library)).toEqual([]);
    broken = false;
    clock.advance(30_000);
    await keeper.idle();
    expect(await idsOf(library)).toEqual([recordingId(1)]);
  });

  test('while the database is away a change does not wait for it, and is made good when it is back', async () => {
    const dataDirectory = await temporaryDirectory();
    const clock = new ManualClock();
    let asked = 0;
    let away = true;
    const { library, keeper } = await openLibrary(dataDirectory, await fresh(), {
      clock,
      companion: {
        put: async () => {
          asked++;
          if (away) throw new Error('the connection is lost');
        },
        removed: async () => {},
      },
    });
    for (const n of [1, 2, 3]) {
      const filed = await fileExample(dataDirectory, { id: recordingId(n) });
      await keeper.filing(filed.document, async () => filed);
    }
    expect(asked).toBe(1);
    away = false;
    clock.advance(30_000);
    await keeper.idle();
    expect((await idsOf(library)).sort()).toEqual([1, 2, 3].map(recordingId));
    const late = await fileExample(dataDirectory, { id: recordingId(4) });
    await keeper.filing(late.document, async () => late);
    expect(await idsOf(library)).toHaveLength(4);
  });

  test('a recording that cannot be put right keeps no other one waiting', async () => {
    const dataDirectory = await temporaryDirectory();
    const marks = new PendingMarks(dataDirectory);
    await marks.prepare();
    const companion = {
      put: async (_: unknown, { recording }: { recording: { document: { id: string } } }) => {
        if (recording.document.id === recordingId(1)) throw new Error('never this one');
      },
      removed: async () => {},
    };
    const address = await fresh();
    const { close } = await openLibrary(dataDirectory, address, { companion });
    await close();
    for (const n of [1, 2, 3]) {
      await fileExample(dataDirectory, { id: recordingId(n) });
      await marks.set({ recordingId: recordingId(n), day: DAY });
    }
    const { index } = await openLibrary(dataDirectory, address, { companion });
    expect(await index.get(recordingId(2))).not.toBeNull();
    expect(await index.get(recordingId(3))).not.toBeNull();
    expect((await marks.all()).map(({ recordingId }) => recordingId)).toEqual([recordingId(1)]);
  });

  test('annotations that cannot be read are indexed as a hold', async () => {
    const dataDirectory = await temporaryDirectory();
    const { directory } = await fileExample(dataDirectory, { id: recordingId(1) });
    await writeFile(join(directory, 'annotations.json'), '{"version":1,');
    const { library } = await openLibrary(dataDirectory, await fresh());
    expect(await idsOf(library, { held: true })).toEqual([recordingId(1)]);
  });

  test('building the index again beside the recorder leaves alone what is being filed', async () => {
    const dataDirectory = await temporaryDirectory();
    const { library, keeper } = await openLibrary(dataDirectory, await fresh());
    await fileExample(dataDirectory, { id: recordingId(1) });
    await fileExample(dataDirectory, { id: recordingId(2) });
    await new PendingMarks(dataDirectory).set({ recordingId: recordingId(2), day: DAY });
    expect(await keeper.rebuild()).toBe(1);
    expect(await idsOf(library)).toEqual([recordingId(1)]);
  });

  test("another recorder's recordings are found, but their files are elsewhere", async () => {
    const address = await fresh();
    const north = await temporaryDirectory();
    await fileExample(north, { id: recordingId(1) });
    await openLibrary(north, address, { recorder: 'north' });
    const { library } = await openLibrary(await temporaryDirectory(), address, { recorder: 'south' });
    expect((await library.get(recordingId(1)))?.directory).toBeNull();
    expect(await library.openFile(recordingId(1), 'audio')).toBeNull();
    await expect(library.delete(recordingId(1))).rejects.toThrow('north');
  });
});
