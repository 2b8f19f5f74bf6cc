// The index with many recordings: how fast they go in, and how long each kind of question takes, on SQLite and PostgreSQL.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import { RecordingIndex } from '../../src/archive/index/recording-index.ts';
import { rowOf } from '../../src/archive/index/row.ts';
import { type IndexTables, indexMigrations, PLACES_PER_MS } from '../../src/archive/index/schema.ts';
import { termsOf } from '../../src/archive/index/terms.ts';
import { connectDatabase, type Database, type DatabaseAddress } from '../../src/database/database.ts';
import type { RecordingQuery } from '../../src/recording/library.ts';
import { postgresIsInstalled, startPostgres } from '../support/postgres.ts';
import { type GeneratedWorld, generatedRecording, worldOf } from './generated-recordings.ts';

const ROWS_AT_ONCE = 250;
const RATE_ROWS = 2_000;
const ASKED_EACH = 200;
const PAGE = 50;

export async function* benchIndex(rows: number, directory = tmpdir()): AsyncGenerator<string> {
  const place = await mkdtemp(join(directory, 'sipreel-index-'));
  try {
    yield* benchOn({ kind: 'sqlite', path: join(place, 'index.sqlite') }, rows);
    if (!(await postgresIsInstalled())) return;
    const postgres = await startPostgres(directory);
    try {
      yield* benchOn({ kind: 'postgres', url: await postgres.database('bench') }, rows);
    } finally {
      await postgres.stop();
    }
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

async function* benchOn(address: DatabaseAddress, rows: number): AsyncGenerator<string> {
  const database = connectDatabase<IndexTables>(address, indexMigrations);
  await database.ready();
  const index = new RecordingIndex(database, 'bench');
  const world = worldOf(rows);
  try {
    const beganMs = performance.now();
    await fill(database, world);
    const fillSeconds = (performance.now() - beganMs) / 1000;
    yield `${address.kind}: ${rows} recordings, filled in bulk in ${fillSeconds.toFixed(0)} s`;
    const rateMs = performance.now();
    for (let n = 0; n < RATE_ROWS; n++) await index.put([generatedRecording(world, rows + n)]);
    yield `  ${Math.round(RATE_ROWS / ((performance.now() - rateMs) / 1000))} recordings per second go in one by one, a transaction each`;
    for (const [name, ask] of Object.entries(questions(world))) yield `  ${name.padEnd(44)} ${await timed(index, ask)}`;
  } finally {
    await index.close();
  }
}

/** Each of the kinds of question that the index promises to answer quickly; `n` picks another value each time. */
function questions(world: GeneratedWorld): Record<string, (n: number) => RecordingQuery> {
  const one = (n: number) => generatedRecording(world, (n * 7919) % world.rows).document;
  const day = 86_400_000;
  return {
    'newest first': () => ({}),
    'a day': (n) => ({ fromMs: Date.parse(one(n).times.start), toMs: Date.parse(one(n).times.start) + day }),
    'a whole number': (n) => ({ number: one(n).participants[0]?.aor?.replace(/^sip:|@.*/g, '') ?? '' }),
    'the last six digits of a number': (n) => ({
      party: one(n).participants[0]?.aor?.replace(/@.*/, '').slice(-6) ?? '',
    }),
    'part of a name': (n) => ({ party: one(n).participants[1]?.name?.slice(0, 5) ?? '' }),
    'a name that nobody has': () => ({ party: 'zebulon quux' }),
    'words over names and notes': (n) => ({ text: one(n).participants[1]?.name ?? '' }),
    'a call id in the free text': (n) => ({ text: one(n).call.sipCallId }),
    'a call id': (n) => ({ callId: one(n).call.sipCallId }),
    'a sipSessionID': (n) => ({ callId: one(n).call.sipSessionIds[0] ?? '' }),
    'a group': (n) => ({ group: one(n).call.groupId ?? '' }),
    'a tag': (n) => ({ tag: `tag${n % 50}` }),
    'a header field': (n) => ({ header: { name: 'X-Tenant', value: one(n).headers[0]?.value ?? '' } }),
    'longer than an hour': () => ({ minDurationMs: 3_600_000 }),
    'loss above three per cent': () => ({ minLossPercent: 3 }),
    'a silent side': () => ({ silentSide: true }),
    'failed ones': () => ({ state: 'failed' }),
    'by source': () => ({ source: 'import' }),
    'a number within a month': (n) => ({
      number: one(n).participants[0]?.aor?.replace(/^sip:|@.*/g, '') ?? '',
      fromMs: Date.parse(one(n).times.start) - 15 * day,
      toMs: Date.parse(one(n).times.start) + 15 * day,
    }),
  };
}

async function timed(index: RecordingIndex, ask: (n: number) => RecordingQuery): Promise<string> {
  const times: number[] = [];
  let found = 0;
  for (let n = 0; n < ASKED_EACH; n++) {
    const query = ask(n);
    const beganMs = performance.now();
    const page = await index.find(query, { limit: PAGE, before: null });
    times.push(performance.now() - beganMs);
    found += page.items.length;
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1).padStart(7);
  return `p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  (${(found / ASKED_EACH).toFixed(1)} found)`;
}

/** In the order of places and in large statements: the time that matters is that of the questions. */
async function fill(database: Database<IndexTables>, world: GeneratedWorld): Promise<void> {
  const { write, kind } = database;
  for (let first = 0; first < world.rows; first += ROWS_AT_ONCE * 40) {
    await write.transaction().execute(async (work) => {
      for (let at = first; at < Math.min(world.rows, first + ROWS_AT_ONCE * 40); at += ROWS_AT_ONCE) {
        await fillRows(work, kind, world, at, Math.min(world.rows, at + ROWS_AT_ONCE));
      }
    });
  }
}

async function fillRows(
  work: Kysely<IndexTables>,
  kind: Database<IndexTables>['kind'],
  world: GeneratedWorld,
  first: number,
  end: number,
): Promise<void> {
  const recordings = Array.from({ length: end - first }, (_, i) => generatedRecording(world, first + i));
  const rows = recordings.map((recording) => ({
    ...rowOf(recording, 'bench'),
    place: Date.parse(recording.document.times.start) * PLACES_PER_MS,
  }));
  await work.insertInto('recordings').values(rows).execute();
  const terms = recordings.flatMap(({ document, annotations }, i) =>
    termsOf(document, annotations).map((term) => ({ term, place: rows[i]!.place })),
  );
  await work.insertInto('terms').values(terms).execute();
  if (kind === 'sqlite') {
    const texts = rows.map(({ place, parties, words }) => ({ rowid: place, parties, words }));
    await work.insertInto('recording_text').values(texts).execute();
  }
}
