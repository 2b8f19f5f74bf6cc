// V8's garbage collector, where a recorder knows better: its calls are many, their memory small, and it runs for months.
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** How often the young generation is looked at. While calls begin at 100 a second they fill 4 MiB in that time. */
const LOOK_MS = 125;

/**
 * Collects everything now, which holds up this thread for some ten ms, and gives what was free back to the system. What a start has
 * left behind would otherwise be collected in the middle of the first calls, whose answers would wait for it.
 */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect: Collect = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // Compiled code that has not run for a while is no garbage: the first call is about to run it.
  setFlagsFromString('--no-flush-bytecode');
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  setFlagsFromString('--flush-bytecode');
}

/**
 * From now on this thread's young generation grows to about `limitOctets` and not beyond. By itself it grows to 128 MiB while calls
 * begin and end: more than a thousand running calls need, for pauses that are rarer but longer. The limit could be given on the
 * command line alone (`--max-semi-space-size`), which is not ours; so V8 is told how to grow, over and over. That goes for threads
 * that are started later, too: none of them needs more.
 */
export function limitYoungGeneration(limitOctets: number): void {
  let factor = 2;
  const look = () => {
    const octets = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0;
    // V8 makes it smaller again by itself when little is going on.
    const wanted = octets * 2 > limitOctets ? 1 : 2;
    if (wanted !== factor) setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
    factor = wanted;
  };
  look();
  setInterval(look, LOOK_MS).unref();
}
