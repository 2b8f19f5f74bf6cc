// Hold of the threads that a product must not give out: hooks put in from outside, before any of its modules is loaded.
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Worker } from 'node:worker_threads';

/**
 * Capture threads that have loaded and live, oldest first. One that is terminated while it loads koffi takes the process with it: its
 * library can throw nothing in a thread that is being ended. So nobody does that, here or in the product.
 */
export const captureThreads = new Set<Worker>();

const HANG_ON_ORDER = new URL('./hang-on-order.ts', import.meta.url).href;
const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Worker };
threads.Worker = class extends threads.Worker {
  constructor(url: string | URL, options?: ConstructorParameters<typeof Worker>[1]) {
    const isCapture = options?.name === 'capture';
    super(url, isCapture ? { ...options, execArgv: ['--import', HANG_ON_ORDER] } : options);
    if (!isCapture) return;
    // The first that it says is that it is ready.
    this.once('message', () => captureThreads.add(this));
    this.once('exit', () => captureThreads.delete(this));
  }
};
syncBuiltinESMExports();

/** `for ever`: an endless loop. A path: of a FIFO, in whose opening it is blocked until somebody writes to it. */
export function hang(thread: Worker, how: 'for ever' | { fifo: string }): void {
  thread.postMessage({ kind: 'hang', fifo: how === 'for ever' ? null : how.fifo });
}
