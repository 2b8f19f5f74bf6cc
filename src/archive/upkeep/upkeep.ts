// Brings finished recordings to what the settings ask for: encrypted, with copies in other formats, in the store. One after the other,
// behind everything else, and not while the recorder is short of anything.
//
//   filed ──marked──▶ queued ──encrypted, copies made, handed to the store──▶ mark gone
//                       ▲  │ failed: again after a growing delay; an encoder that failed three times is not asked again
//                       └──┘
//   upkeep.json (older ones, on order) ──page by page, newest first, when nothing is queued──▶ the same for each ──▶ file removed
//
// The mark in <archive>/formats-pending/ is set before a recording is filed, so that a crash anywhere leaves something to go on from.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { isRecorderError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import { type QueueFigures, WaitingTimes } from '../../lib/waiting-times.ts';
import { audioName, type CopyFormat } from '../../recording/audio-format.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import type { ArchiveEngine } from '../../recording/engines.ts';
import { findFile, type RecordingLibrary } from '../../recording/library.ts';
import type { Encoder } from '../formats/encoder.ts';
import { PendingMarks } from '../index/pending.ts';
import { recordingDay } from '../names.ts';
import { OrderFile, type UpkeepOrder } from './order-file.ts';

export interface UpkeepOptions {
  /** Of the archive. */
  dataDirectory: string;
  library: Pick<RecordingLibrary, 'get' | 'openFile' | 'search'> & {
    addCopy(recordingId: string, format: CopyFormat, path: string): Promise<void>;
    /** Does nothing without a master key. */
    encrypt(recordingId: string): Promise<void>;
  };
  /** Wanted beside the WAV. */
  formats: readonly CopyFormat[];
  /** Null: there is none, and WAVs stay alone. */
  encoder: Pick<Encoder, 'can' | 'toFile'> | null;
  /** Null: there is no store. Rejects with STORE_FAILED. */
  store: { take(document: RecordingDocument): Promise<void> } | null;
  /** Whether the recorder has better things to do. */
  isBusy: () => boolean;
  clock: Clock;
  log: Log;
}

const FIRST_RETRY_MS = 60_000;
const LONGEST_RETRY_MS = 3_600_000;
const MOST_ENCODER_FAILURES = 3;
/** For an order, and for a recorder that was busy. */
const LOOK_EVERY_MS = 10_000;
const PAGE = 20;

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #marks: PendingMarks;
  readonly #orders: OrderFile;
  readonly #scratch: string;
  readonly #queue: string[] = [];
  readonly #attempts = new Map<string, number>();
  readonly #waiting = new WaitingTimes();
  readonly #timers: Timers;
  readonly #closing = new AbortController();
  #working: Promise<void> | null = null;

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#marks = new PendingMarks(options.dataDirectory, 'formats-pending');
    this.#orders = new OrderFile(options.dataDirectory);
    this.#scratch = join(options.dataDirectory, 'encoding');
    this.#timers = new Timers(options.clock);
  }

  /** Before anything is filed. */
  async prepare(): Promise<void> {
    await rm(this.#scratch, { recursive: true, force: true });
    await mkdir(this.#scratch, { recursive: true, mode: 0o750 });
    await this.#marks.prepare();
  }

  /** Takes up what was left. */
  async start(): Promise<void> {
    for (const { recordingId } of await this.#marks.all()) this.#enqueue(recordingId);
    this.#wake();
  }

  /** The same archive, and what it files gets its copies. */
  attended(archive: ArchiveEngine): ArchiveEngine {
    if (this.#options.formats.length === 0 || this.#options.encoder === null) return archive;
    return {
      ...archive,
      file: async (state, document) => {
        if (document.audio) await this.#marks.set({ recordingId: document.id, day: recordingDay(document) });
        const filed = await archive.file(state, document);
        if (document.audio) this.#enqueue(document.id);
        return filed;
      },
    };
  }

  /** New recordings that have no copies in other formats yet, since they were filed or since the start. */
  figures(): QueueFigures {
    return this.#waiting.figures(this.#options.clock.nowMs());
  }

  /** Resolves when nothing is left to do but to wait. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  /** What is not done stays marked for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#timers.clearAll();
    this.#queue.length = 0;
    await this.idle();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  #enqueue(recordingId: string): void {
    if (this.#closed) return;
    this.#waiting.begin(recordingId, this.#options.clock.nowMs());
    this.#queue.push(recordingId);
    this.#wake();
  }

  #wake(): void {
    if (this.#closed || this.#working) return;
    this.#working = this.#work()
      .then(() => LOOK_EVERY_MS)
      .catch((err) => {
        this.#options.log.error({ err }, 'older recordings could not be looked after: will be tried again');
        return FIRST_RETRY_MS;
      })
      .then((delayMs) => {
        this.#working = null;
        if (this.#closed) return;
        // What came while the last look was on its way.
        if (this.#queue.length > 0 && !this.#options.isBusy()) this.#wake();
        else this.#timers.set('look', delayMs, () => this.#wake());
      });
  }

  async #work(): Promise<void> {
    while (!this.#closed && !this.#options.isBusy()) {
      const recordingId = this.#queue.shift();
      if (recordingId !== undefined) await this.#attend(recordingId);
      else if (!(await this.#workOnOrder())) return;
    }
  }

  async #attend(recordingId: string): Promise<void> {
    try {
      await this.#bring(recordingId);
    } catch (error) {
      if (this.#closed || this.#later(recordingId, error)) return;
    }
    this.#attempts.delete(recordingId);
    this.#waiting.end(recordingId);
    await this.#marks.clear(recordingId);
  }

  /** False if it is not tried again. */
  #later(recordingId: string, error: unknown): boolean {
    const { log } = this.#options;
    const err = isRecorderError(error) ? error.message : error;
    const attempts = (this.#attempts.get(recordingId) ?? 0) + 1;
    if (isRecorderError(error, 'ENCODING_FAILED') && attempts >= MOST_ENCODER_FAILURES) {
      log.error({ recordingId, err }, 'a recording stays without a copy in another format; sipreel upkeep tries again');
      return false;
    }
    this.#attempts.set(recordingId, attempts);
    const delayMs = Math.min(FIRST_RETRY_MS * 4 ** (attempts - 1), LONGEST_RETRY_MS);
    log.warn({ recordingId, err, delayMs }, 'a recording is not as the settings want it yet: will be tried again');
    this.#timers.set(recordingId, delayMs, () => this.#enqueue(recordingId));
    return true;
  }

  /** A page of it. False if there is nothing to do. */
  async #workOnOrder(): Promise<boolean> {
    const order = await this.#orders.read();
    if (!order) return false;
    const { library, log } = this.#options;
    const query = {
      ...(order.fromMs !== null && { fromMs: order.fromMs }),
      ...(order.toMs !== null && { toMs: order.toMs }),
    };
    const { items, next } = await library.search(query, { limit: PAGE, after: order.after });
    const progress: UpkeepOrder = { ...order, after: next };
    for (const { document } of items) {
      if (this.#closed) return false;
      try {
        await this.#bring(document.id);
        progress.done++;
      } catch (error) {
        if (this.#closed) return false;
        // Nothing would come of the others either.
        if (isRecorderError(error, 'STORE_FAILED') || isRecorderError(error, 'KEY_MISSING')) throw error;
        progress.failed++;
        log.error({ recordingId: document.id, err: error }, 'an older recording could not be brought to the settings');
      }
    }
    // Somebody may have cancelled it.
    if (!(await this.#orders.read())) return true;
    if (next !== null) await this.#orders.write(progress);
    else {
      await this.#orders.remove();
      log.info({ done: progress.done, failed: progress.failed }, 'older recordings are as the settings want them');
    }
    return true;
  }

  async #bring(recordingId: string): Promise<void> {
    const { library, formats, store } = this.#options;
    const recording = await library.get(recordingId);
    // Deleted, or another recorder's.
    if (!recording?.directory) return;
    try {
      await library.encrypt(recordingId);
      for (const format of formats) await this.#copy(recording.document, format);
      await store?.take(recording.document);
    } catch (error) {
      if (!isRecorderError(error, 'NOT_FOUND')) throw error;
    }
  }

  async #copy(document: RecordingDocument, format: CopyFormat): Promise<void> {
    const { encoder, library } = this.#options;
    const { id, audio, times } = document;
    if (!audio || !encoder?.can(format, audio.channels) || findFile(document, format)) return;
    const wav = await library.openFile(id, 'wav');
    if (!wav) return;
    const path = join(this.#scratch, `${id}-${audioName(format)}`);
    try {
      const content = wav.read(0, wav.file.octets - 1);
      const order = { format, channels: audio.channels, durationMs: times.durationMs, wav: content };
      await encoder.toFile(order, path, this.#closing.signal);
      await library.addCopy(id, format, path);
    } finally {
      await wav.close();
      await rm(path, { force: true });
    }
  }
}
