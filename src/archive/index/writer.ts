// Changes of the index, each whole or not at all. Repeating one is harmless.
import type { Kysely, Transaction } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { Annotations } from '../../recording/library.ts';
import { type IndexedRecording, recordingOf, rowOf } from './row.ts';
import { type IndexTables, PLACES_PER_MS, type RecordingRow } from './schema.ts';
import { termsOf } from './terms.ts';

type Work = Transaction<IndexTables>;

/** What a change meant: `before` are the annotations known until then, null for a recording that was not known. */
export interface IndexChange {
  recording: IndexedRecording;
  before: Annotations | null;
}

export type AlongsidePut = (work: Work, changes: readonly IndexChange[]) => Promise<void>;

interface PutRow {
  place: number;
  before: Annotations | null;
}

/** Rows of terms in one statement: both databases limit the number of parameters. */
const TERMS_AT_ONCE = 5_000;

export class IndexWriter {
  readonly #database: Kysely<IndexTables>;
  readonly #kind: DatabaseKind;
  readonly #recorder: string;

  /** `recorder` names the machine whose disk holds the recordings. */
  constructor(database: Kysely<IndexTables>, kind: DatabaseKind, recorder: string) {
    this.#database = database;
    this.#kind = kind;
    this.#recorder = recorder;
  }

  /** Adds recordings, or replaces what was known about them. `alongside` is done in the same transaction. */
  async put(recordings: readonly IndexedRecording[], alongside?: AlongsidePut): Promise<void> {
    await this.#database.transaction().execute(async (work) => {
      const terms: { term: string; place: number }[] = [];
      const changes: IndexChange[] = [];
      for (const recording of recordings) {
        const row = rowOf(recording, this.#recorder);
        const { place, before } = await this.#putRow(work, row, Date.parse(recording.document.times.start));
        changes.push({ recording, before });
        for (const term of termsOf(recording.document, recording.annotations)) terms.push({ term, place });
      }
      for (let at = 0; at < terms.length; at += TERMS_AT_ONCE) {
        await work
          .insertInto('terms')
          .values(terms.slice(at, at + TERMS_AT_ONCE))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      }
      await alongside?.(work, changes);
    });
  }

  /** False if it was not there. */
  async remove(recordingId: string, alongside?: (work: Work) => Promise<void>): Promise<boolean> {
    return this.#database.transaction().execute(async (work) => {
      const place = await placeOf(work, recordingId);
      if (place === null) return false;
      await this.#forget(work, place);
      await work.deleteFrom('recordings').where('place', '=', place).execute();
      await alongside?.(work);
      return true;
    });
  }

  async #putRow(work: Work, row: Omit<RecordingRow, 'place'>, startMs: number): Promise<PutRow> {
    const known = await placeOf(work, row.id);
    if (known !== null) {
      const before = await this.#forget(work, known);
      await work.updateTable('recordings').set(row).where('place', '=', known).execute();
      await this.#putText(work, known, row);
      return { place: known, before };
    }
    const first = firstPlace(row.id);
    for (let attempt = 0; attempt < PLACES_PER_MS; attempt++) {
      const place = startMs * PLACES_PER_MS + ((first + attempt) % PLACES_PER_MS);
      const { numInsertedOrUpdatedRows } = await work
        .insertInto('recordings')
        .values({ ...row, place })
        .onConflict((conflict) => conflict.column('place').doNothing())
        .executeTakeFirstOrThrow();
      if (!numInsertedOrUpdatedRows) continue;
      await this.#putText(work, place, row);
      return { place, before: null };
    }
    throw new Error(`more than ${PLACES_PER_MS} recordings started at ${new Date(startMs).toISOString()}`);
  }

  async #putText(work: Work, place: number, row: Pick<RecordingRow, 'parties' | 'words'>) {
    if (this.#kind !== 'sqlite') return;
    const { parties, words } = row;
    await work.insertInto('recording_text').values({ rowid: place, parties, words }).execute();
  }

  /** Returns the annotations that were known. */
  async #forget(work: Work, place: number): Promise<Annotations> {
    const row = await work
      .selectFrom('recordings')
      .select(['document', 'annotations'])
      .where('place', '=', place)
      .executeTakeFirstOrThrow();
    // The terms lie in the order of their words: those of one recording are found by making them again.
    const { document, annotations } = recordingOf(row);
    const terms = termsOf(document, annotations);
    await work.deleteFrom('terms').where('place', '=', place).where('term', 'in', terms).execute();
    if (this.#kind === 'sqlite') await work.deleteFrom('recording_text').where('rowid', '=', place).execute();
    return annotations;
  }
}

async function placeOf(work: Work, recordingId: string): Promise<number | null> {
  const row = await work.selectFrom('recordings').select('place').where('id', '=', recordingId).executeTakeFirst();
  return row?.place ?? null;
}

/** Within one millisecond, recordings stand in the order of their ids as far as there is room. */
function firstPlace(recordingId: string): number {
  const beginning = Number.parseInt(recordingId.replace(/[^0-9a-f]/gi, '').slice(0, 8) || '0', 16);
  return Math.floor((beginning / 2 ** 32) * PLACES_PER_MS);
}
