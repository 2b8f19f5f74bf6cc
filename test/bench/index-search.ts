// The index with many recordings: how fast they go in, and how long each kind of question takes, on SQLite and PostgreSQL.
// The first recordings go in as the recorder puts them in, and are timed; the others in bulk, which is not the index's own way and
// says nothing about its speed. What is in the tables is the same.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecordingIndex } from '../../src/archive/index/recording-index.ts';
import { type IndexTables, indexMigrations } from '../../src/archive/index/schema.ts';
import { connectDatabase, type DatabaseAddress } from '../../src/database/database.ts';
import { postgresIsInstalled, runPostgres } from '../support/postgres.ts';
import { type GeneratedWorld, generatedRecording, worldOf } from './generated-recordings.ts';
import { copyIntoPostgres, fillSqlite } from './index-bulk.ts';
import { type Question, questions } from './index-questions.ts';

/** As many as a rebuild puts in at once. */
const ROWS_AT_ONCE = 50;
const REAL_ROWS = 50_000;
const SINGLE_ROWS = 2_000;
const ASKED_EACH = 100;
const PAGE = 50;
/** A question that takes seconds is asked less often. */
const LONGEST_MS = 20_000;
const POSTGRES_SETTINGS = ['shared_buffers=2GB', 'max_wal_size=2GB', 'wal_level=minimal', 'max_wal_senders=0'];

/** `keep`: both databases stay in `directory`, and those that are there are asked again. */
export async function* benchIndex(rows: number, directory: string, keep: boolean): AsyncGenerator<string> {
  await mkdir(directory, { recursive: true });
  const place = keep ? directory : await mkdtemp(join(directory, 'sipreel-index-'));
  const path = join(place, 'index.sqlite');
  const world = worldOf(rows);
  try {
    yield* benchOn({ kind: 'sqlite', path }, world, (first) => fillSqlite(path, world, first));
    if (!(await postgresIsInstalled())) return;
    const clusterDirectory = join(place, 'postgres');
    await mkdir(clusterDirectory, { recursive: true });
    const postgres = await runPostgres(clusterDirectory, POSTGRES_SETTINGS);
    try {
      const url = await postgres.database('bench');
      yield* benchOn({ kind: 'postgres', url }, world, () => copyIntoPostgres(path, url));
    } finally {
      await postgres.stop();
    }
  } finally {
    if (!keep) await rm(place, { recursive: true, force: true });
  }
}

async function* benchOn(
  address: DatabaseAddress,
  world: GeneratedWorld,
  fill: (first: number) => Promise<void>,
): AsyncGenerator<string> {
  const open = () => new RecordingIndex(connectDatabase<IndexTables>(address, indexMigrations), 'bench');
  let index = open();
  try {
    if (await index.isEmpty()) {
      const { rows } = world;
      const real = Math.min(rows, REAL_ROWS);
      yield `${address.kind}, empty: ${await rate(index, world, 0, Math.min(real, SINGLE_ROWS), 1)} recordings per second go in one by one, a transaction each`;
      if (real > SINGLE_ROWS) {
        const perSecond = await rate(index, world, SINGLE_ROWS, real, ROWS_AT_ONCE);
        yield `  ${perSecond} per second, ${ROWS_AT_ONCE} in a transaction, as reindex does (${real} in all)`;
      }
      if (rows > real) {
        const beganMs = performance.now();
        await index.close();
        await fill(real);
        const seconds = Math.round((performance.now() - beganMs) / 1000);
        yield `  filled up to ${rows} in bulk, not as the recorder does it, in ${seconds} s`;
        index = open();
      }
      // PostgreSQL has got what SQLite had in the end.
      const last = rows + (address.kind === 'postgres' ? SINGLE_ROWS : 0);
      yield `  with ${rows} in it: ${await rate(index, world, last, last + SINGLE_ROWS, 1)} per second go in one by one`;
    }
    for (const [name, ask] of Object.entries(questions(world))) yield `  ${name.padEnd(44)} ${await timed(index, ask)}`;
  } finally {
    await index.close();
  }
}

async function rate(index: RecordingIndex, world: GeneratedWorld, first: number, end: number, atOnce: number) {
  const beganMs = performance.now();
  for (let at = first; at < end; at += atOnce) {
    const length = Math.min(atOnce, end - at);
    await index.put(Array.from({ length }, (_, i) => generatedRecording(world, at + i)));
  }
  return Math.round((end - first) / ((performance.now() - beganMs) / 1000));
}

async function timed(index: RecordingIndex, ask: (n: number) => Question): Promise<string> {
  const times: number[] = [];
  let found = 0;
  const began = performance.now();
  for (let n = 0; n < ASKED_EACH && performance.now() - began < LONGEST_MS; n++) {
    const { query, before = null, counted } = ask(n);
    const beganMs = performance.now();
    found += counted
      ? (await index.statistics(query)).recordings
      : (await index.find(query, { limit: PAGE, before })).items.length;
    times.push(performance.now() - beganMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1).padStart(7);
  return `p50 ${at(0.5)} ms  p95 ${at(0.95)} ms  (${(found / times.length).toFixed(1)} found, asked ${times.length} times)`;
}
