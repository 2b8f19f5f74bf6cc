// Changes of the index, each whole or not at all. Repeating one is harmless.
import type { Kysely, Transaction } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { Annotations } from '../../recording/library.ts';
import { type IndexedRecording, recordingOf, rowOf } from './row.ts';
import { type IndexTables, PLACES_PER_MS, type RecordingRow } from './schema.ts';
import { termsOf, textsOf } from './terms.ts';
import { forgetTexts, lockTexts, putTexts } from './texts.ts';

type Work = Transaction<IndexTables>;

/** What a change meant: `before` are the annotations known until then, null for a recording that was not known. */
export interface IndexChange {
  recording: IndexedRecording;
  before: Annotations | null;
}

export type AlongsidePut = (work: Work, changes: readonly IndexChange[]) => Promise<void>;

interface PutRow {
  place: number;
  before: Forgotten | null;
}

/** What was known of a recording, and is not any more. */
interface Forgotten {
  annotations: Annotations;
  textTerms: string[];
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
    if (recordings.length === 0) return;
    await this.#database.transaction().execute(async (work) => {
      const ids = recordings.map(({ document }) => document.id);
      const known = await work.selectFrom('recordings').select('place').where('id', 'in', ids).limit(1).execute();
      await lockTexts(work, this.#kind, known.length > 0 ? 'forget' : 'add');
      // Several may be one another's predecessors.
      const isNew = known.length === 0 && recordings.length === 1;
      const terms: { term: string; place: number }[] = [];
      const changes: IndexChange[] = [];
      const gone: string[] = [];
      for (const recording of recordings) {
        const row = rowOf(recording, this.#recorder);
        const startMs = Date.parse(recording.document.times.start);
        const { place, before } = isNew
          ? await this.#addRow(work, row, startMs)
          : await this.#putRow(work, row, startMs);
        changes.push({ recording, before: before?.annotations ?? null });
        if (before) gone.push(...before.textTerms);
        for (const term of termsOf(recording.document, recording.annotations)) terms.push({ term, place });
      }
      const texts = recordings.flatMap(({ document, annotations }) => textsOf(document, annotations));
      await putTexts(work, this.#kind, texts);
      await putTerms(work, terms);
      await forgetTexts(work, this.#kind, gone);
      await alongside?.(work, changes);
    });
  }

  /** False if it was not there. */
  async remove(recordingId: string, alongside?: (work: Work) => Promise<void>): Promise<boolean> {
    return this.#database.transaction().execute(async (work) => {
      const place = await placeOf(work, recordingId);
      if (place === null) return false;
      await lockTexts(work, this.#kind, 'forget');
      const { textTerms } = await this.#forget(work, place);
      await forgetTexts(work, this.#kind, textTerms);
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
      return { place: known, before };
    }
    return this.#addRow(work, row, startMs);
  }

  async #addRow(work: Work, row: Omit<RecordingRow, 'place'>, startMs: number): Promise<PutRow> {
    const first = firstPlace(row.id);
    for (let attempt = 0; attempt < PLACES_PER_MS; attempt++) {
      const place = startMs * PLACES_PER_MS + ((first + attempt) % PLACES_PER_MS);
      const { numInsertedOrUpdatedRows } = await work
        .insertInto('recordings')
        .values({ ...row, place })
        .onConflict((conflict) => conflict.column('place').doNothing())
        .executeTakeFirstOrThrow();
      if (!numInsertedOrUpdatedRows) continue;
      return { place, before: null };
    }
    throw new Error(`more than ${PLACES_PER_MS} recordings started at ${new Date(startMs).toISOString()}`);
  }

  /** Its terms. Their texts may be other recordings' too. */
  async #forget(work: Work, place: number): Promise<Forgotten> {
    const row = await work
      .selectFrom('recordings')
      .select(['document', 'annotations'])
      .where('place', '=', place)
      .executeTakeFirstOrThrow();
    // The terms lie in the order of their words: those of one recording are found by making them again.
    const { document, annotations } = recordingOf(row);
    const terms = termsOf(document, annotations);
    await work.deleteFrom('terms').where('place', '=', place).where('term', 'in', terms).execute();
    return { annotations, textTerms: textsOf(document, annotations).map((one) => one.term) };
  }
}

async function putTerms(work: Work, terms: readonly { term: string; place: number }[]): Promise<void> {
  for (let at = 0; at < terms.length; at += TERMS_AT_ONCE) {
    await work
      .insertInto('terms')
      .values(terms.slice(at, at + TERMS_AT_ONCE))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
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
