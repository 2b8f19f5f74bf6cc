// Millions of generated rows put into the index's tables as fast as the database takes them: the same rows, terms and texts that the
// index itself would write, but in large steps, and with each index made once at the end. Threads make them, one writes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { GeneratedWorld } from './generated-recordings.ts';
import { type Cell, COLUMNS, type MadeRows, type RowsOrder } from './index-rows-worker.ts';

const THREADS = 2;
const ROWS_AT_ONCE = 2_000;

/** Recordings `first` to the world's last one, in their order. Nobody else may use the file meanwhile. */
export async function fillSqlite(path: string, world: GeneratedWorld, first: number): Promise<void> {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000;
    create table new_terms (term text not null, place integer not null)`);
  const row = database.prepare(
    `insert into recordings (${COLUMNS.join(', ')}) values (${COLUMNS.map(() => '?').join(', ')})`,
  );
  const term = database.prepare('insert into new_terms values (?, ?)');
  const text = database.prepare('insert into texts values (?, ?) on conflict do nothing returning rowid');
  const trigrams = database.prepare('insert into text_trigrams (rowid, text) values (?, ?)');
  const known = new Set<string>();
  for await (const made of madeRows(world, first)) {
    database.exec('begin');
    for (const [i, cells] of made.rows.entries()) {
      row.run(...cells);
      for (const one of made.terms[i]!) term.run(one, cells[0] as number);
    }
    for (const one of made.texts) {
      if (known.has(one.term)) continue;
      known.add(one.term);
      const added = text.get(one.term, one.text) as { rowid: number } | undefined;
      if (added) trigrams.run(added.rowid, one.text);
    }
    database.exec('commit');
  }
  database.exec(`insert or ignore into terms select term, place from new_terms order by term, place;
    drop table new_terms; PRAGMA journal_mode = WAL`);
  database.close();
}

async function* madeRows(world: GeneratedWorld, first: number): AsyncGenerator<MadeRows> {
  const workers = Array.from({ length: THREADS }, () => new Worker(new URL('./index-rows-worker.ts', import.meta.url)));
  const making: Promise<MadeRows>[] = [];
  let next = first;
  const order = (worker: Worker) => {
    if (next >= world.rows) return;
    const end = Math.min(world.rows, next + ROWS_AT_ONCE);
    worker.postMessage({ world, first: next, end } satisfies RowsOrder);
    next = end;
    making.push(once(worker, 'message').then(([made]) => made as MadeRows));
  };
  for (const worker of workers) order(worker);
  for (let turn = 0; ; turn++) {
    const made = await making.shift();
    if (!made) break;
    order(workers[turn % THREADS]!);
    yield made;
  }
  for (const worker of workers) await worker.terminate();
}

/** As it is made by the index's migrations: taken away while rows go in, and made again. */
const POSTGRES_INDEXES: { drop: string; make: string }[] = [
  { drop: 'alter table terms drop constraint terms_pkey', make: 'alter table terms add primary key (term, place)' },
  {
    drop: 'alter table recordings drop constraint recordings_pkey',
    make: 'alter table recordings add primary key (place)',
  },
  {
    drop: 'alter table recordings drop constraint recordings_id_key',
    make: 'alter table recordings add constraint recordings_id_key unique (id)',
  },
  { drop: 'drop index texts_text', make: 'create index texts_text on texts using gin (text gin_trgm_ops)' },
];

/** All that is in a filled SQLite file, into empty tables of PostgreSQL. */
export async function copyIntoPostgres(path: string, url: string): Promise<void> {
  const source = new DatabaseSync(path, { readOnly: true });
  try {
    await psql(url, 'truncate recordings, texts, terms', ...POSTGRES_INDEXES.map(({ drop }) => drop));
    for (const [table, columns] of [
      ['recordings', COLUMNS],
      ['texts', ['term', 'text']],
      ['terms', ['term', 'place']],
    ] as const) {
      const names = columns.join(', ');
      const rows = source.prepare(`select ${names} from ${table}`).iterate() as Iterable<Record<string, Cell>>;
      await copy(url, `${table} (${names})`, rows, columns);
    }
  } finally {
    source.close();
  }
  for (const { make } of POSTGRES_INDEXES) await psql(url, "set maintenance_work_mem = '1500MB'", make);
  await psql(url, 'vacuum analyze');
}

async function copy(url: string, into: string, rows: Iterable<Record<string, Cell>>, columns: readonly string[]) {
  const child = spawn('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', '-c', `copy ${into} from stdin`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const gone = once(child, 'exit');
  let waiting = '';
  for (const row of rows) {
    for (const [i, column] of columns.entries()) waiting += (i > 0 ? '\t' : '') + cell(row[column]!);
    waiting += '\n';
    if (waiting.length < 1 << 20) continue;
    const taken = child.stdin.write(waiting);
    waiting = '';
    if (!taken) await once(child.stdin, 'drain');
  }
  child.stdin.end(waiting);
  const [code] = await gone;
  if (code !== 0) throw new Error(`copy into ${into} failed`);
}

/** COPY's text format. */
function cell(value: Cell): string {
  if (value === null) return '\\N';
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string')
    return `\\\\x${Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')}`;
  return /[\\\t\n\r]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
    : value;
}

async function psql(url: string, ...statements: string[]): Promise<void> {
  const commands = statements.flatMap((statement) => ['-c', statement]);
  const child = spawn('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', ...commands], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${statements.at(-1)} failed`);
}
