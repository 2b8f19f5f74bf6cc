// The render engine: a queue of jobs and the worker threads that carry them out, one job each.
import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { closeOnce } from '../lib/close.ts';
import type { Log } from '../lib/log.ts';
import type { RenderEngine, RenderJob, RenderResult } from '../recording/engines.ts';
import type { RenderAnswer, RenderOrder } from './protocol.ts';
import { partPath } from './wav-file.ts';

export interface RendererOptions {
  log: Log;
  /** Jobs carried out at the same time, each in a thread of its own. Default: half the processors, at least one. */
  concurrency?: number;
  /** The module that worker threads run. Tests put another one here. */
  workerUrl?: URL;
}

interface Task {
  job: RenderJob;
  abort: SharedArrayBuffer;
  settled: boolean;
  resolve: (result: RenderResult) => void;
  reject: (reason: unknown) => void;
}

interface Thread {
  worker: Worker;
  task: Task | null;
  /** Resolves when the thread has ended and its job's files are tidied up. */
  gone: PromiseWithResolvers<void>;
}

/** A compiled renderer has a compiled worker beside it, a source one a source one. */
const WORKER_URL = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

/**
 * Threads are started when they are needed and kept for the next job; idle ones do not keep the process alive. A thread
 * that dies takes only its own job with it. `close()` stops running jobs and rejects them and all that wait; after it
 * `render()` rejects.
 */
export function createRenderer(options: RendererOptions): RenderEngine & { close(): Promise<void> } {
  const renderer = new Renderer(options);
  return {
    render: (job, signal) => renderer.render(job, signal),
    close: closeOnce(() => renderer.close()),
  };
}

class Renderer {
  readonly #log: Log;
  readonly #concurrency: number;
  readonly #workerUrl: URL;
  readonly #queue: Task[] = [];
  readonly #threads = new Set<Thread>();
  #closed = false;

  constructor({ log, concurrency, workerUrl }: RendererOptions) {
    this.#log = log.child({ part: 'render' });
    this.#concurrency = Math.max(1, concurrency ?? Math.floor(availableParallelism() / 2));
    this.#workerUrl = workerUrl ?? WORKER_URL;
  }

  render(job: RenderJob, signal?: AbortSignal): Promise<RenderResult> {
    if (this.#closed) return Promise.reject(new Error('The renderer is closed.'));
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<RenderResult>();
    const task: Task = { job, abort: new SharedArrayBuffer(4), settled: false, resolve, reject };
    const onAbort = () => this.#abort(task, signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#queue.push(task);
    this.#next();
    return promise.finally(() => signal?.removeEventListener('abort', onAbort));
  }

  async close(): Promise<void> {
    this.#closed = true;
    const reason = new Error('The renderer was closed before the job was done.');
    for (const task of [...this.#queue]) this.#abort(task, reason);
    const ending = [...this.#threads].map((thread) => {
      if (thread.task) this.#abort(thread.task, reason);
      void thread.worker.terminate();
      return thread.gone.promise;
    });
    await Promise.all(ending);
  }

  /** A waiting job is taken back at once; a running one is asked to stop and rejects when its files are tidied up. */
  #abort(task: Task, reason: unknown): void {
    const waiting = this.#queue.indexOf(task);
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1);
      this.#settle(task, () => task.reject(reason));
      return;
    }
    Atomics.store(new Int32Array(task.abort), 0, 1);
    const { reject } = task;
    task.reject = () => reject(reason);
    task.resolve = () => reject(reason);
  }

  #next(): void {
    while (this.#queue.length > 0) {
      const thread = this.#idleThread();
      if (thread === null) return;
      const task = this.#queue.shift()!;
      thread.task = task;
      thread.worker.ref();
      thread.worker.postMessage({ job: task.job, abort: task.abort } satisfies RenderOrder);
    }
  }

  #idleThread(): Thread | null {
    for (const thread of this.#threads) if (thread.task === null) return thread;
    return this.#threads.size < this.#concurrency ? this.#startThread() : null;
  }

  #startThread(): Thread {
    const worker = new Worker(this.#workerUrl, { name: 'render' });
    const thread: Thread = { worker, task: null, gone: Promise.withResolvers() };
    worker.on('message', (answer: RenderAnswer) => this.#answered(thread, answer));
    // An error is always followed by exit; the first of the two settles the job.
    worker.on('error', (error) => void this.#died(thread, error));
    worker.on('exit', (code) => void this.#died(thread, new Error(`The render thread ended with code ${code}.`)));
    this.#threads.add(thread);
    return thread;
  }

  #answered(thread: Thread, answer: RenderAnswer): void {
    const { task } = thread;
    thread.task = null;
    thread.worker.unref();
    if (task) {
      this.#settle(task, () => {
        if (answer.type === 'done') task.resolve(answer.result);
        else if (answer.type === 'aborted') task.reject(new Error('The render was aborted.'));
        else task.reject(failure(answer));
      });
    }
    this.#next();
  }

  async #died(thread: Thread, error: Error): Promise<void> {
    if (!this.#threads.delete(thread)) return;
    const { task } = thread;
    thread.task = null;
    if (task) {
      if (!this.#closed) this.#log.error({ err: error, journalPath: task.job.journalPath }, 'render thread died');
      // The dead thread could not remove what it had written.
      await rm(partPath(task.job.audioPath), { force: true }).catch(() => {});
      this.#settle(task, () => task.reject(error));
    }
    thread.gone.resolve();
    if (!this.#closed) this.#next();
  }

  #settle(task: Task, how: () => void): void {
    if (task.settled) return;
    task.settled = true;
    how();
  }
}

function failure({ message, stack, code }: Extract<RenderAnswer, { type: 'failed' }>): Error {
  const error: NodeJS.ErrnoException = new Error(message);
  if (stack !== undefined) error.stack = stack;
  if (code !== undefined) error.code = code;
  return error;
}
