import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArrivalClock } from '../../../src/capture/linux/arrival-clock.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const START_MS = Date.UTC(2026, 0, 1);

/** A media clock, a wall clock beside it that is `aheadMs` ahead, and what is between them. */
function clocks(aheadMs = 0) {
  const media = new ManualClock(START_MS);
  const wall = { aheadMs };
  const wallMs = () => media.nowMs() + wall.aheadMs;
  return { media, wall, wallMs, arrivals: new ArrivalClock(media, wallMs) };
}

describe('arrival clock', () => {
  test.each([0, 5000.25, -86_400_000])('a wall clock %f ms ahead is taken back to the media clock', (aheadMs) => {
    const { media, wallMs, arrivals } = clocks(aheadMs);
    media.advance(10);
    const stamp = wallMs();
    media.advance(20);
    arrivals.beginRound();
    expect(arrivals.arrivalMs(stamp)).toBe(START_MS + 10);
  });

  test('a thread that was blocked for long still learns when it came', () => {
    const { media, wallMs, arrivals } = clocks(3);
    const stamps = [0, 0, 0].map(() => {
      media.advance(20);
      return wallMs();
    });
    media.advance(10_000);
    arrivals.beginRound();
    expect(stamps.map((stamp) => arrivals.arrivalMs(stamp))).toEqual([START_MS + 20, START_MS + 40, START_MS + 60]);
  });

  test('slewing is followed from round to round', () => {
    const { media, wall, wallMs, arrivals } = clocks();
    for (let round = 1; round <= 100; round++) {
      media.advance(30);
      wall.aheadMs += 0.015;
      arrivals.beginRound();
      expect(arrivals.arrivalMs(wallMs())).toBeCloseTo(START_MS + 30 * round, 3);
      arrivals.completeRound();
    }
  });

  test.each([3_600_000, -3_600_000, 500, -500])('a step of %i ms between two rounds bends nothing', (stepMs) => {
    const { media, wall, wallMs, arrivals } = clocks(7);
    media.advance(30);
    arrivals.beginRound();
    arrivals.completeRound();
    media.advance(10);
    const before = wallMs();
    wall.aheadMs += stepMs;
    media.advance(10);
    const after = wallMs();
    media.advance(10);
    arrivals.beginRound();
    expect(arrivals.arrivalMs(before)).toBe(START_MS + 40);
    expect(arrivals.arrivalMs(after)).toBe(START_MS + 50);
    arrivals.completeRound();
    media.advance(30);
    arrivals.beginRound();
    expect(arrivals.arrivalMs(wallMs() - 5)).toBe(START_MS + 85);
  });

  test('a step found by a round that was not completed is still known in the next', () => {
    const { media, wall, wallMs, arrivals } = clocks();
    media.advance(10);
    const before = wallMs();
    wall.aheadMs += 60_000;
    media.advance(10);
    arrivals.beginRound();
    media.advance(10);
    arrivals.beginRound();
    expect(arrivals.arrivalMs(before)).toBe(START_MS + 10);
  });

  test('what the kernel did not stamp came now', () => {
    const { media, arrivals } = clocks();
    media.advance(10);
    arrivals.beginRound();
    media.advance(3);
    expect(arrivals.arrivalMs(-1)).toBe(START_MS + 13);
  });

  test('what comes while the round runs has its own time', () => {
    const { media, wallMs, arrivals } = clocks(100);
    arrivals.beginRound();
    media.advance(5);
    const stamp = wallMs();
    media.advance(5);
    expect(arrivals.arrivalMs(stamp)).toBe(START_MS + 5);
  });

  test('an interrupted look at the two clocks is repeated', () => {
    const media = new ManualClock(START_MS);
    let slow = 0;
    const arrivals = new ArrivalClock(media, () => {
      const wallMs = media.nowMs();
      if (slow-- > 0) media.advance(8);
      return wallMs;
    });
    slow = 2;
    arrivals.beginRound();
    expect(arrivals.arrivalMs(START_MS + 16)).toBe(START_MS + 16);
    slow = 99;
    arrivals.beginRound();
    // Never better than half the shortest interruption.
    expect(Math.abs(arrivals.arrivalMs(media.nowMs() - 20) - (media.nowMs() - 20))).toBeLessThanOrEqual(4);
  });

  test('whatever the wall clock does, no time lies ahead, and none before the last complete round by more than 50 ms', () => {
    const event = fc.oneof(
      fc.record({ advanceMs: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ stepMs: fc.integer({ min: -1e6, max: 1e6 }) }),
      fc.record({ packet: fc.constant(true) }),
      fc.record({ round: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const { media, wall, wallMs, arrivals } = clocks();
        let completeMs = START_MS;
        let pending: number[] = [];
        for (const happened of events) {
          if ('advanceMs' in happened) media.advance(happened.advanceMs);
          else if ('stepMs' in happened) wall.aheadMs += happened.stepMs;
          else if ('packet' in happened) pending.push(wallMs());
          else {
            arrivals.beginRound();
            for (const stamp of pending) {
              const arrivalMs = arrivals.arrivalMs(stamp);
              expect(arrivalMs).toBeLessThanOrEqual(media.nowMs());
              expect(arrivalMs).toBeGreaterThanOrEqual(completeMs - 50);
            }
            pending = [];
            if (!happened.round) continue;
            arrivals.completeRound();
            completeMs = media.nowMs();
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
