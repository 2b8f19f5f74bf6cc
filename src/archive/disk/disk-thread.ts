// A Disk whose steps are done by a thread of its own, one after the other. Who waits for one step waits for all before it: what has to
// be quick and what syncs do not share a thread.
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Disk, DiskCall, DiskResults, DiskStep, FarDisk } from './disk.ts';
import type { DiskAnswer, DiskOrder } from './disk-thread-protocol.ts';

/** A compiled program has a compiled worker beside it, a source one a source one. */
const WORKER_URL = new URL(`./disk-worker${extname(import.meta.url)}`, import.meta.url);

const CLOSE_TIMEOUT_MS = 10_000;

interface Waiting {
  resolve: (results: unknown[]) => void;
  reject: (error: Error) => void;
}

/** The thread starts with the first step; while it has nothing to do it does not keep the process alive. */
export class DiskThread implements FarDisk {
  readonly exists = this.#step('exists');
  readonly makeDirectory = this.#step('makeDirectory');
  readonly names = this.#step('names');
  readonly readText = this.#step('readText');
  readonly replaceFile = this.#step('replaceFile');
  readonly copySynced = this.#step('copySynced');
  readonly fingerprint = this.#step('fingerprint');
  readonly rename = this.#step('rename');
  readonly syncDirectory = this.#step('syncDirectory');
  readonly remove = this.#step('remove');

  readonly #name: string;
  readonly #workerUrl: URL;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #orders: DiskOrder[] = [];
  #nextId = 1;

  /** `workerUrl`: the module that the thread runs. Tests put another one here. */
  constructor(name: string, workerUrl = WORKER_URL) {
    this.#name = name;
    this.#workerUrl = workerUrl;
  }

  /** Ends the thread when what was asked for is done. One that hangs on its disk is left to the end of the process after 10 s. */
  async close(): Promise<void> {
    this.#send();
    const worker = this.#worker;
    if (!worker) return;
    worker.ref();
    await new Promise<void>((resolve) => {
      const hanging = setTimeout(() => {
        worker.unref();
        resolve();
      }, CLOSE_TIMEOUT_MS);
      worker.once('exit', () => {
        clearTimeout(hanging);
        resolve();
      });
      worker.postMessage('close');
    });
  }

  inOrder<Calls extends DiskCall[]>(...calls: Calls): Promise<DiskResults<Calls>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
    const id = this.#nextId++;
    this.#waiting.set(id, { resolve, reject });
    // What is asked for in the same turn goes in one message.
    if (this.#orders.push({ id, calls }) === 1) queueMicrotask(() => this.#send());
    return promise as Promise<DiskResults<Calls>>;
  }

  #step<Step extends DiskStep>(step: Step): Disk[Step] {
    const ask = async (...args: unknown[]) => {
      const [result] = await this.inOrder([step, ...args] as DiskCall);
      return result;
    };
    return ask as Disk[Step];
  }

  #send(): void {
    if (this.#orders.length === 0) return;
    const orders = this.#orders;
    this.#orders = [];
    this.#worker ??= this.#start();
    this.#worker.ref();
    this.#worker.postMessage(orders);
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl, { name: this.#name });
    let reason = 'the disk thread ended';
    worker.on('message', (answers: DiskAnswer[]) => {
      for (const answer of answers) this.#settle(answer);
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', (error) => {
      reason = String(error);
    });
    worker.on('exit', () => {
      this.#worker = null;
      // The next step starts another thread. What was under way may be done or not, as after a crash.
      for (const { reject } of this.#waiting.values()) reject(systemError(reason, { code: 'EIO' }));
      this.#waiting.clear();
    });
    return worker;
  }

  #settle({ id, results, failure }: DiskAnswer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(systemError(failure.message, failure));
    else waiting?.resolve(results ?? []);
  }
}

function systemError(message: string, details: Pick<NodeJS.ErrnoException, 'code' | 'errno' | 'syscall'>): Error {
  const { code, errno, syscall } = details;
  return Object.assign(new Error(message), { code, errno, syscall });
}
