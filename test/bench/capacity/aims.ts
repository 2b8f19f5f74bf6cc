// What the capacity bench is to show, and whether it did. The aims were set on a machine where a C loop that only receives takes 1.3 µs
// per packet. Where it takes longer, what is a matter of speed is judged a second time with the aim moved by the same factor.
import type { Level } from './level.ts';

const REFERENCE_LOOP_US = 1.3;
const CALLS_PER_SECOND = 200;
const ANSWER_P99_MS = 50;

export interface Figures {
  /** Null: not measured. */
  loopUs: number | null;
  /** The most that were recorded whole. */
  calls: number;
  /** With calls as long as people talk. */
  long: Level;
  /** Set up and taken down, the highest rate first. */
  churns: { callsPerSecond: number; level: Level }[];
  callSecondsPerSecond: number;
}

/** How much longer this machine takes than the one on which the aims were set; 1 if it is the faster one. */
const slownessOf = (loopUs: number | null) => Math.max(1, (loopUs ?? REFERENCE_LOOP_US) / REFERENCE_LOOP_US);

/** The rate that is aimed at, and the one that this machine owes. */
export function churnRates(loopUs: number | null): number[] {
  const owed = Math.ceil(CALLS_PER_SECOND / slownessOf(loopUs));
  return owed < CALLS_PER_SECOND ? [CALLS_PER_SECOND, owed] : [CALLS_PER_SECOND];
}

export function isSwift({ refused, answerP99Ms }: Level): boolean {
  return refused === 0 && answerP99Ms < ANSWER_P99_MS;
}

export function* judged({ loopUs, calls, long, churns, callSecondsPerSecond }: Figures): Generator<string> {
  const slowness = slownessOf(loopUs);
  if (slowness > 1) {
    yield `This machine's C loop takes ${slowness.toFixed(1)} times the ${REFERENCE_LOOP_US} µs of the machine on which the aims were set:`;
    yield 'what is a matter of speed is judged with the aim as it is, and with the aim moved by that factor.';
  }
  const says = (name: string, value: string, met: boolean, metMoved = met) =>
    `${met ? 'met        ' : metMoved ? 'met, moved ' : 'not met    '}  ${name}: ${value}`;
  if (loopUs === null) yield 'not measured live CPU at most twice the C loop’s';
  else {
    const ratio = long.liveUs / loopUs;
    yield says('live CPU at most twice the C loop’s', `${ratio.toFixed(2)} times`, ratio <= 2);
  }
  yield says(
    'rendering 8,000 times real time per core',
    String(callSecondsPerSecond),
    callSecondsPerSecond >= 8_000,
    callSecondsPerSecond >= 8_000 / slowness,
  );
  const { togetherUs } = long;
  yield says('together under 5.5 µs per packet', togetherUs.toFixed(2), togetherUs < 5.5, togetherUs < 5.5 * slowness);
  yield says('3,000 calls at once without loss', String(calls), calls >= 3_000, calls >= 3_000 / slowness);
  const kib = long.octetsPerCall / 1024;
  yield says('under 50 KiB per call', kib.toFixed(0), kib < 50);
  const swift = churns.find(({ level }) => isSwift(level));
  const fastest = churns[0];
  yield says(
    `${CALLS_PER_SECOND} calls per second, answer p99 under ${ANSWER_P99_MS} ms`,
    churns
      .map(({ callsPerSecond, level }) => `${level.answerP99Ms.toFixed(1)} ms at ${callsPerSecond} calls/s`)
      .join(', '),
    swift !== undefined && swift === fastest,
    swift !== undefined,
  );
}
