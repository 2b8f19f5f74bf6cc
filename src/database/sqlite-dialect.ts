// SQLite for Kysely over node:sqlite in a thread. One connection: whoever has it keeps it for a query or a whole transaction.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { SqliteAnswer, SqliteOrder, SqliteWorkerData } from './sqlite-protocol.ts';

/** A failed statement; `code` is SQLite's extended result code (2067: unique constraint). */
export class SqliteError extends Error {
  override readonly name = 'SqliteError';
  readonly code: number | null;

  constructor(message: string, code: number | null) {
    super(message);
    this.code = code;
  }
}

export function sqliteDialect(options: SqliteWorkerData): Dialect {
  return {
    createAdapter: () => new OneTransactionAdapter(),
    createDriver: () => new ThreadDriver(options),
    createIntrospector: (database) => new SqliteIntrospector(database),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/**
 * Migrations run in one transaction, which `begin immediate` gives to one process at a time: Kysely's own adapter has them run
 * without, and two processes that open a new database at the same moment would both create its tables.
 */
class OneTransactionAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** A compiled program has a compiled worker beside it, a source one a source one. */
const WORKER_URL = new URL(`./sqlite-worker${extname(import.meta.url)}`, import.meta.url);

class ThreadDriver implements Driver {
  readonly #options: SqliteWorkerData;
  #connection: ThreadConnection | null = null;
  #free: Promise<void> = Promise.resolve();
  #release = () => {};

  constructor(options: SqliteWorkerData) {
    this.#options = options;
  }

  async init(): Promise<void> {
    this.#connection = new ThreadConnection(this.#options);
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    this.#release = resolve;
    if (!this.#connection) throw new SqliteError('the database is closed', null);
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#release();
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    (connection as ThreadConnection).begin();
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as ThreadConnection).end('commit');
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as ThreadConnection).end('rollback');
  }

  async destroy(): Promise<void> {
    await this.#connection?.close();
    this.#connection = null;
  }
}

/**
 * A transaction begins with its first statement, which saves a way to the thread and back:
 *
 *   none ──begin──▶ due ──first statement──▶ open ──commit, rollback──▶ none
 *                    └──────commit, rollback: nothing to do──────────────▲
 */
class ThreadConnection implements DatabaseConnection {
  #transaction: 'none' | 'due' | 'open' = 'none';
  #orders: SqliteOrder[] = [];
  readonly #worker: Worker;
  readonly #open = new Map<number, PromiseWithResolvers<SqliteAnswer>>();
  readonly #gone = Promise.withResolvers<void>();
  #nextOrderId = 1;
  #failure: Error | null = null;

  constructor(options: SqliteWorkerData) {
    this.#worker = new Worker(WORKER_URL, { name: `sqlite-${options.access}`, workerData: options });
    // An idle database does not keep the process alive; an open question does.
    this.#worker.unref();
    this.#worker.on('message', (answers: SqliteAnswer[]) => {
      for (const answer of answers) this.#settle(answer);
    });
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => {
      this.#fail(new SqliteError('the database thread has ended', null));
      this.#gone.resolve();
    });
  }

  begin(): void {
    this.#transaction = 'due';
  }

  async end(how: 'commit' | 'rollback'): Promise<void> {
    const wasOpen = this.#transaction === 'open';
    this.#transaction = 'none';
    if (!wasOpen) return;
    await this.executeQuery(CompiledQuery.raw(how)).catch((error: Error) => {
      // It never began, or SQLite has rolled it back itself: why has been told already.
      if (how === 'commit' || !error.message.includes('no transaction is active')) throw error;
    });
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    if (this.#failure) throw this.#failure;
    const orderId = this.#nextOrderId++;
    const waiting = Promise.withResolvers<SqliteAnswer>();
    this.#open.set(orderId, waiting);
    const begins = this.#transaction === 'due';
    if (begins) this.#transaction = 'open';
    if (this.#orders.push({ orderId, begins, sql, parameters }) === 1) queueMicrotask(() => this.#send());
    const { rows, changes, failure } = await waiting.promise;
    if (failure) throw new SqliteError(failure.message, failure.code);
    return { rows: rows as Row[], numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: Kysely demands the method; nobody here reads a result row by row.
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new SqliteError('SQLite results are not streamed', null);
  }

  async close(): Promise<void> {
    this.#send();
    this.#worker.ref();
    this.#worker.postMessage('close');
    await this.#gone.promise;
  }

  #send(): void {
    if (this.#orders.length === 0) return;
    const orders = this.#orders;
    this.#orders = [];
    this.#worker.ref();
    this.#worker.postMessage(orders);
  }

  #settle(answer: SqliteAnswer): void {
    this.#open.get(answer.orderId)?.resolve(answer);
    this.#open.delete(answer.orderId);
    if (this.#open.size === 0) this.#worker.unref();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#open.values()) waiting.reject(this.#failure);
    this.#open.clear();
  }
}
