// Millions of generated rows put into the index's tables as fast as the database takes them: the same rows, terms and texts that the
// index itself would write, but in large steps, and with each index made once at the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type IndexedRecording, rowOf } from '../../src/archive/index/row.ts';
import { PLACES_PER_MS, type RecordingRow } from '../../src/archive/index/schema.ts';
import { termsOf } from '../../src/archive/index/terms.ts';
import { type GeneratedWorld, generatedRecording } from './generated-recordings.ts';

const ROWS_AT_ONCE = 20_000;
const RECORDER = 'bench';

const COLUMNS = [
  'place',
  'id',
  'directory',
  'recorder',
  'duration_ms',
  'octets',
  'state',
  'source',
  'loss_percent',
  'silent_side',
  'held',
  'keep_until_ms',
  'parties',
  'words',
  'document',
  'annotations',
  'details',
] as const satisfies (keyof RecordingRow)[];

function rowFor(recording: IndexedRecording): RecordingRow {
  return { ...rowOf(recording, RECORDER), place: Date.parse(recording.document.times.start) * PLACES_PER_MS };
}

/** Recordings `first` to the world's last one. Nobody else may use the file meanwhile. */
export function fillSqlite(path: string, world: GeneratedWorld, first: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1500000;
    create table new_terms (term text not null, place integer not null)`);
  const row = database.prepare(
    `insert into recordings (${COLUMNS.join(', ')}) values (${COLUMNS.map(() => '?').join(', ')})`,
  );
  const term = database.prepare('insert into new_terms values (?, ?)');
  const text = database.prepare('insert into recording_text (rowid, parties, words) values (?, ?, ?)');
  for (let at = first; at < world.rows; at += ROWS_AT_ONCE) {
    database.exec('begin');
    for (let n = at; n < Math.min(world.rows, at + ROWS_AT_ONCE); n++) {
      putSqlite(generatedRecording(world, n), { row, term, text });
    }
    database.exec('commit');
  }
  database.exec(`insert or ignore into terms select term, place from new_terms order by term, place;
    drop table new_terms; PRAGMA journal_mode = WAL`);
  database.close();
}

function putSqlite(
  recording: IndexedRecording,
  into: { row: StatementSync; term: StatementSync; text: StatementSync },
) {
  const row = rowFor(recording);
  into.row.run(...COLUMNS.map((column) => row[column]));
  into.text.run(row.place, row.parties, row.words);
  for (const term of termsOf(recording.document, recording.annotations)) into.term.run(term, row.place);
}

/** As it is made by the index's migrations: taken away while rows go in, and made again. */
const POSTGRES_INDEXES: { drop: string; make: string }[] = [
  { drop: 'alter table terms drop constraint terms_pkey', make: 'alter table terms add primary key (term, place)' },
  {
    drop: 'alter table recordings drop constraint recordings_id_key',
    make: 'alter table recordings add constraint recordings_id_key unique (id)',
  },
  {
    drop: 'drop index recordings_parties',
    make: 'create index recordings_parties on recordings using gin (parties gin_trgm_ops)',
  },
  {
    drop: 'drop index recordings_words',
    make: 'create index recordings_words on recordings using gin (words gin_trgm_ops)',
  },
];

/** The same for PostgreSQL, through psql. */
export async function fillPostgres(url: string, world: GeneratedWorld, first: number): Promise<void> {
  for (const { drop } of POSTGRES_INDEXES) await psql(url, drop);
  const columns = COLUMNS.join(', ');
  await copy(url, `recordings (${columns})`, function* () {
    for (let n = first; n < world.rows; n++) {
      const row = rowFor(generatedRecording(world, n));
      yield COLUMNS.map((column) => cell(row[column])).join('\t');
    }
  });
  await copy(url, 'terms (term, place)', function* () {
    for (let n = first; n < world.rows; n++) {
      const { document, annotations } = generatedRecording(world, n);
      const place = Date.parse(document.times.start) * PLACES_PER_MS;
      yield termsOf(document, annotations)
        .map((term) => `${cell(term)}\t${place}`)
        .join('\n');
    }
  });
  const memory = "set maintenance_work_mem = '2GB'";
  for (const { make } of POSTGRES_INDEXES) await psql(url, memory, make);
  await psql(url, 'vacuum analyze');
}

async function copy(url: string, into: string, lines: () => Generator<string>): Promise<void> {
  const child = spawn('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', '-c', `copy ${into} from stdin`], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const gone = once(child, 'exit');
  let waiting: string[] = [];
  const flush = async () => {
    const taken = child.stdin.write(`${waiting.join('\n')}\n`);
    waiting = [];
    if (!taken) await once(child.stdin, 'drain');
  };
  for (const line of lines()) {
    waiting.push(line);
    if (waiting.length >= 500) await flush();
  }
  if (waiting.length > 0) await flush();
  child.stdin.end();
  const [code] = await gone;
  if (code !== 0) throw new Error(`copy into ${into} failed`);
}

/** COPY's text format. */
function cell(value: string | number | null | Uint8Array): string {
  if (value === null) return '\\N';
  if (value instanceof Uint8Array) return `\\\\x${Buffer.from(value).toString('hex')}`;
  return String(value).replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

async function psql(url: string, ...statements: string[]): Promise<void> {
  const commands = statements.flatMap((statement) => ['-c', statement]);
  const child = spawn('psql', [url, '-q', '-v', 'ON_ERROR_STOP=1', ...commands], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${statements.at(-1)} failed`);
}
