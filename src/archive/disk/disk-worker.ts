// The inside of a DiskThread: one step after the other, in the order in which they were asked for.
import { parentPort } from 'node:worker_threads';
import type { DiskStep } from './disk.ts';
import * as steps from './disk-steps.ts';
import type { DiskAnswer, DiskOrder } from './disk-thread-protocol.ts';

const byName: Record<DiskStep, (...args: never[]) => unknown> = steps;

parentPort?.on('message', (orders: DiskOrder[] | 'close') => {
  if (orders === 'close') parentPort?.close();
  else parentPort?.postMessage(orders.map(answer));
});

function answer({ id, step, args }: DiskOrder): DiskAnswer {
  try {
    return { id, result: byName[step](...(args as never[])) };
  } catch (error) {
    const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
    const known = { ...(code && { code }), ...(errno && { errno }), ...(syscall && { syscall }) };
    return { id, failure: { message, ...known } };
  }
}
