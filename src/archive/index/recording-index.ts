// The index of finished recordings: what is put in is found again, on SQLite and PostgreSQL alike.
import type { Transaction } from 'kysely';
import { type Database, databaseError } from '../../database/database.ts';
import type { HitDocument, LibraryStatistics, RecordingQuery } from '../../recording/library.ts';
import { type IndexedRecording, type KnownRecording, knownOf, recordingOf } from './row.ts';
import type { IndexTables } from './schema.ts';
import { type FoundRecordings, findRecordings } from './search.ts';
import { sumUp } from './statistics.ts';
import { type AlongsidePut, IndexWriter } from './writer.ts';

/** Rows read or changed in one step. */
const ROWS_AT_ONCE = 100;

export type IndexTransaction = Transaction<IndexTables>;

/** Whatever fails for the database's sake is told as DATABASE_FAILED. */
export class RecordingIndex {
  readonly #database: Database<IndexTables>;
  readonly #writer: IndexWriter;

  /** `recorder` names the machine whose disk holds what is put in. */
  constructor(database: Database<IndexTables>, recorder: string) {
    this.#database = database;
    this.#writer = new IndexWriter(database.write, database.kind, recorder);
  }

  /** Adds recordings, or replaces what was known about them; all or none. `alongside` joins the transaction. */
  put(recordings: readonly IndexedRecording[], alongside?: AlongsidePut): Promise<void> {
    return this.#ask(() => this.#writer.put(recordings, alongside));
  }

  /** False if it was not there. */
  remove(recordingId: string, alongside?: (work: IndexTransaction) => Promise<void>): Promise<boolean> {
    return this.#ask(() => this.#writer.remove(recordingId, alongside));
  }

  /** Newest first, from below the place `before` on. */
  find(query: RecordingQuery, page: { limit: number; before: number | null }): Promise<FoundRecordings> {
    return this.#ask(({ read, kind }) => findRecordings(read, kind, query, page));
  }

  /** Everything that the index knows of it. */
  async get(recordingId: string): Promise<KnownRecording | null> {
    // PostgreSQL takes no NUL; no id has one.
    if (recordingId.includes('\0')) return null;
    const row = await this.#ask(({ read }) =>
      read
        .selectFrom('recordings')
        .select(['directory', 'recorder', 'document', 'details', 'annotations'])
        .where('id', '=', recordingId)
        .executeTakeFirst(),
    );
    return row ? knownOf(row) : null;
  }

  /** Where it is. */
  async locate(recordingId: string): Promise<{ directory: string; recorder: string } | null> {
    if (recordingId.includes('\0')) return null;
    const row = await this.#ask(({ read }) =>
      read.selectFrom('recordings').select(['directory', 'recorder']).where('id', '=', recordingId).executeTakeFirst(),
    );
    return row ?? null;
  }

  /** Ids that begin with hexadecimal digits and hyphens, so many at the most. Reads all ids. */
  async idsStartingWith(prefix: string, limit: number): Promise<string[]> {
    if (!/^[0-9a-f-]+$/.test(prefix)) return [];
    const rows = await this.#ask(({ read }) =>
      read.selectFrom('recordings').select('id').where('id', 'like', `${prefix}%`).limit(limit).execute(),
    );
    return rows.map((row) => row.id);
  }

  statistics(query: RecordingQuery): Promise<LibraryStatistics> {
    return this.#ask(({ read, kind }) => sumUp(read, kind, query));
  }

  /** Recordings of this recorder that the rules let go by now, the longest overdue first. */
  async overdue(recorder: string, nowMs: number, limit: number): Promise<string[]> {
    const rows = await this.#ask(({ read }) =>
      read
        .selectFrom('recordings')
        .select('id')
        .where('keep_until_ms', '<=', nowMs)
        .where('held', '=', 0)
        .where('recorder', '=', recorder)
        .orderBy('keep_until_ms')
        .limit(limit)
        .execute(),
    );
    return rows.map((row) => row.id);
  }

  /** Reckons anew when each recording of this recorder is due. Nothing else of a row changes. */
  async reckonDue(recorder: string, keepUntilMs: (document: HitDocument) => number | null): Promise<void> {
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const rows = await this.#ask(({ read }) =>
        read
          .selectFrom('recordings')
          .select(['place', 'document', 'annotations', 'keep_until_ms'])
          .where('recorder', '=', recorder)
          .where('place', '>', after)
          .orderBy('place')
          .limit(ROWS_AT_ONCE)
          .execute(),
      );
      const due = rows.map((row) => ({ ...row, dueMs: keepUntilMs(recordingOf(row).document) }));
      const changed = due.filter(({ keep_until_ms, dueMs }) => keep_until_ms !== dueMs);
      await this.#ask(({ write }) =>
        write.transaction().execute(async (work) => {
          for (const { place, dueMs } of changed)
            await work.updateTable('recordings').set({ keep_until_ms: dueMs }).where('place', '=', place).execute();
        }),
      );
      if (rows.length < ROWS_AT_ONCE) return;
      after = rows.at(-1)!.place;
    }
  }

  /** Ids and directories of what this recorder has put in, a page at a time in the order of places. */
  pageOf(recorder: string, after: number, limit: number): Promise<{ place: number; id: string; directory: string }[]> {
    return this.#ask(({ read }) =>
      read
        .selectFrom('recordings')
        .select(['place', 'id', 'directory'])
        .where('recorder', '=', recorder)
        .where('place', '>', after)
        .orderBy('place')
        .limit(limit)
        .execute(),
    );
  }

  /** Asked at every start, where what writes is there already; what reads (SQLite: a thread) comes with the first question. */
  async isEmpty(): Promise<boolean> {
    const row = await this.#ask(({ write }) =>
      write.selectFrom('recordings').select('place').limit(1).executeTakeFirst(),
    );
    return row === undefined;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #ask<T>(question: (database: Database<IndexTables>) => Promise<T>): Promise<T> {
    try {
      await this.#database.ready();
      return await question(this.#database);
    } catch (error) {
      throw databaseError(error);
    }
  }
}
