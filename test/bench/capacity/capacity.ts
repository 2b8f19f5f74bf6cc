// npm run bench -- capacity [--quick]: finds the highest number of calls that are recorded whole, and says what they cost.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { benchRender } from '../render.ts';
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
const CHURN_CALLS_PER_SECOND = 200;
const CHURN_CALL_SECONDS = 5;
/** A load that is later than this does not send what it should. */
const MAX_LOAD_LATE_MS = 100;

/** Yields lines as they become known. */
export async function* benchCapacity(quick: boolean): AsyncGenerator<string> {
  const { levels, halvings, seconds, longSeconds, churnSeconds } = quick ? QUICK : FULL;
  yield `${cpus()[0]?.model.trim()}, ${cpus().length} cores, which recorder and load share; G.711, 20 ms, two streams per call.`;
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
    const level = await runLevel({ calls, seconds, callSeconds: null });
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
  const long = await runLevel({ calls: best.calls, seconds: longSeconds, callSeconds: null });
  yield* described(long);
  const calls = CHURN_CALLS_PER_SECOND * churnSeconds;
  const churn = await runLevel({ calls, seconds: 0, callSeconds: CHURN_CALL_SECONDS });
  yield `${CHURN_CALLS_PER_SECOND} calls set up and taken down per second, ${CHURN_CALL_SECONDS} s each, ${calls} calls:`;
  yield* described(churn);

  const directory = mkdtempSync(join(tmpdir(), 'sipreel-yardstick-'));
  const loopUs = await yardstick(best.calls * 2, seconds, directory).finally(() =>
    rmSync(directory, { recursive: true }),
  );
  const { callSecondsPerSecond } = await benchRender();
  yield loopUs === null
    ? 'No C compiler (cc): live cost is not compared with the C loop.'
    : `C loop, ${best.calls * 2} streams: ${loopUs.toFixed(2)} µs per packet`;
  yield '';
  yield aim(
    'live CPU at most twice the C loop’s',
    loopUs && long.liveUs / loopUs,
    (ratio) => ratio <= 2,
    (ratio) => `${ratio.toFixed(2)} times`,
  );
  yield aim('rendering 8,000 times real time per core', callSecondsPerSecond, (rate) => rate >= 8_000, String);
  yield aim(
    'together under 5.5 µs per packet',
    long.togetherUs,
    (us) => us < 5.5,
    (us) => us.toFixed(1),
  );
  yield aim('3,000 calls at once without loss', best.calls, (most) => most >= 3_000, String);
  yield aim(
    'under 50 KiB per call',
    long.octetsPerCall / 1024,
    (kib) => kib < 50,
    (kib) => kib.toFixed(0),
  );
  yield aim(
    '200 calls per second, answer p99 under 50 ms',
    churn.answerP99Ms,
    (ms) => ms < 50 && churn.refused === 0,
    (ms) => `${ms.toFixed(1)} ms`,
  );
}

function* described(level: Level): Generator<string> {
  const { verdict } = level;
  yield row([
    level.calls,
    level.whole ? 'yes' : 'no',
    level.liveUs.toFixed(2),
    level.togetherUs.toFixed(2),
    (level.octetsPerCall / 1024).toFixed(0),
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

function aim(
  name: string,
  value: number | null,
  met: (value: number) => boolean,
  text: (value: number) => string,
): string {
  if (value === null) return `not measured  ${name}`;
  return `${met(value) ? 'met         ' : 'not met     '}  ${name}: ${text(value)}`;
}
