// Brings filed recordings into a store, in the background, and lets the local files go when their copies are verified and old enough:
//
//   marked ──filed──▶ queued ──every file verified──▶ copied ──keepLocalHours over──▶ local files removed ──▶ mark gone
//                       ▲  │ failed: again after a growing delay
//                       └──┘
//
// The mark in <data>/store-pending/ is set before a recording is filed, so that a crash anywhere leaves something to go on from. A store
// that does not answer holds up nothing but this queue.
import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isRecorderError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import { type QueueFigures, WaitingTimes } from '../../lib/waiting-times.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import type { ArchiveEngine } from '../../recording/engines.ts';
import type { LibraryRecording } from '../../recording/library.ts';
import { ENCRYPTED } from '../encryption/encryption.ts';
import { PendingMarks } from '../index/pending.ts';
import { recordingDay } from '../names.ts';
import { SerialWork } from '../serial-work.ts';
import type { StoreCopies } from './copies.ts';

export interface MirrorOptions {
  dataDirectory: string;
  /** Before each key. */
  prefix: string;
  /** Null: local files stay. */
  keepLocalMs: number | null;
  copies: StoreCopies;
  find: (recordingId: string) => Promise<LibraryRecording | null>;
  clock: Clock;
  log: Log;
}

const AT_ONCE = 2;
const FIRST_RETRY_MS = 10_000;
const LONGEST_RETRY_MS = 1_800_000;

export class StoreMirror {
  readonly #options: MirrorOptions;
  readonly #marks: PendingMarks;
  readonly #queue: string[] = [];
  readonly #attempts = new Map<string, number>();
  readonly #uncopied = new WaitingTimes();
  readonly #timers: Timers;
  readonly #working = new Set<Promise<void>>();
  readonly #recordings = new SerialWork();
  #closed = false;

  constructor(options: MirrorOptions) {
    this.#options = options;
    this.#marks = new PendingMarks(options.dataDirectory, 'store-pending');
    this.#timers = new Timers(options.clock);
  }

  /** Takes up what was left. */
  async start(): Promise<void> {
    await this.#marks.prepare();
    for (const { recordingId } of await this.#marks.all()) this.#enqueue(recordingId);
  }

  /** The same archive, and what it files is copied into the store. */
  mirrored(archive: ArchiveEngine): ArchiveEngine {
    return {
      ...archive,
      file: async (state, document) => {
        await this.#marks.set({ recordingId: document.id, day: recordingDay(document) });
        const filed = await archive.file(state, document);
        this.#enqueue(document.id);
        return filed;
      },
    };
  }

  /** Copies a recording that was filed before, or got another file. Rejects with STORE_FAILED; it stays marked then. */
  async take(document: RecordingDocument): Promise<void> {
    await this.#marks.set({ recordingId: document.id, day: recordingDay(document) });
    await this.#bring(document.id);
  }

  /** What is not in the store yet, since it was filed or since the start. */
  figures(): QueueFigures {
    return this.#uncopied.figures(this.#options.clock.nowMs());
  }

  /** Resolves when nothing is left to do but to wait. */
  async idle(): Promise<void> {
    while (this.#working.size > 0) await Promise.all(this.#working);
  }

  /** What is not done stays marked for the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.clearAll();
    this.#queue.length = 0;
    await this.#options.copies.close();
    await this.idle();
  }

  #enqueue(recordingId: string): void {
    if (this.#closed) return;
    this.#uncopied.begin(recordingId, this.#options.clock.nowMs());
    this.#queue.push(recordingId);
    this.#next();
  }

  #next(): void {
    while (this.#working.size < AT_ONCE) {
      const recordingId = this.#queue.shift();
      if (recordingId === undefined) return;
      const work = this.#work(recordingId).finally(() => {
        this.#working.delete(work);
        this.#next();
      });
      this.#working.add(work);
    }
  }

  async #work(recordingId: string): Promise<void> {
    try {
      await this.#bring(recordingId);
    } catch (error) {
      if (this.#closed) return;
      const { log } = this.#options;
      const attempts = (this.#attempts.get(recordingId) ?? 0) + 1;
      this.#attempts.set(recordingId, attempts);
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), LONGEST_RETRY_MS);
      const err = isRecorderError(error) ? error.message : error;
      log.warn({ recordingId, err, delayMs }, 'a recording is not in the store yet: will be tried again');
      this.#later(recordingId, delayMs);
    }
  }

  /** As far as it goes by now. */
  #bring(recordingId: string): Promise<void> {
    const { clock, keepLocalMs } = this.#options;
    return this.#recordings.run(recordingId, async () => {
      const verifiedMs = await this.#copy(recordingId);
      this.#uncopied.end(recordingId);
      this.#attempts.delete(recordingId);
      if (verifiedMs === null || keepLocalMs === null) return this.#marks.clear(recordingId);
      const waitMs = verifiedMs + keepLocalMs - clock.wallMs();
      if (waitMs > 0) return this.#later(recordingId, waitMs);
      await this.#removeLocal(recordingId);
      await this.#marks.clear(recordingId);
    });
  }

  #later(recordingId: string, delayMs: number): void {
    if (this.#closed) return;
    // Longer than any timer counts: it looks again then.
    this.#timers.set(recordingId, Math.min(delayMs, 2 ** 31 - 1), () => this.#enqueue(recordingId));
  }

  /** When the last of its files was verified, Unix ms; null if there is no such recording any more. */
  async #copy(recordingId: string): Promise<number | null> {
    const { copies, prefix } = this.#options;
    const recording = await this.#options.find(recordingId);
    if (!recording?.directory) return null;
    const { directory, document } = recording;
    let verifiedMs = 0;
    for (const { name } of document.files) {
      for (const stored of [name, `${name}${ENCRYPTED}`]) {
        const path = join(directory, stored);
        if (!(await exists(path))) continue;
        const key = `${prefix}${recordingDay(document)}/${document.id}/${stored}`;
        const copy = await copies.upload(recordingId, directory, stored, path, key);
        verifiedMs = Math.max(verifiedMs, copy.verifiedMs);
        // It was encrypted after it had been copied as it was.
        if (stored !== name) await copies.remove(directory, name);
      }
    }
    return verifiedMs;
  }

  async #removeLocal(recordingId: string): Promise<void> {
    const { copies, find, log } = this.#options;
    const recording = await find(recordingId);
    if (!recording?.directory) return;
    for (const { name } of recording.document.files) {
      for (const stored of [name, `${name}${ENCRYPTED}`]) {
        const path = join(recording.directory, stored);
        const copy = await copies.open(recording.directory, stored);
        if (copy && (await exists(path))) await unlink(path);
      }
    }
    log.info({ recordingId }, 'a recording is in the store alone now');
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false;
      throw error;
    },
  );
}
