// Keeps the index and the recordings' files together. The files are the truth: whatever fails here is put right from them,
// at once, after a while or at the next start.
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isRecorderError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import type { HitDocument } from '../../recording/library.ts';
import { readAnnotations, unreadable } from '../annotations.ts';
import { type ListedRecording, listRecordings, readRecording } from '../list.ts';
import { recordingDay } from '../names.ts';
import { SerialWork } from '../serial-work.ts';
import { PendingMarks, type PendingRecording } from './pending.ts';
import type { IndexTransaction, RecordingIndex } from './recording-index.ts';
import type { IndexedRecording } from './row.ts';
import type { IndexChange } from './writer.ts';

export interface IndexKeeperOptions {
  index: RecordingIndex;
  dataDirectory: string;
  /** <data>/recordings */
  root: string;
  /** When the rules let a recording go, Unix ms; null: never. */
  keepUntilMs: (document: HitDocument) => number | null;
  clock: Clock;
  log: Log;
}

/** Joins the transactions in which recordings become known, change or go. */
export interface IndexCompanion {
  put(work: IndexTransaction, change: IndexChange): Promise<void>;
  removed(work: IndexTransaction, recordingId: string): Promise<void>;
}

const ALONE: IndexCompanion = { put: async () => {}, removed: async () => {} };

const RETRY_MS = 30_000;
const ROWS_AT_ONCE = 50;
const FAILURES_IN_A_ROW = 3;

export class IndexKeeper {
  readonly #options: IndexKeeperOptions;
  readonly #marks: PendingMarks;
  readonly #work = new SerialWork();
  readonly #timers: Timers<'repair'>;
  #companion: IndexCompanion = ALONE;
  #repairing: Promise<void> = Promise.resolve();
  #closed = false;
  /** The database could not be reached: until it has been, changes are only marked. */
  #away = false;

  constructor(options: IndexKeeperOptions) {
    this.#options = options;
    this.#marks = new PendingMarks(options.dataDirectory);
    this.#timers = new Timers(options.clock);
  }

  /** Makes good what a crash left undone; fills an empty index from the files, in the background. */
  async prepare(companion: IndexCompanion = ALONE): Promise<void> {
    this.#companion = companion;
    await this.#marks.prepare();
    this.#repairing = this.#catchUp();
  }

  /** Resolves when nothing is being put right. */
  idle(): Promise<void> {
    return this.#repairing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.clearAll();
    await this.#repairing;
  }

  /** Changes a recording's files by `change`, and then the index by what the files say. Changes of one recording wait for each other. */
  changing<T>(document: HitDocument, change: () => Promise<T>): Promise<T> {
    return this.#marked(document, change, () => null);
  }

  /** The same for a recording that is new, and comes to lie where `file` says. */
  filing<T extends ListedRecording>(document: HitDocument, file: () => Promise<T>): Promise<T> {
    return this.#marked(document, file, (filed) => filed);
  }

  #marked<T>(
    document: HitDocument,
    change: () => Promise<T>,
    placeOf: (changed: T) => ListedRecording | null,
  ): Promise<T> {
    const recordingId = document.id;
    return this.#work.run(recordingId, async () => {
      const mark = { recordingId, day: recordingDay(document) };
      await this.#marks.set(mark);
      let place: ListedRecording | null = null;
      try {
        const changed = await change();
        place = placeOf(changed);
        return changed;
      } finally {
        // A change that failed may have been done in part. While the database is away nobody waits for it: the mark stays.
        if (!this.#away) await this.#refresh(mark, place).catch((error) => this.#later(error));
      }
    });
  }

  /**
   * Puts every recording in, whatever the index says so far; may run beside the recorder. Those that are just being filed or
   * changed are left to whoever does that, since others are to be told of it in the same transaction. Returns how many there are.
   */
  async rebuild(): Promise<number> {
    const { dataDirectory, index, log } = this.#options;
    let count = 0;
    let batch: ListedRecording[] = [];
    const flush = async () => {
      // Read last, so that hardly any time is left for a change in between.
      const marked = new Set((await this.#marks.all()).map(({ recordingId }) => recordingId));
      const read = batch
        .filter(({ document }) => !marked.has(document.id))
        .map((found) => this.#indexed(found).catch((err) => skipped(found.directory, err)));
      const recordings = (await Promise.all(read)).filter((recording) => recording !== undefined);
      await index.put(recordings);
      count += recordings.length;
      batch = [];
    };
    const skipped = (directory: string, err: unknown) =>
      log.warn({ directory, err }, 'recording cannot be read, and not be indexed');
    for await (const found of listRecordings(dataDirectory, skipped)) {
      if (this.#closed) return count;
      batch.push(found);
      if (batch.length >= ROWS_AT_ONCE) await flush();
    }
    await flush();
    if (count > 0) log.info({ recordings: count }, 'recordings indexed');
    return count;
  }

  /** Takes out what this recorder put in and whose directory is gone. Returns how many. */
  async forgetMissing(recorder: string): Promise<number> {
    const { index, root } = this.#options;
    let forgotten = 0;
    let after = Number.MIN_SAFE_INTEGER;
    for (;;) {
      const page = await index.pageOf(recorder, after, ROWS_AT_ONCE);
      for (const { id, directory } of page) {
        const document = await readRecording(join(root, directory)).catch(() => null);
        if (document?.id !== id && (await index.remove(id))) forgotten++;
      }
      if (page.length < ROWS_AT_ONCE) return forgotten;
      after = page.at(-1)?.place ?? after;
    }
  }

  async #catchUp(): Promise<void> {
    try {
      if (await this.#options.index.isEmpty()) await this.rebuild();
      await this.#repair();
      this.#away = false;
      // What was marked meanwhile.
      await this.#repair();
    } catch (error) {
      this.#later(error);
    }
  }

  /** One recording that cannot be put right does not keep the others waiting. Rejects when several in a row cannot. */
  async #repair(): Promise<void> {
    let failures = 0;
    for (const mark of await this.#marks.all()) {
      if (this.#closed) return;
      try {
        await this.#work.run(mark.recordingId, () => this.#refresh(mark, null));
        failures = 0;
      } catch (error) {
        failures++;
        if (failures === FAILURES_IN_A_ROW) throw error;
        this.#later(error);
      }
    }
  }

  /** The index learns what the files say, and the mark goes. `place`: where they are, if that is known. */
  async #refresh(mark: PendingRecording, place: ListedRecording | null): Promise<void> {
    const { index } = this.#options;
    const found = place ?? (await this.#find(mark));
    if (found) {
      const recording = await this.#indexed(found);
      await index.put([recording], async (work, changes) => {
        for (const change of changes) await this.#companion.put(work, change);
      });
    } else await index.remove(mark.recordingId, (work) => this.#companion.removed(work, mark.recordingId));
    await this.#marks.clear(mark.recordingId);
  }

  /** Where the index has it; one that is not there any more is gone. */
  async #find(mark: PendingRecording): Promise<ListedRecording | null> {
    const known = await this.#options.index.locate(mark.recordingId);
    if (!known) return this.#search(mark);
    const directory = join(this.#options.root, known.directory);
    const document = await readRecording(directory).catch(() => null);
    return document?.id === mark.recordingId ? { directory, document } : null;
  }

  /** Reads the recordings of its day until it comes: for what was filed by a process that died before it told the index. */
  async #search({ day, recordingId }: PendingRecording): Promise<ListedRecording | null> {
    const dayDirectory = join(this.#options.root, day);
    for (const name of await readdir(dayDirectory).catch(() => [])) {
      const directory = join(dayDirectory, name);
      const document = await readRecording(directory).catch(() => null);
      if (document?.id === recordingId) return { directory, document };
    }
    return null;
  }

  async #indexed({ directory, document }: ListedRecording): Promise<IndexedRecording> {
    return {
      document,
      annotations: await readAnnotations(directory).catch((error) => unreadable(error, this.#options.clock.wallMs())),
      directory: relative(this.#options.root, directory).split(sep).join('/'),
      keepUntilMs: this.#options.keepUntilMs(document),
    };
  }

  #later(error: unknown): void {
    this.#options.log.error({ err: error }, 'the index could not be brought up to date: will be tried again');
    if (isRecorderError(error, 'DATABASE_FAILED')) this.#away = true;
    if (this.#closed || this.#timers.has('repair')) return;
    this.#timers.set('repair', RETRY_MS, () => {
      this.#repairing = this.#catchUp();
    });
  }
}
