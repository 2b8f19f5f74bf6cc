// Keeps the index and the recordings' files together. The files are the truth: whatever fails here is put right from them,
// at once, after a while or at the next start.
import { join, relative, sep } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import { readAnnotations } from '../annotations.ts';
import { type ListedRecording, listRecordings, readRecording } from '../list.ts';
import { recordingDay } from '../names.ts';
import { SerialWork } from '../serial-work.ts';
import { PendingMarks } from './pending.ts';
import type { IndexTransaction, RecordingIndex } from './recording-index.ts';
import type { IndexedRecording } from './row.ts';
import type { IndexChange } from './writer.ts';

export interface IndexKeeperOptions {
  index: RecordingIndex;
  dataDirectory: string;
  /** <data>/recordings */
  root: string;
  /** When the rules let a recording go, Unix ms; null: never. */
  keepUntilMs: (document: RecordingDocument) => number | null;
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

export class IndexKeeper {
  readonly #options: IndexKeeperOptions;
  readonly #marks: PendingMarks;
  readonly #work = new SerialWork();
  readonly #timers: Timers<'repair'>;
  #companion: IndexCompanion = ALONE;
  #repairing: Promise<void> = Promise.resolve();
  #closed = false;

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
  changing<T>(document: RecordingDocument, change: () => Promise<T>): Promise<T> {
    const recordingId = document.id;
    return this.#work.run(recordingId, async () => {
      const mark = { recordingId, day: recordingDay(document) };
      await this.#marks.set(mark);
      // A change that fails may have been done in part.
      return change().finally(() => this.#refresh(mark).catch((error) => this.#later(error)));
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
        .map((found) => this.#indexed(found).catch((err) => unreadable(found.directory, err)));
      const recordings = (await Promise.all(read)).filter((recording) => recording !== undefined);
      await index.put(recordings);
      count += recordings.length;
      batch = [];
    };
    const unreadable = (directory: string, err: unknown) =>
      log.warn({ directory, err }, 'recording cannot be read, and not be indexed');
    for await (const found of listRecordings(dataDirectory, unreadable)) {
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
    } catch (error) {
      this.#later(error);
    }
  }

  async #repair(): Promise<void> {
    for (const mark of await this.#marks.all()) {
      if (this.#closed) return;
      await this.#work.run(mark.recordingId, () => this.#refresh(mark));
    }
  }

  /** The index learns what the files say, and the mark goes. */
  async #refresh(mark: { recordingId: string; day: string }): Promise<void> {
    const { index } = this.#options;
    const found = await this.#findIn(mark.day, mark.recordingId);
    if (found) {
      const recording = await this.#indexed(found);
      await index.put([recording], async (work, changes) => {
        for (const change of changes) await this.#companion.put(work, change);
      });
    } else await index.remove(mark.recordingId, (work) => this.#companion.removed(work, mark.recordingId));
    await this.#marks.clear(mark.recordingId);
  }

  async #findIn(day: string, recordingId: string): Promise<ListedRecording | null> {
    const only = day.replaceAll('/', '-');
    const known = await this.#options.index.get(recordingId);
    const range = { firstDay: only, lastDay: only };
    if (known) {
      const directory = join(this.#options.root, known.directory);
      const document = await readRecording(directory).catch(() => null);
      if (document?.id === recordingId) return { directory, document };
    }
    for await (const found of listRecordings(this.#options.dataDirectory, () => {}, range)) {
      if (found.document.id === recordingId) return found;
    }
    return null;
  }

  async #indexed({ directory, document }: ListedRecording): Promise<IndexedRecording> {
    return {
      document,
      annotations: await readAnnotations(directory),
      directory: relative(this.#options.root, directory).split(sep).join('/'),
      keepUntilMs: this.#options.keepUntilMs(document),
    };
  }

  #later(error: unknown): void {
    this.#options.log.error({ err: error }, 'the index could not be brought up to date: will be tried again');
    if (this.#closed) return;
    this.#timers.set('repair', RETRY_MS, () => {
      this.#repairing = this.#catchUp();
    });
  }
}
