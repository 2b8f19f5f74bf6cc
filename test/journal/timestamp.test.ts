import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NanosecondStamp, timestampReader } from '../../src/journal/timestamp.ts';

/** What is written for a Unix time, as one number. */
function nanosecondsOf(unixMs: number): bigint {
  const stamp = new NanosecondStamp();
  stamp.set(unixMs);
  const { high, low } = stamp;
  expect([high, low].every((half) => Number.isInteger(half) && half >= 0 && half <= 0xffff_ffff)).toBe(true);
  return (BigInt(high) << 32n) | BigInt(low);
}

function readUnits(resolution: number, offsetSeconds: number, units: bigint): number {
  return timestampReader(resolution, offsetSeconds)(Number(units >> 32n), Number(units & 0xffff_ffffn));
}

describe('written', () => {
  test.each([
    [0, 0n],
    [1, 1_000_000n],
    [0.000_001, 1n],
    [999.999_999_6, 1_000_000_000n],
    [Date.UTC(2026, 0, 1, 12), 1_767_268_800_000_000_000n],
    // A quarter of a microsecond is what a float of today holds.
    [Date.UTC(2026, 0, 1, 12) + 2 ** -12, 1_767_268_800_000_000_244n],
    [Date.UTC(2026, 0, 1, 12) + 999.75, 1_767_268_800_999_750_000n],
    // The lower half is about to overflow, and has just.
    [4294.967_295, 0xffff_ffffn],
    [4294.967_296, 0x1_0000_0000n],
    [Date.UTC(2116, 0), 4_607_280_000_000_000_000n],
  ])('%d ms', (unixMs, nanoseconds) => {
    expect(nanosecondsOf(unixMs)).toBe(nanoseconds);
  });

  test('any time: the nearest nanosecond', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: Date.UTC(2116), noNaN: true }), (unixMs) => {
        const wholeMs = Math.floor(unixMs);
        const exact = BigInt(wholeMs) * 1_000_000n + BigInt(Math.round((unixMs - wholeMs) * 1e6));
        const off = nanosecondsOf(unixMs) - exact;
        // Below a few hours a float is finer than what is computed with.
        expect(off === 0n || (unixMs < 1e9 && off * off === 1n)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('and read back it is the same float', () => {
    fc.assert(
      fc.property(fc.double({ min: Date.UTC(1990), max: Date.UTC(2116), noNaN: true }), (unixMs) => {
        expect(readUnits(9, 0, nanosecondsOf(unixMs))).toBe(unixMs);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('read (if_tsresol, if_tsoffset)', () => {
  const NOON_S = Date.UTC(2026, 0, 1, 12) / 1000;

  test.each([
    ['seconds', 0, BigInt(NOON_S)],
    ['milliseconds', 3, BigInt(NOON_S) * 10n ** 3n],
    ['microseconds', 6, BigInt(NOON_S) * 10n ** 6n],
    ['nanoseconds', 9, BigInt(NOON_S) * 10n ** 9n],
    ['2^-10 s', 0x80 | 10, BigInt(NOON_S) << 10n],
    ['2^-32 s', 0x80 | 32, BigInt(NOON_S) << 32n],
    ['2^0 s', 0x80, BigInt(NOON_S)],
  ])('%s', (_name, resolution, units) => {
    expect(readUnits(resolution, 0, units)).toBe(NOON_S * 1000);
  });

  test('fractions', () => {
    expect(readUnits(6, 0, 1_767_268_800_000_250n)).toBe(NOON_S * 1000 + 0.25);
    expect(readUnits(9, 0, 1_767_268_800_000_250_000n)).toBe(NOON_S * 1000 + 0.25);
    expect(readUnits(0x80 | 1, 0, 3n)).toBe(1500);
    expect(readUnits(12, 0, 2_500_000_000n)).toBe(2.5);
  });

  test('an offset in seconds, also a negative one', () => {
    expect(readUnits(9, NOON_S, 1_500_000n)).toBe(NOON_S * 1000 + 1.5);
    expect(readUnits(6, -3600, 7_200_000_000n)).toBe(3_600_000);
    expect(readUnits(9, -1, 500_000_000n)).toBe(-500);
  });

  test('microseconds and nanoseconds agree to the last bit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4n * 10n ** 15n }), (microseconds) => {
        const fromMicroseconds = readUnits(6, 0, microseconds);
        expect(fromMicroseconds).toBe(Number(microseconds) / 1000);
        expect(Math.abs(readUnits(9, 0, microseconds * 1000n) - fromMicroseconds)).toBeLessThan(0.0005);
      }),
    );
  });

  test('every resolution gives a finite time', () => {
    for (let resolution = 0; resolution < 256; resolution++) {
      expect(Number.isFinite(readUnits(resolution, 0, 2n ** 64n - 1n)), String(resolution)).toBe(true);
    }
  });
});
