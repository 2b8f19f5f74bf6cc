// V8's garbage collector, where it is better told when.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Collects everything now, which holds up this thread for some ten ms. What a start has left behind would otherwise be collected
 * in the middle of the first calls, whose answers would wait for it.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  collect();
}
