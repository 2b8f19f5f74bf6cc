import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type IndexTables, indexMigrations } from '../../../src/archive/index/schema.ts';
import { connectDatabase } from '../../../src/database/database.ts';
import type { RecordingDocument } from '../../../src/recording/document.ts';
import type { Annotations, RecordingQuery } from '../../../src/recording/library.ts';
import { matchesQuery } from '../../../src/recording/matches-query.ts';
import { exampleDocument } from '../example-document.ts';
import { onBothDatabases } from './databases.ts';
import { openRecordingIndex } from './open-index.ts';

const SEED = 20_261_128;
const WORDS = [
  'ann',
  'Änn',
  'an',
  'a',
  '+4930123',
  '30123',
  '100%',
  "o'b",
  '"x"',
  '*',
  'AND',
  '_',
  '\\',
  'a:b',
  '日本語',
  'NEAR(',
  ';--',
];
const word = fc.constantFrom(...WORDS);
const text = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join(' '));
const startMs = fc.integer({ min: 0, max: 20 }).map((minute) => Date.UTC(2026, 0, 1, 0, minute));

const party = fc.record({ aor: fc.option(word.map((user) => `sip:${user}@x.example`)), name: fc.option(text) });
const recording = fc.record({
  startMs,
  durationMs: fc.constantFrom(0, 9_999, 10_000, 61_000, 3_600_000),
  state: fc.constantFrom<RecordingDocument['state']>('finished', 'empty', 'failed'),
  source: fc.constantFrom<RecordingDocument['source']>('siprec', 'oreka'),
  parties: fc.array(party, { maxLength: 3 }),
  callId: word,
  group: fc.option(word),
  tags: fc.uniqueArray(word, { maxLength: 2 }),
  note: fc.option(text),
  header: fc.option(fc.record({ name: fc.constantFrom('X-Tenant', 'x-tenant', 'X-Other'), value: text })),
  held: fc.boolean(),
});
const query: fc.Arbitrary<RecordingQuery> = fc.record(
  {
    text,
    party: text,
    fromMs: startMs,
    toMs: startMs,
    minDurationMs: fc.constantFrom(1, 10_000, 60_000, 5_000_000),
    maxDurationMs: fc.constantFrom(0, 10_000, 61_000),
    state: fc.constantFrom<RecordingDocument['state']>('finished', 'empty'),
    source: fc.constantFrom<RecordingDocument['source']>('siprec', 'oreka'),
    callId: word,
    number: fc.oneof(word, fc.constantFrom('1001', '0301234567', '+49 30 1234567', 'sip:a@x.example')),
    group: word,
    tag: word,
    header: fc.record({ name: fc.constantFrom('x-TENANT', 'x'), value: word }),
    held: fc.boolean(),
    scope: fc.record({ parties: fc.array(word, { maxLength: 2 }), groups: fc.array(word, { maxLength: 2 }) }),
  },
  { requiredKeys: [] },
);

onBothDatabases((fresh) => {
  test('every question has the answer that its meaning gives, page by page', async () => {
    const index = openRecordingIndex(await fresh(), 'here');
    const all = fc.sample(recording, { numRuns: 150, seed: SEED }).map((one, n) => {
      const { annotations, document } = madeOf(one, n);
      return { document, annotations, directory: `d/${n}`, keepUntilMs: null };
    });
    await index.put(all);
    for (const asked of fc.sample(query, { numRuns: 120, seed: SEED })) {
      const expected = all
        .filter((one) => matchesQuery({ ...one, directory: null }, asked))
        .map((one) => one.document.id);
      const found: string[] = [];
      let before: number | null = null;
      let starts = Number.POSITIVE_INFINITY;
      do {
        const page = await index.find(asked, { limit: 7, before });
        for (const { document } of page.items) {
          expect(Date.parse(document.times.start)).toBeLessThanOrEqual(starts);
          starts = Date.parse(document.times.start);
          found.push(document.id);
        }
        before = page.before;
      } while (before !== null);
      expect(found.sort(), JSON.stringify(asked)).toEqual(expected.sort());
      expect((await index.statistics(asked)).recordings, JSON.stringify(asked)).toBe(expected.length);
    }
    await index.close();
  }, 60_000);

  test('what is put in again replaces what was known, and leaves no trace of it', async () => {
    const index = openRecordingIndex(await fresh(), 'here');
    const { document, annotations } = madeOf(fc.sample(recording, { numRuns: 1, seed: SEED })[0]!, 1);
    const put = (tags: string[]) =>
      index.put([{ document, annotations: { ...annotations, tags }, directory: 'd', keepUntilMs: 5 }]);
    await put(['before']);
    await put(['after']);
    const count = async (asked: RecordingQuery) => (await index.find(asked, { limit: 5, before: null })).items.length;
    expect([await count({ tag: 'before' }), await count({ text: 'before' }), await count({ tag: 'after' })]).toEqual([
      0, 0, 1,
    ]);
    expect(await index.remove(document.id)).toBe(true);
    expect(await index.remove(document.id)).toBe(false);
    expect([await count({}), await count({ text: 'after' })]).toEqual([0, 0]);
    expect(await index.isEmpty()).toBe(true);
    await index.close();
  });

  test('names, numbers and notes of a deleted recording are nowhere in the database; those that others share stay', async () => {
    const address = await fresh();
    const index = openRecordingIndex(address, 'here');
    const example = exampleDocument();
    const put = (n: number, name: string, note: string | null) =>
      index.put([
        {
          document: exampleDocument({
            id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
            call: { ...example.call, sipCallId: `${n}`, groupId: 'sales' },
            participants: [{ id: 'p', aor: 'sip:+4930555@x.example', name, role: 'caller', channel: 0, rule: '' }],
          }),
          annotations: { tags: [], notes: note ? [{ noteId: 'n', text: note, by: 'x', atMs: 0 }] : [], hold: null },
          directory: 'd',
          keepUntilMs: null,
        },
      ]);
    await put(1, 'Common Name', null);
    await put(2, 'Private Person', 'is very ill');
    await put(2, 'Private Person', 'is well');
    const database = connectDatabase<IndexTables>(address, indexMigrations);
    await database.ready();
    const texts = async () =>
      (await database.read.selectFrom('texts').select('text').execute()).map(({ text }) => text.trim());
    expect((await texts()).sort().map((text) => text.split('\n')[0])).toEqual([
      'common name',
      'is well',
      'private person',
      'sales',
      'sip:+4930555@x.example',
    ]);
    await index.remove('00000000-0000-4000-8000-000000000002');
    expect((await texts()).sort().map((text) => text.split('\n')[0])).toEqual([
      'common name',
      'sales',
      'sip:+4930555@x.example',
    ]);
    const { items } = await index.find({ party: '4930555' }, { limit: 5, before: null });
    expect(items).toHaveLength(1);
    expect((await index.find({ text: 'person' }, { limit: 5, before: null })).items).toEqual([]);
    await database.close();
    await index.close();
  });

  test('a word in more texts than are gathered, and a rare one among frequent ones', async () => {
    const index = openRecordingIndex(await fresh(), 'here');
    const example = exampleDocument();
    const all = Array.from({ length: 1_100 }, (_, n) => ({
      document: exampleDocument({
        id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
        times: { ...example.times, start: new Date(Date.UTC(2026, 0, 1) + n * 3_600_000).toISOString() },
        participants: [
          {
            id: 'p',
            aor: `sip:${n % 300}@x.example`,
            name: `Person ${n}`,
            role: 'caller' as const,
            channel: 0,
            rule: '',
          },
        ],
      }),
      annotations: { tags: n % 2 ? ['odd'] : [], notes: [], hold: null },
      directory: `d/${n}`,
      keepUntilMs: null,
    }));
    for (let at = 0; at < all.length; at += 100) await index.put(all.slice(at, at + 100));
    const pages = async (query: RecordingQuery) => {
      const found: number[] = [];
      for (let before: number | null = null; ; ) {
        const page = await index.find(query, { limit: 40, before });
        found.push(...page.items.map(({ document }) => Number(document.id.slice(-6))));
        if (page.before === null) return found;
        before = page.before;
      }
    };
    const expected = (fits: (n: number) => boolean) =>
      all
        .map((_, n) => n)
        .filter(fits)
        .reverse();
    expect(await pages({ party: 'person' })).toEqual(expected(() => true));
    expect(await pages({ party: 'person 10' })).toEqual(expected((n) => String(n).startsWith('10')));
    expect(await pages({ text: 'person 77', tag: 'odd' })).toEqual(
      expected((n) => n % 2 === 1 && (String(n).includes('77') || String(n % 300).includes('77'))),
    );
    expect(await pages({ scope: { parties: ['7@x.example', '299'], groups: [] } })).toEqual(
      expected((n) => n % 300 === 7 || n % 300 === 299),
    );
    expect(await pages({ scope: { parties: ['nobody'], groups: ['none'] } })).toEqual([]);
    expect(await pages({ scope: { parties: ['*'], groups: [] }, party: 'person 1099' })).toEqual([1_099]);
    expect((await index.statistics({ text: 'person 10' })).recordings).toBe(
      expected((n) => String(n).includes('10') || String(n % 300).includes('10')).length,
    );
    await index.close();
  }, 30_000);
});

type Made = typeof recording extends fc.Arbitrary<infer T> ? T : never;

function madeOf(one: Made, n: number): { document: RecordingDocument; annotations: Annotations } {
  const example = exampleDocument();
  const document = exampleDocument({
    id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    state: one.state,
    source: one.source,
    times: { ...example.times, start: new Date(one.startMs).toISOString(), durationMs: one.durationMs },
    call: { ...example.call, sipCallId: one.callId, groupId: one.group },
    participants: one.parties.map(({ aor, name }, i) => ({
      id: `p${i}`,
      aor,
      name,
      role: 'other',
      channel: null,
      rule: '',
    })),
    headers: one.header ? [one.header] : [],
  });
  const notes = one.note === null ? [] : [{ noteId: 'n', text: one.note, by: 'x', atMs: 0 }];
  const hold = one.held ? { reason: null, by: 'x', sinceMs: 0 } : null;
  return { document, annotations: { tags: one.tags, notes, hold } };
}
