// The database of an installation: SQLite in the data directory, or PostgreSQL for several recorders. One schema, one set of queries.
import { Kysely, type Migration, Migrator, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { closeOnce } from '../lib/close.ts';
import { isRecorderError, RecorderError } from '../lib/errors.ts';
import { sqliteDialect } from './sqlite-dialect.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

export type DatabaseAddress = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };

export interface Database<Tables> {
  readonly kind: DatabaseKind;
  /** Questions. Never waits for `write`. */
  readonly read: Kysely<Tables>;
  /** Changes and transactions. */
  readonly write: Kysely<Tables>;
  /**
   * Resolves when the schema is up to date; several processes may do that at once. Rejects with DATABASE_FAILED; the next call tries
   * again. To be called before each use.
   */
  ready(): Promise<void>;
  /** Waits for open questions. Idempotent. */
  close(): Promise<void>;
}

/** By name; applied in the order of the names, each once. */
export type Migrations = (kind: DatabaseKind) => Record<string, Migration>;

const INT8 = 20;
const CONNECTIONS = 10;
/** A question that takes longer is not worth the load that it is to everybody else. */
const LONGEST_QUESTION_MS = 30_000;

/**
 * Nothing is opened before it is needed, and the schema is brought up to date before the first use: a recorder starts although
 * its database is down.
 */
export function connectDatabase<Tables>(address: DatabaseAddress, migrations: Migrations): Database<Tables> {
  const connected = address.kind === 'sqlite' ? openSqlite<Tables>(address.path) : openPostgres<Tables>(address.url);
  let ready: Promise<void> | null = null;
  return {
    ...connected,
    ready() {
      ready ??= migrate(connected.write, migrations(address.kind)).catch((error) => {
        ready = null;
        throw databaseError(error);
      });
      return ready;
    },
  };
}

/** The error as DATABASE_FAILED, with the database's own words. */
export function databaseError(error: unknown): RecorderError {
  if (isRecorderError(error)) return error;
  // Several addresses of one server that all refuse come as one error without a message.
  const causes = error instanceof AggregateError ? error.errors : [error];
  const message = causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join('; ');
  return new RecorderError('DATABASE_FAILED', message, { cause: error });
}

type Connected<Tables> = Omit<Database<Tables>, 'ready'>;

function openSqlite<Tables>(path: string): Connected<Tables> {
  const write = new Kysely<Tables>({ dialect: sqliteDialect({ path, access: 'write' }) });
  const read = new Kysely<Tables>({ dialect: sqliteDialect({ path, access: 'read' }) });
  const close = closeOnce(async () => {
    await read.destroy();
    // Last, so that it is the one to fold the write-ahead log into the file.
    await write.destroy();
  });
  return { kind: 'sqlite', read, write, close };
}

function openPostgres<Tables>(connectionString: string): Connected<Tables> {
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: () => openPool(connectionString) }) });
  return { kind: 'postgres', read: kysely, write: kysely, close: closeOnce(() => kysely.destroy()) };
}

/** The client is loaded for those only who have such a server. */
async function openPool(connectionString: string): Promise<pg.Pool> {
  const { Pool, types } = (await import('pg')).default;
  const pool = new Pool({
    connectionString,
    max: CONNECTIONS,
    connectionTimeoutMillis: 10_000,
    statement_timeout: LONGEST_QUESTION_MS,
    application_name: 'sipreel',
    // Our integers of eight octets are times and counts below 2^53.
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 && format !== 'binary' ? Number : types.getTypeParser(oid, format),
    },
  });
  // An idle connection that the server ends is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}

async function migrate<Tables>(database: Kysely<Tables>, migrations: Record<string, Migration>): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations },
    migrationTableName: 'sipreel_migrations',
    migrationLockTableName: 'sipreel_migrations_lock',
  });
  const { error, results } = await migrator.migrateToLatest();
  if (!error) return;
  const failed = results?.find((result) => result.status === 'Error');
  const message = error instanceof Error ? error.message : String(error);
  throw new Error(failed ? `migration ${failed.migrationName}: ${message}` : message, { cause: error });
}
