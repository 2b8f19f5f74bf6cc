// G.711 against the recommendation's own values.
import { describe, expect, test } from 'vitest';
import {
  ALAW_TO_LINEAR,
  decodeG711,
  encodeAlaw,
  encodeUlaw,
  linearToAlaw,
  linearToUlaw,
  ULAW_TO_LINEAR,
} from '../../../src/render/codecs/g711.ts';
import { toneLevel } from '../../support/listen.ts';

describe('µ-law', () => {
  test('ITU-T G.711 table 2a: decision values and codes of the positive half, in 14-bit units', () => {
    // Column 3 (decision value x_n of the segment's first step) and column 6 (the code sent), ends of segments.
    const segments: [value14: number, code: number][] = [
      [0, 0xff],
      [31, 0xef],
      [95, 0xdf],
      [223, 0xcf],
      [479, 0xbf],
      [991, 0xaf],
      [2015, 0x9f],
      [4063, 0x8f],
      [8158, 0x80],
    ];
    for (const [value14, code] of segments) expect([value14, linearToUlaw(value14 * 4)]).toEqual([value14, code]);
  });

  test('ITU-T G.711 table 2: decoder output values, in 14-bit units', () => {
    const outputs = [0x80, 0x8f, 0x9f, 0xaf, 0xbf, 0xcf, 0xdf, 0xef, 0xfe, 0xff].map(
      (code) => ULAW_TO_LINEAR[code]! / 4,
    );
    expect(outputs).toEqual([8031, 4191, 2079, 1023, 495, 231, 99, 33, 2, 0]);
    expect([0x00, 0x0f, 0x7e, 0x7f].map((code) => ULAW_TO_LINEAR[code]! / 4 + 0)).toEqual([-8031, -4191, -2, 0]);
  });

  test('every code decodes to a value that encodes to it again', () => {
    // 0x7F is negative zero: it decodes to 0, which is sent as 0xFF.
    for (let code = 0; code < 256; code++)
      expect(linearToUlaw(ULAW_TO_LINEAR[code]!)).toBe(code === 0x7f ? 0xff : code);
  });

  test('no sample is further from its code value than half a quantising step', () =>
    expectWithinHalfStep(ULAW_TO_LINEAR, linearToUlaw, 32124, (code) => 8 << ((~code >> 4) & 7)));

  test('digital milliwatt (table 6): 1 kHz at 0 dBm0, 3.17 dB below the overload point of 8159', () => {
    const period = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
    expect(milliwattLevel(ULAW_TO_LINEAR, period)).toBeCloseTo(20 * Math.log10((8159 * 4) / 32768) - 3.17, 2);
  });
});

describe('A-law', () => {
  test('ITU-T G.711 table 1: decision values and codes, in 13-bit units', () => {
    const segments: [value13: number, code: number][] = [
      [0, 0x80],
      [64, 0xa0],
      [128, 0xb0],
      [256, 0xc0],
      [512, 0xd0],
      [1024, 0xe0],
      [2048, 0xf0],
      [4095, 0xff],
    ];
    // The table shows codes before the inversion of even bits.
    for (const [value13, code] of segments)
      expect([value13, linearToAlaw(value13 * 8) ^ 0x55]).toEqual([value13, code]);
  });

  test('ITU-T G.711 table 1: decoder output values', () => {
    const outputs = [0xff, 0xf0, 0xe0, 0xd0, 0xc0, 0xb0, 0xa0, 0x80].map((code) => ALAW_TO_LINEAR[code ^ 0x55]! / 8);
    expect(outputs).toEqual([4032, 2112, 1056, 528, 264, 132, 66, 1]);
    expect([0x7f, 0x00].map((code) => ALAW_TO_LINEAR[code ^ 0x55]! / 8)).toEqual([-4032, -1]);
  });

  test('every code decodes to a value that encodes to it again', () => {
    for (let code = 0; code < 256; code++) expect(linearToAlaw(ALAW_TO_LINEAR[code]!)).toBe(code);
  });

  test('no sample is further from its code value than half a quantising step', () =>
    expectWithinHalfStep(
      ALAW_TO_LINEAR,
      linearToAlaw,
      32256,
      (code) => 16 << Math.max(0, (((code ^ 0x55) >> 4) & 7) - 1),
    ));

  test('digital milliwatt (table 5): 1 kHz at 0 dBm0, 3.14 dB below the overload point of 4096', () => {
    const period = [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4];
    expect(milliwattLevel(ALAW_TO_LINEAR, period)).toBeCloseTo(-3.14, 2);
  });
});

test('payloads are encoded sample by sample and decoded into the middle of a buffer', () => {
  const samples = Int16Array.from([0, 1000, -1000, 32767, -32768]);
  const ulaw = encodeUlaw(samples);
  const alaw = encodeAlaw(samples);
  expect([...ulaw]).toEqual([...samples].map(linearToUlaw));
  expect([...alaw]).toEqual([...samples].map(linearToAlaw));
  const out = new Int16Array(6);
  decodeG711(ULAW_TO_LINEAR, ulaw, 1, 3, out, 2);
  expect([...out]).toEqual([0, 0, 988, -988, 0, 0]);
});

function expectWithinHalfStep(
  table: Int16Array,
  encode: (sample: number) => number,
  largest: number,
  stepOf: (code: number) => number,
): void {
  for (let sample = -largest; sample <= largest; sample++) {
    const code = encode(sample);
    const error = Math.abs(table[code]! - sample);
    if (error > stepOf(code) / 2) expect({ sample, code, error }).toBeNull();
  }
}

function milliwattLevel(table: Int16Array, period: number[]): number {
  const samples = Int16Array.from({ length: 8000 }, (_, i) => table[period[i % 8]!]!);
  return toneLevel(samples, 8000, 1000, 0, 1000);
}
