// The inside of a DiskThread: one step after the other, in the order in which they were asked for.
import { parentPort } from 'node:worker_threads';
import type { DiskStep } from './disk.ts';
import * as steps from './disk-steps.ts';
import type { DiskAnswer, DiskOrder } from './disk-thread-protocol.ts';

const byName = steps as unknown as Record<DiskStep, (...args: unknown[]) => unknown>;

parentPort?.on('message', (orders: DiskOrder[] | 'close') => {
  if (orders === 'close') parentPort?.close();
  else parentPort?.postMessage(orders.map(answer));
});

function answer({ id, calls }: DiskOrder): DiskAnswer {
  try {
    return { id, results: calls.map(([step, ...args]) => byName[step](...args)) };
  } catch (error) {
    const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
    const known = { ...(code && { code }), ...(errno && { errno }), ...(syscall && { syscall }) };
    return { id, failure: { message, ...known } };
  }
}
