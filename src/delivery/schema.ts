// The outbox's tables. They share the index's database, so that a recording and the news of it are one transaction.
import { type Kysely, type Migration, sql } from 'kysely';
import type { DatabaseKind, Migrations } from '../database/database.ts';

export interface EventRow {
  /** Order of all events; given by the database. */
  seq: number;
  event_id: string;
  event_key: string | null;
  type: string;
  recording_id: string;
  recorder: string;
  at_ms: number;
  /** JSON. */
  data: string;
}

/** One event for one target. Done tasks are removed. */
export interface TaskRow {
  target: string;
  seq: number;
  recording_id: string;
  recorder: string;
  state: 'waiting' | 'dead';
  attempts: number;
  /** Wall clock, Unix ms: not before. */
  due_ms: number;
  failure: string | null;
}

export interface OutboxTables {
  delivery_events: EventRow;
  delivery_tasks: TaskRow;
}

export const outboxMigrations: Migrations = (kind) => ({ '010_outbox': createOutbox(kind) });

function createOutbox(kind: DatabaseKind): Migration {
  return {
    async up(database: Kysely<unknown>) {
      const sequence = kind === 'sqlite' ? sql`integer` : sql`bigint generated always as identity`;
      await database.schema
        .createTable('delivery_events')
        .addColumn('seq', sequence, (column) =>
          kind === 'sqlite' ? column.primaryKey().autoIncrement() : column.primaryKey(),
        )
        .addColumn('event_id', 'text', (column) => column.notNull().unique())
        .addColumn('event_key', 'text', (column) => column.unique())
        .addColumn('type', 'text', (column) => column.notNull())
        .addColumn('recording_id', 'text', (column) => column.notNull())
        .addColumn('recorder', 'text', (column) => column.notNull())
        .addColumn('at_ms', 'bigint', (column) => column.notNull())
        .addColumn('data', 'text', (column) => column.notNull())
        .execute();
      await database.schema
        .createTable('delivery_tasks')
        .addColumn('target', 'text', (column) => column.notNull())
        .addColumn('seq', 'bigint', (column) => column.notNull())
        .addColumn('recording_id', 'text', (column) => column.notNull())
        .addColumn('recorder', 'text', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('attempts', 'integer', (column) => column.notNull())
        .addColumn('due_ms', 'bigint', (column) => column.notNull())
        .addColumn('failure', 'text')
        .addPrimaryKeyConstraint('delivery_tasks_key', ['target', 'seq'])
        .execute();
      await database.schema
        .createIndex('delivery_tasks_recording')
        .on('delivery_tasks')
        .columns(['target', 'recording_id', 'seq'])
        .execute();
    },
  };
}
