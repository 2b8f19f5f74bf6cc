// The worker thread's side: takes one order after the other and answers it.
import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { renderJob } from './job.ts';
import { RenderAborted } from './journal-walk.ts';
import type { RenderAnswer, RenderOrder } from './protocol.ts';

yieldToCapture();

parentPort!.on('message', (order: RenderOrder) => {
  parentPort!.postMessage(carryOut(order));
});

function carryOut({ job, abort }: RenderOrder): RenderAnswer {
  const flag = new Int32Array(abort);
  try {
    return { type: 'done', result: renderJob(job, { isAborted: () => Atomics.load(flag, 0) !== 0 }) };
  } catch (error) {
    if (error instanceof RenderAborted) return { type: 'aborted' };
    if (!(error instanceof Error)) return { type: 'failed', message: String(error), stack: undefined, code: undefined };
    const { message, stack, code } = error as NodeJS.ErrnoException;
    return { type: 'failed', message, stack, code };
  }
}

/** Rendering can wait, receiving cannot. On Linux a priority belongs to the thread; elsewhere it would slow the process. */
function yieldToCapture(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not allowed in some containers: then all threads are equal.
  }
}
