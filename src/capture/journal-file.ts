// The journal's file: appends what the writer has, batch by batch, and keeps it when the disk will not take it.
import fs from 'node:fs';
import { TAIL_OCTETS, wholeBlocksEnd } from '../journal/tail.ts';
import { JournalWriter } from '../journal/writer.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import type { FileWriter } from './file-writer.ts';
import { BUFFER_OCTETS, SpareBuffers } from './spare-buffers.ts';

/** What is needed of the file system; tests put failing ones here. */
export type FileSystem = Pick<typeof fs, 'open' | 'fstat' | 'read' | 'ftruncate' | 'fsync' | 'close'> &
  Pick<FileWriter, 'write'>;

const NOTHING = Buffer.alloc(0);
const RETRY_MS = 1000;
/** `close` gives up on a disk that refuses after so many tries, a minute: space that is made by then saves the end of the call. */
const CLOSING_TRIES = 60;
/** And on one that does not answer at all: nothing may wait for ever on a disk. */
const HANGING_MS = 10_000;

/** `recording`: when it ends. `everyMs`: besides, at the most so often while it runs, after a write. */
export type SyncPolicy = 'none' | 'recording' | { everyMs: number };

/**
 *   idle ──flush──▶ writing ──all written──▶ idle
 *                   ▲    │ error: told once, the batch is kept
 *                 retry  ▼
 *                   waiting (RETRY_MS)
 */
type FileState = 'idle' | 'writing' | 'waiting' | 'closed';

export interface JournalFileOptions {
  path: string;
  clock: Clock;
  /** Called with each series of failures, not with each try. */
  onFailure: (reason: string) => void;
  fileSystem: FileSystem;
  /** Shared with the other journals of the thread. Default: its own. */
  spares?: SpareBuffers;
  /** When the system is told to bring what was written onto the disk. Default: at the end. */
  sync?: SyncPolicy;
}

export class JournalFile {
  readonly writer = new JournalWriter(BUFFER_OCTETS);
  readonly #path: string;
  readonly #clock: Clock;
  readonly #onFailure: (reason: string) => void;
  readonly #fs: FileSystem;
  readonly #written = (error: NodeJS.ErrnoException | null, octets: number) => this.#afterWrite(error, octets);
  #state: FileState = 'idle';
  #fd = -1;
  /** Where the next octet goes in the file. */
  #position = 0;
  /** The batch being written, and how much of it is done. */
  #batch: Buffer = NOTHING;
  #batchOctets = 0;
  #batchDone = 0;
  #writingSinceMs = 0;
  readonly #spares: SpareBuffers;
  #retry: Timer | null = null;
  #failures = 0;
  #whenIdle: (() => void) | null = null;
  readonly #sync: SyncPolicy;
  #syncing = false;
  #syncedMs: number;

  private constructor({ path, clock, onFailure, fileSystem, spares, sync = 'recording' }: JournalFileOptions) {
    this.#spares = spares ?? new SpareBuffers();
    this.#sync = sync;
    this.#syncedMs = clock.nowMs();
    this.#path = path;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#fs = fileSystem;
  }

  /**
   * Opens or creates the file and begins a section. What a predecessor left is kept up to its last whole block.
   * Rejects with the system's error.
   */
  static async open(options: JournalFileOptions): Promise<JournalFile> {
    const file = new JournalFile(options);
    file.#fd = await file.#call<number>((done) =>
      file.#fs.open(file.#path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o640, done),
    );
    try {
      await file.#goOnBehindLastBlock();
    } catch (error) {
      file.#fs.close(file.#fd, () => {});
      throw error;
    }
    file.writer.beginSection();
    return file;
  }

  /** Octets that wait in memory. */
  get waitingOctets(): number {
    return this.writer.octets + this.#batchOctets - this.#batchDone;
  }

  /** Since when the batch under way has been waiting for the disk; infinity while there is none. */
  get writingSinceMs(): number {
    return this.#state === 'writing' || this.#state === 'waiting' ? this.#writingSinceMs : Number.POSITIVE_INFINITY;
  }

  /** True while the disk refuses. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  /** Begins to write what is there, unless a write is under way. */
  flush(): void {
    if (this.#state !== 'idle' || this.writer.octets === 0) return;
    const { buffer, octets } = this.writer.take(this.#spares.take());
    this.#batch = buffer;
    this.#batchOctets = octets;
    this.#batchDone = 0;
    this.#writingSinceMs = this.#clock.nowMs();
    this.#write();
  }

  /** Writes everything, syncs and closes. Gives up on a disk that refuses or hangs for long; that has been told. Never rejects. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    let hangs = false;
    while (this.waitingOctets > 0 && this.#failures < CLOSING_TRIES && !hangs) {
      this.flush();
      const idle = new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
      hangs = !(await this.#within(idle));
    }
    this.#retry?.cancel();
    const underWay = this.#state === 'writing';
    this.#state = 'closed';
    if (this.waitingOctets > 0)
      this.#onFailure(`${this.#path}: its last ${this.waitingOctets} octets could not be written`);
    try {
      if (this.#sync !== 'none' && !underWay) {
        await this.#within(this.#call<void>((done) => this.#fs.fsync(this.#fd, done)));
      }
    } catch (error) {
      this.#onFailure(`${this.#path}: ${messageOf(error)}`);
    }
    if (!underWay) await this.#within(this.#call<void>((done) => this.#fs.close(this.#fd, done)).catch(() => {}));
  }

  /** False if the disk took too long. Rejects with what the work rejects with. */
  async #within(work: Promise<void>): Promise<boolean> {
    let limit: Timer | undefined;
    const hanging = new Promise<boolean>((resolve) => {
      limit = this.#clock.after(HANGING_MS, () => resolve(false));
    });
    try {
      return await Promise.race([work.then(() => true), hanging]);
    } finally {
      limit?.cancel();
    }
  }

  /** Not waited for: packets that come meanwhile are written all the same. */
  #syncIfDue(): void {
    if (typeof this.#sync === 'string' || this.#syncing) return;
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#syncedMs < this.#sync.everyMs) return;
    this.#syncing = true;
    this.#syncedMs = nowMs;
    this.#fs.fsync(this.#fd, (error) => {
      this.#syncing = false;
      if (error && this.#state !== 'closed') this.#onFailure(`${this.#path}: ${error.message}`);
    });
  }

  #write(): void {
    this.#state = 'writing';
    const rest = this.#batchOctets - this.#batchDone;
    this.#fs.write(this.#fd, this.#batch, this.#batchDone, rest, this.#position, this.#written);
  }

  #afterWrite(error: NodeJS.ErrnoException | null, octets: number): void {
    if (this.#state === 'closed') {
      // A write that hung when the file was given up has come back. Only now: its descriptor must not have become another file's.
      this.#fs.close(this.#fd, () => {});
      return;
    }
    if (error || octets === 0) {
      this.#fail(error);
      return;
    }
    this.#failures = 0;
    this.#position += octets;
    this.#batchDone += octets;
    if (this.#batchDone < this.#batchOctets) {
      this.#write();
      return;
    }
    this.#spares.give(this.#batch);
    this.#batch = NOTHING;
    this.#batchOctets = this.#batchDone = 0;
    this.#state = 'idle';
    this.#syncIfDue();
    this.#becomeIdle();
  }

  #fail(error: NodeJS.ErrnoException | null): void {
    this.#failures++;
    if (this.#failures === 1) this.#onFailure(`${this.#path}: ${error ? messageOf(error) : 'nothing was written'}`);
    this.#state = 'waiting';
    this.#retry = this.#clock.after(RETRY_MS, () => {
      this.#retry = null;
      if (this.#state === 'waiting') this.#write();
    });
    this.#becomeIdle();
  }

  #becomeIdle(): void {
    const resolve = this.#whenIdle;
    this.#whenIdle = null;
    resolve?.();
  }

  async #goOnBehindLastBlock(): Promise<void> {
    const { size } = await this.#call<fs.Stats>((done) => this.#fs.fstat(this.#fd, done));
    if (size === 0) return;
    const from = size <= TAIL_OCTETS ? 0 : (size - TAIL_OCTETS) & ~3;
    const tail = Buffer.alloc(size - from);
    const read = await this.#call<number>((done) => this.#fs.read(this.#fd, tail, 0, tail.length, from, done));
    const end = wholeBlocksEnd(tail.subarray(0, read), from === 0);
    // Without any whole block in sight nothing is cut off: readers find the new section behind whatever this is.
    this.#position = end < 0 ? (size + 3) & ~3 : from + end;
    if (this.#position < size) await this.#call<void>((done) => this.#fs.ftruncate(this.#fd, this.#position, done));
  }

  #call<T>(start: (done: (error: NodeJS.ErrnoException | null, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      start((error, value) => (error ? reject(error) : resolve(value)));
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
