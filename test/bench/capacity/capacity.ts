// npm run bench -- capacity [--quick]: finds the highest number of calls that are recorded whole, and says what they cost.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchRender } from '../render.ts';
import { churnRates, isSwift, judged } from './aims.ts';
import { type Level, runLevel } from './level.ts';
import { yardstick } from './yardstick.ts';

interface Plan {
  /** Tried upwards until one is not whole; the steps between the last two are then halved so many times. */
  levels: number[];
  halvings: number;
  seconds: number;
  /** The best level once more, for what calls cost that last as long as people talk. */
  longSeconds: number;
  churnSeconds: number;
}

const FULL: Plan = {
  levels: [500, 1000, 2000, 3000, 4000],
  halvings: 1,
  seconds: 15,
  longSeconds: 90,
  churnSeconds: 20,
};
const QUICK: Plan = { levels: [100, 400, 1000], halvings: 0, seconds: 5, longSeconds: 15, churnSeconds: 5 };
const CHURN_CALL_SECONDS = 5;
const YARDSTICK_STREAMS = 1_000;
/** A load that is later than this does not send what it should. */
const MAX_LOAD_LATE_MS = 100;

/** Yields lines as they become known. */
export async function* benchCapacity(quick: boolean): AsyncGenerator<string> {
  const { levels, halvings, seconds, longSeconds, churnSeconds } = quick ? QUICK : FULL;
  yield `${cpus()[0]?.model.trim()}, ${cpus().length} cores, which recorder and load share; G.711, 20 ms, two streams per call.`;
  const directory = mkdtempSync(join(tmpdir(), 'sipreel-yardstick-'));
  const loopUs = await yardstick(YARDSTICK_STREAMS, seconds, directory).finally(() =>
    rmSync(directory, { recursive: true }),
  );
  yield loopUs === null
    ? 'No C compiler (cc): nothing is compared with the C loop.'
    : `C loop, ${YARDSTICK_STREAMS} streams: ${loopUs.toFixed(2)} µs per packet`;
  const rates = churnRates(loopUs);
  // At a rate that the machine has no room for, what is found out is how calls are refused.
  const callsPerSecond = rates.at(-1)!;
  const heading = [
    'calls',
    'whole',
    'live µs',
    'together µs',
    'KiB/call',
    'lost',
    'holes',
    'apart ms',
    'p50 ms',
    'p99 ms',
  ];
  yield row(heading);
  const done: Level[] = [];
  const run = async (calls: number) => {
    const level = await runLevel({ calls, callsPerSecond, seconds, callSeconds: null });
    done.push(level);
    return level;
  };
  let below = 0;
  let above: number | null = null;
  for (const calls of levels) {
    const level = await run(calls);
    yield* described(level);
    if (!level.whole) {
      above = calls;
      break;
    }
    below = calls;
  }
  for (let i = 0; i < halvings && above !== null && above - below > 100; i++) {
    const calls = Math.round((below + above) / 2 / 50) * 50;
    const level = await run(calls);
    yield* described(level);
    if (level.whole) below = calls;
    else above = calls;
  }
  const best = done.findLast((level) => level.whole && level.calls === below);
  if (!best) {
    yield 'Not even the lowest level was recorded whole.';
    return;
  }
  yield `highest level recorded whole: ${best.calls} calls${above === null ? ', the highest tried' : ''}, receiver ${best.receiver}`;

  yield `the same with calls of ${longSeconds} s:`;
  const long = await runLevel({ calls: best.calls, callsPerSecond, seconds: longSeconds, callSeconds: null });
  yield* described(long);
  const churns: { callsPerSecond: number; level: Level }[] = [];
  for (const callsPerSecond of rates) {
    const calls = callsPerSecond * churnSeconds;
    yield `${callsPerSecond} calls set up and taken down per second, ${CHURN_CALL_SECONDS} s each, ${calls} calls:`;
    const level = await runLevel({ calls, callsPerSecond, seconds: 0, callSeconds: CHURN_CALL_SECONDS });
    yield* described(level);
    churns.push({ callsPerSecond, level });
    if (isSwift(level)) break;
  }
  const { callSecondsPerSecond } = await benchRender();
  yield '';
  yield* judged({ loopUs, calls: best.calls, long, churns, callSecondsPerSecond });
}

function* described(level: Level): Generator<string> {
  const { verdict } = level;
  yield row([
    level.calls,
    level.whole ? 'yes' : 'no',
    Number.isFinite(level.liveUs) ? level.liveUs.toFixed(2) : '-',
    level.togetherUs.toFixed(2),
    // Of calls that come and go there is no number at once.
    Number.isFinite(level.liveUs) ? (level.octetsPerCall / 1024).toFixed(0) : '-',
    level.lost,
    verdict.holes,
    verdict.misalignmentMs.toFixed(1),
    level.answerP50Ms.toFixed(1),
    level.answerP99Ms.toFixed(1),
  ]);
  if (level.refused > 0) yield `  ${level.refused} calls were not answered with 200`;
  if (verdict.kernelDrops > 0) yield `  the kernel dropped ${verdict.kernelDrops}`;
  if (level.loadLateMs > MAX_LOAD_LATE_MS)
    yield `  the load was up to ${level.loadLateMs.toFixed(0)} ms late: the machine has no room for it, or is busy with something else`;
  for (const complaint of level.complaints) yield `  ${complaint}`;
}

function row(cells: (string | number)[]): string {
  return cells.map((cell) => String(cell).padStart(11)).join(' ');
}
