import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { InterarrivalJitter } from '../../src/rtp/jitter.ts';

/** A Unix time of today's size: it must not cost precision. */
const START_MS = Date.UTC(2026, 0, 1, 12);

/** Feeds packets, written `arrival:timestamp`: ms since START_MS, and RTP time. */
function jitterOf(clockRateHz: number, packets: string): InterarrivalJitter {
  const jitter = new InterarrivalJitter();
  for (const [, arrivalMs, rtpTime] of packets.matchAll(/(\d+):(\d+)/g)) {
    jitter.update(START_MS + Number(arrivalMs), Number(rtpTime), clockRateHz);
  }
  return jitter;
}

describe('by hand (RFC 3550 A.8: J += (|D| - J) / 16)', () => {
  test('a regular stream has none', () => {
    const jitter = jitterOf(8000, '0:0 20:160 40:320 60:480');
    expect([jitter.ms, jitter.timestampUnits]).toEqual([0, 0]);
  });

  test('nothing, and one packet, have none', () => {
    expect(jitterOf(8000, '').ms).toBe(0);
    expect(jitterOf(8000, '17:12345').ms).toBe(0);
  });

  test.each([
    // D = 240 - 160 = 80 units: 80/16 = 5.
    { name: '10 ms late', packets: '0:0 30:160', units: 5 },
    // The same early.
    { name: '10 ms early', packets: '0:0 10:160', units: 5 },
    // Late by 10 ms, then back on time: 5, then 5 + (80 - 5)/16 = 9.6875.
    { name: 'one late packet', packets: '0:0 30:160 40:320', units: 9.6875 },
    // And one on time: 9.6875 - 9.6875/16 = 9.08203125.
    { name: 'calming down', packets: '0:0 30:160 40:320 60:480', units: 9.082_031_25 },
    // D = (10 ms = 80) - (-160) = 240: 15; then (10 ms = 80) - 320 = -240: 15 + 225/16 = 29.0625.
    { name: 'reordered', packets: '0:160 10:0 20:320', units: 29.0625 },
    // One frame in two packets, 1 ms apart: 8/16.
    { name: 'one timestamp twice', packets: '0:160 1:160', units: 0.5 },
  ])('$name', ({ packets, units }) => {
    const jitter = jitterOf(8000, packets);
    expect(jitter.ms).toBeCloseTo(units / 8, 6);
    expect(jitter.timestampUnits).toBe(Math.floor(units));
  });

  test('in units of the clock rate', () => {
    // 10 ms late at 48 kHz: 480/16 = 30 units, 0.625 ms as at 8 kHz.
    const jitter = jitterOf(48_000, '0:0 30:960');
    expect([jitter.timestampUnits, jitter.ms]).toEqual([30, 0.625]);
  });

  test('a wrap of the timestamp, and one across the sign bit, are no jumps', () => {
    const wrap = jitterOf(8000, '0:4294967136 20:0 40:160');
    const sign = jitterOf(8000, '0:2147483488 20:2147483648 40:2147483808');
    expect([wrap.ms, sign.ms]).toEqual([0, 0]);
  });
});

describe('clock rate', () => {
  test('a change starts the estimate again, without comparing across it', () => {
    const jitter = jitterOf(8000, '0:0 30:160');
    jitter.update(START_MS + 50, 320, 16_000);
    expect(jitter.ms).toBe(0);
    jitter.update(START_MS + 80, 640, 16_000);
    expect([jitter.timestampUnits, jitter.ms]).toEqual([10, 0.625]);
  });

  test('unknown (0): the packet is left out, and the estimate stays', () => {
    const jitter = jitterOf(8000, '0:0 30:160');
    jitter.update(START_MS + 35, 4_000_000, 0);
    expect(jitter.timestampUnits).toBe(5);
    // Compared with the packet at 30 ms, not with the one left out.
    jitter.update(START_MS + 50, 320, 8000);
    expect(jitter.ms).toBeCloseTo((5 - 5 / 16) / 8, 6);
  });

  test('unknown from the beginning: nothing is estimated', () => {
    const jitter = jitterOf(0, '0:0 500:7 501:4000000000');
    expect([jitter.ms, jitter.timestampUnits]).toEqual([0, 0]);
    jitter.update(START_MS + 600, 100, 8000);
    expect(jitter.timestampUnits).toBe(0);
  });
});

test('after breakOff() the next packet is not compared, but the estimate stays', () => {
  const jitter = jitterOf(8000, '0:0 30:160');
  jitter.breakOff();
  jitter.update(START_MS + 100_000, 77, 8000);
  expect(jitter.timestampUnits).toBe(5);
  jitter.update(START_MS + 100_020, 77 + 160, 8000);
  expect(jitter.ms).toBeCloseTo((5 - 5 / 16) / 8, 6);
});

test('reset() forgets everything', () => {
  const jitter = jitterOf(8000, '0:0 30:160');
  jitter.reset();
  expect([jitter.ms, jitter.timestampUnits]).toEqual([0, 0]);
  jitter.update(START_MS + 40, 9_999_999, 8000);
  expect(jitter.ms).toBe(0);
});

test('any packets: what the code of A.8 computes with transit times', () => {
  const packet = fc.tuple(fc.integer({ min: -50, max: 500 }), fc.integer({ min: -960, max: 5000 }));
  const clockRates = fc.constantFrom(8000, 16_000, 44_100, 48_000, 90_000);
  fc.assert(
    fc.property(clockRates, fc.array(packet, { maxLength: 200, size: 'max' }), (clockRateHz, steps) => {
      const jitter = new InterarrivalJitter();
      let arrivalMs = 0;
      let rtpTime = 0;
      let previousTransit: number | null = null;
      let expected = 0;
      for (const [arrivalStep, rtpStep] of steps) {
        arrivalMs += arrivalStep;
        rtpTime += rtpStep;
        const transit = (arrivalMs * clockRateHz) / 1000 - rtpTime;
        if (previousTransit !== null) expected += (Math.abs(transit - previousTransit) - expected) / 16;
        previousTransit = transit;
        jitter.update(START_MS + arrivalMs, (4_294_900_000 + rtpTime) >>> 0, clockRateHz);
      }
      expect(jitter.ms).toBeCloseTo((expected * 1000) / clockRateHz, 3);
    }),
  );
});
