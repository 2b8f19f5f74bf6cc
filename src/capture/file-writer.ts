// Writes to many files through one thread of their own: all writes of a moment in one message, there and back.
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { Worker } from 'node:worker_threads';
import {
  END,
  FIELDS,
  type FileWriterMemory,
  MAX_WRITES,
  newFileWriterMemory,
  OCTETS,
  RESULT,
} from './file-writer-memory.ts';

/** A disk that hangs holds its thread, and nothing else. */
const CLOSE_TIMEOUT_MS = 1000;

export type WriteDone = (error: NodeJS.ErrnoException | null, octets: number) => void;

interface WaitingWrite {
  fd: number;
  buffer: Buffer;
  offset: number;
  length: number;
  position: number;
  done: WriteDone;
}

/**
 * `fs.write` costs about 50 µs of CPU for the way through libuv's pool and back, and that pool is everybody's: a hanging
 * disk would stop name lookups too. A thread of our own takes all writes of a moment at once and only blocks itself.
 *
 *   idle ──write──▶ gathering (until the end of the current callback) ──▶ writing ──answer──▶ idle, or gathering again
 */
export class FileWriter {
  #memory: FileWriterMemory | null = null;
  #table: Float64Array = new Float64Array(0);
  #octets: Buffer = Buffer.alloc(0);
  #thread: Worker | null = null;
  #waiting: WaitingWrite[] = [];
  #underWay: WaitingWrite[] = [];
  #scheduled = false;
  #closed = false;

  /** Like `fs.write`, but may write less than asked for: once for long writes, or because the disk took no more. */
  write(fd: number, buffer: Buffer, offset: number, length: number, position: number, done: WriteDone): void {
    this.#waiting.push({ fd, buffer, offset, length, position, done });
    this.#schedule();
  }

  /** Starts the thread, which the first write would do too, but then it waits for that. */
  prepare(): void {
    if (!this.#closed) this.#thread ??= this.#start();
  }

  /** Lets the thread end when it has done what is under way, or terminates it after a second. What waits fails. */
  async close(): Promise<void> {
    this.#closed = true;
    const thread = this.#thread;
    if (thread) {
      const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
      const hanging = setTimeout(() => void thread.terminate(), CLOSE_TIMEOUT_MS);
      thread.postMessage(END);
      await ended;
      clearTimeout(hanging);
    }
    this.#failAll('ECANCELED');
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay.length > 0) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#submit());
  }

  #submit(): void {
    this.#scheduled = false;
    if (this.#closed) {
      this.#failAll('ECANCELED');
      return;
    }
    const thread = this.#thread ?? this.#start();
    let used = 0;
    let count = 0;
    while (count < this.#waiting.length && count < MAX_WRITES && used < OCTETS) {
      const { fd, buffer, offset, length, position } = this.#waiting[count]!;
      const octets = Math.min(length, OCTETS - used);
      buffer.copy(this.#octets, used, offset, offset + octets);
      const at = count * FIELDS;
      this.#table[at] = fd;
      this.#table[at + 1] = used;
      this.#table[at + 2] = octets;
      this.#table[at + 3] = position;
      used += octets;
      count++;
    }
    this.#underWay = this.#waiting.splice(0, count);
    thread.postMessage(count);
  }

  #start(): Worker {
    this.#memory = newFileWriterMemory();
    this.#table = new Float64Array(this.#memory.table);
    this.#octets = Buffer.from(this.#memory.octets);
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const thread = new Worker(new URL(`./file-writer-thread.${extension}`, import.meta.url), {
      workerData: this.#memory,
      execArgv: [],
      name: 'journal',
    });
    this.#thread = thread;
    thread.on('message', () => this.#settle());
    thread.on('error', () => {});
    thread.once('exit', () => {
      if (this.#thread !== thread) return;
      this.#thread = null;
      this.#failAll('EIO');
    });
    return thread;
  }

  #settle(): void {
    const written = this.#underWay;
    this.#underWay = [];
    written.forEach(({ done }, entry) => {
      const result = this.#table[entry * FIELDS + RESULT]!;
      if (result < 0) done(systemError(getSystemErrorName(result), getSystemErrorMessage(result)), 0);
      else done(null, result);
    });
    if (this.#waiting.length > 0) this.#schedule();
  }

  #failAll(code: string): void {
    const failed = [...this.#underWay, ...this.#waiting.splice(0)];
    this.#underWay = [];
    for (const { done } of failed) done(systemError(code, 'the file writer thread ended'), 0);
  }
}

function systemError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code, syscall: 'write' });
}
