// What of recording.json may be large stays out of searches, and raw metadata out of the index.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compareRecording } from '../../../src/archive/index/compare.ts';
import { deflated } from '../../../src/archive/index/row.ts';
import { type IndexTables, indexMigrations } from '../../../src/archive/index/schema.ts';
import { connectDatabase, type DatabaseKind } from '../../../src/database/database.ts';
import type { RecordingDocument } from '../../../src/recording/document.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';
import { fileExample, recordingId } from '../library-suite.ts';
import { onBothDatabases } from './databases.ts';
import { openRecordingIndex } from './open-index.ts';
import { openLibrary } from './open-library.ts';

const TIME = '2026-01-02T03:04:06.000Z';
const LARGE: Partial<RecordingDocument> = {
  timeline: [{ type: 'dtmf', offsetMs: 300, time: TIME, digit: '5' }],
  metadata: [{ received: TIME, contentType: 'application/rs-metadata+xml', text: `<raw/>${' '.repeat(4096)}` }],
};

const person = (n: number) =>
  ({ id: 'p', aor: 'sip:1@x', name: `Person ${n}`, role: 'caller', channel: 0, rule: '' }) as const;

onBothDatabases((fresh) => {
  test('a hit is without them, one recording is whole, and the index agrees with the files', async () => {
    const data = await temporaryDirectory();
    const address = await fresh();
    const filed = await fileExample(data, { id: recordingId(1), ...LARGE });
    const { library, index } = await openLibrary(data, address);
    const [hit] = (await library.search({}, { limit: 5, after: null })).items;
    expect(hit!.document.id).toBe(recordingId(1));
    expect(hit!.document).not.toHaveProperty('metadata');
    expect(hit!.document).not.toHaveProperty('timeline');
    expect((await library.get(recordingId(1)))!.document).toEqual(filed.document);
    expect(await compareRecording(index, filed, join(data, 'recordings'))).toBeNull();
    const changed = { ...filed.document, timeline: [] };
    const problem = await compareRecording(index, { ...filed, document: changed }, join(data, 'recordings'));
    expect(problem?.code).toBe('index-differs');

    const elsewhere = await openLibrary(await temporaryDirectory(), address, { recorder: 'elsewhere' });
    const foreign = await elsewhere.library.get(recordingId(1));
    expect(foreign).toMatchObject({ directory: null, document: { timeline: LARGE.timeline, metadata: [] } });
  });

  test('a recording.json that cannot be read is said to be so, not to be absent', async () => {
    const data = await temporaryDirectory();
    const { directory } = await fileExample(data, { id: recordingId(1) });
    const { library } = await openLibrary(data, await fresh());
    const text = await readFile(join(directory, 'recording.json'), 'utf8');
    await writeFile(join(directory, 'recording.json'), text.slice(0, 100));
    await expect(library.get(recordingId(1))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('rows of an earlier version are cut', async () => {
    const address = await fresh();
    const first = (kind: DatabaseKind) => ({ '001_index': indexMigrations(kind)['001_index']! });
    const before = connectDatabase<IndexTables>(address, first);
    await before.ready();
    const documents = Array.from({ length: 201 }, (_, n) =>
      exampleDocument({ id: recordingId(n), participants: [person(n)], ...LARGE }),
    );
    const rows = documents.map((document, place) => ({
      place,
      id: document.id,
      directory: 'd',
      recorder: 'here',
      duration_ms: 1,
      octets: 1,
      state: 'finished',
      source: 'siprec',
      loss_percent: 0,
      silent_side: 0,
      held: 0,
      keep_until_ms: null,
      parties: `\nperson ${place}\n`,
      words: '\n',
      document: deflated(document),
      annotations: '{"tags":[],"notes":[],"hold":null}',
    }));
    await before.write
      .insertInto('recordings')
      .values(rows as never)
      .execute();
    await before.close();

    const index = openRecordingIndex(address, 'here');
    for (const n of [0, 199, 200]) {
      const { metadata: _, ...kept } = documents[n]!;
      expect((await index.get(recordingId(n)))?.document).toEqual(kept);
    }
    const { items } = await index.find({}, { limit: 1, before: null });
    expect(items[0]!.document).not.toHaveProperty('metadata');
    const byName = await index.find({ party: 'rson 199' }, { limit: 5, before: null });
    expect(byName.items.map(({ document }) => document.id)).toEqual([recordingId(199)]);
    await index.close();
  });
});
