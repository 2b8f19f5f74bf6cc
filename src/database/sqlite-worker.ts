// One SQLite connection in a thread of its own: node:sqlite works synchronously, and a long question must not hold up signalling.
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { SqliteAnswer, SqliteOrder, SqliteWorkerData } from './sqlite-protocol.ts';

const MAX_PREPARED = 200;

const { path, access } = workerData as SqliteWorkerData;
// Callers' names and numbers are nobody else's business. SQLite gives its other files the same rights.
closeSync(openSync(path, 'a', 0o640));
const database = new DatabaseSync(path, { timeout: 10_000 });
// WAL: readers go on while one writes. NORMAL: a power cut may cost the last transactions, never the file's consistency;
// what is lost that way is made good from the recordings' own files.
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
database.exec('PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824; PRAGMA temp_store = MEMORY');
if (access === 'read') database.exec('PRAGMA query_only = ON');

/** By text. Kysely makes the same few texts again and again; the oldest go first. */
const prepared = new Map<string, StatementSync>();

function statement(sql: string): StatementSync {
  let found = prepared.get(sql);
  if (!found) {
    found = database.prepare(sql);
    if (prepared.size >= MAX_PREPARED) prepared.delete(prepared.keys().next().value ?? '');
    prepared.set(sql, found);
  }
  return found;
}

function run({ sql, parameters }: SqliteOrder): Omit<SqliteAnswer, 'orderId'> {
  const query = statement(sql);
  const values = parameters as SQLInputValue[];
  if (query.columns().length > 0) return { rows: query.all(...values) as Record<string, unknown>[], changes: 0 };
  return { rows: [], changes: Number(query.run(...values).changes) };
}

function answer(order: SqliteOrder): SqliteAnswer {
  const { orderId, begins } = order;
  try {
    // At once, so that a transaction cannot fail half-way because another process writes.
    if (begins) database.exec('begin immediate');
    return { orderId, ...run(order) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { orderId, rows: [], changes: 0, failure: { message, code: errcode ?? null } };
  }
}

parentPort?.on('message', (orders: SqliteOrder[] | 'close') => {
  if (orders !== 'close') {
    parentPort?.postMessage(orders.map(answer));
    return;
  }
  database.close();
  parentPort?.close();
});
