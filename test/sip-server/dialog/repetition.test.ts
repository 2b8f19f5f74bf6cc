import { expect, test } from 'vitest';
import { Repetition } from '../../../src/sip-server/dialog/repetition.ts';
import { ManualClock } from '../../support/manual-clock.ts';

function started(longestMs: number) {
  const clock = new ManualClock(0);
  const atMs: number[] = [];
  let givenUpMs: number | null = null;
  const repetition = new Repetition(
    clock,
    { firstMs: 500, longestMs, totalMs: 32_000 },
    {
      repeat: () => atMs.push(clock.nowMs()),
      onGivenUp: () => {
        givenUpMs = clock.nowMs();
      },
    },
  );
  return { clock, repetition, seen: () => ({ atMs, givenUpMs, timers: clock.pendingTimers }) };
}

test('of a 2xx (RFC 3261 §13.3.1.4): T1 doubling up to T2, for 64·T1', () => {
  const { clock, seen } = started(4_000);
  clock.advance(100_000);
  expect(seen()).toEqual({
    atMs: [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500],
    givenUpMs: 32_000,
    timers: 0,
  });
});

test('of a reliable 1xx (RFC 3262 §3): doubling without end, for 64·T1', () => {
  const { clock, seen } = started(Number.POSITIVE_INFINITY);
  clock.advance(100_000);
  expect(seen()).toEqual({ atMs: [500, 1_500, 3_500, 7_500, 15_500, 31_500], givenUpMs: 32_000, timers: 0 });
});

test('stops', () => {
  const { clock, repetition, seen } = started(4_000);
  clock.advance(600);
  repetition.stop();
  repetition.stop();
  clock.advance(100_000);
  expect(seen()).toEqual({ atMs: [500], givenUpMs: null, timers: 0 });
});
