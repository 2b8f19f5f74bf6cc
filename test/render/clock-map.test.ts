// From envelopes to maps: continuous, increasing, true to drift, deaf to congestion.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockMap, driftPpm } from '../../src/render/clock-map.ts';
import type { Stretch } from '../../src/render/stretch.ts';

function stretch(points: [seconds: number, delayMs: number][], clockRateHz = 8000): Stretch {
  return {
    ssrc: 1,
    firstPacket: 0,
    clockRateHz,
    baseRtpTime: 0,
    baseSpokenMs: 1000,
    baseLengthMs: 20,
    firstTick: 0,
    endTick: points.at(-1)![0] * clockRateHz,
    envelopeTicks: points.map(([seconds]) => seconds * clockRateHz),
    envelopeDelaysMs: points.map(([, delayMs]) => delayMs),
  };
}

const every10s = (count: number, delayMs: (seconds: number) => number) =>
  stretch(Array.from({ length: count }, (_, i) => [i * 10 + 3, delayMs(i * 10 + 3)]));

/** Map minus nominal time, ms. */
const offsetAt = (map: ClockMap, seconds: number) => map.timeMs(seconds * 8000) - seconds * 1000 - 1000;

describe('map', () => {
  test('one point: a constant offset', () => {
    const map = new ClockMap(stretch([[2, -15]]));
    expect([0, 1, 2, 100].map((seconds) => offsetAt(map, seconds))).toEqual([-15, -15, -15, -15]);
  });

  test('small drift is followed without an estimate', () => {
    const map = new ClockMap(every10s(5, (seconds) => -0.1 * seconds));
    expect(offsetAt(map, 3)).toBeCloseTo(-0.3, 6);
    expect(offsetAt(map, 28)).toBeCloseTo(-2.8, 6);
    expect(offsetAt(map, 43)).toBeCloseTo(-4.3, 6);
  });

  test.each([2, -2, 9])('a clock that is wrong by %i ms per second, beyond both ends', (msPerSecond) => {
    const map = new ClockMap(every10s(60, (seconds) => msPerSecond * seconds));
    for (const seconds of [0, 3, 300, 593, 600]) expect(offsetAt(map, seconds)).toBeCloseTo(msPerSecond * seconds, 1);
  });

  test('congestion between quiet times is not followed', () => {
    const map = new ClockMap(every10s(60, (seconds) => (seconds > 200 && seconds < 300 ? 70 : 0)));
    for (let seconds = 0; seconds <= 600; seconds += 10) expect(Math.abs(offsetAt(map, seconds))).toBeLessThan(16);
    expect(offsetAt(map, 100)).toBeCloseTo(0, 6);
  });

  test('a stretch that begins late and gets faster is moved to where it gets to', () => {
    const map = new ClockMap(every10s(20, (seconds) => (seconds < 20 ? 0 : -500)));
    expect(offsetAt(map, 0)).toBeLessThan(-490);
    expect(offsetAt(map, 100)).toBe(-500);
  });

  test('always increasing and continuous, in any order of asking', () => {
    const point = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.double({ min: -5000, max: 5000, noNaN: true }));
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 40 }), fc.array(fc.nat(400_000)), (steps, ticks) => {
        let seconds = 0;
        const map = new ClockMap(
          stretch(
            steps.map(([step, delayMs]) => {
              seconds += step;
              return [seconds, delayMs];
            }),
          ),
        );
        return ticks.every((tick) => {
          const stepMs = map.timeMs(tick + 1) - map.timeMs(tick);
          return stepMs > 0.125 * 0.98 && stepMs < 0.125 * 1.02;
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('drift', () => {
  test('a fast sender’s clock is positive', () => {
    expect(driftPpm(every10s(10, (seconds) => -0.05 * seconds))).toBeCloseTo(50, 6);
    expect(driftPpm(every10s(10, (seconds) => 0.05 * seconds))).toBeCloseTo(-50, 6);
  });

  test('congested windows do not mislead it', () => {
    const envelope = every10s(40, (seconds) => 0.02 * seconds + (seconds % 70 < 20 ? 60 : 0));
    expect(driftPpm(envelope)).toBeCloseTo(-20, 0);
  });

  test('too short to tell', () => {
    expect(driftPpm(every10s(6, () => 0))).toBeNull();
  });
});
