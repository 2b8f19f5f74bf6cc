// The index of finished recordings: what is put in is found again, on SQLite and PostgreSQL alike.
import type { Transaction } from 'kysely';
import { type Database, type DatabaseAddress, openDatabase } from '../../database/database.ts';
import type { LibraryStatistics, RecordingQuery } from '../../recording/library.ts';
import { type IndexedRecording, recordingOf } from './row.ts';
import { type IndexTables, indexMigrations } from './schema.ts';
import { type FoundRecording, type FoundRecordings, findRecordings } from './search.ts';
import { sumUp } from './statistics.ts';
import { IndexWriter } from './writer.ts';

export type IndexTransaction = Transaction<IndexTables>;

export class RecordingIndex {
  readonly #database: Database<IndexTables>;
  readonly #writer: IndexWriter;

  /** `recorder` names the machine whose disk holds what is put in. */
  constructor(database: Database<IndexTables>, recorder: string) {
    this.#database = database;
    this.#writer = new IndexWriter(database.write, database.kind, recorder);
  }

  /** Adds recordings, or replaces what was known about them; all or none. `alongside` joins the transaction. */
  put(recordings: readonly IndexedRecording[], alongside?: (work: IndexTransaction) => Promise<void>): Promise<void> {
    return this.#writer.put(recordings, alongside);
  }

  /** False if it was not there. */
  remove(recordingId: string, alongside?: (work: IndexTransaction) => Promise<void>): Promise<boolean> {
    return this.#writer.remove(recordingId, alongside);
  }

  /** Newest first, from below the place `before` on. */
  find(query: RecordingQuery, page: { limit: number; before: number | null }): Promise<FoundRecordings> {
    return findRecordings(this.#database.read, this.#database.kind, query, page);
  }

  async get(recordingId: string): Promise<FoundRecording | null> {
    const row = await this.#database.read
      .selectFrom('recordings')
      .select(['place', 'directory', 'recorder', 'document', 'annotations'])
      .where('id', '=', recordingId.replaceAll('\0', ''))
      .executeTakeFirst();
    if (!row) return null;
    const { place, directory, recorder, ...content } = row;
    const found = { place, directory, recorder, ...recordingOf(content) };
    return found.document.id === recordingId ? found : null;
  }

  statistics(query: RecordingQuery): Promise<LibraryStatistics> {
    return sumUp(this.#database.read, this.#database.kind, query);
  }

  /** Recordings that the rules let go by now, the longest overdue first. */
  async overdue(nowMs: number, limit: number): Promise<string[]> {
    const rows = await this.#database.read
      .selectFrom('recordings')
      .select('id')
      .where('keep_until_ms', '<=', nowMs)
      .where('held', '=', 0)
      .orderBy('keep_until_ms')
      .limit(limit)
      .execute();
    return rows.map((row) => row.id);
  }

  async isEmpty(): Promise<boolean> {
    return (
      (await this.#database.read.selectFrom('recordings').select('place').limit(1).executeTakeFirst()) === undefined
    );
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** Rejects with DATABASE_FAILED. */
export async function openRecordingIndex(address: DatabaseAddress, recorder: string): Promise<RecordingIndex> {
  return new RecordingIndex(await openDatabase<IndexTables>(address, indexMigrations), recorder);
}
