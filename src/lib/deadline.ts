// Waiting for what may never come.
import type { Clock } from './clock.ts';

/** What `work` gives, or a rejection with `tooLate` after `limitMs`. The work itself goes on: what it still brings is its owner's to clear away. */
export async function within<T>(clock: Clock, limitMs: number, work: Promise<T>, tooLate: () => Error): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = clock.after(limitMs, () => reject(tooLate()));
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.cancel();
  }
}
