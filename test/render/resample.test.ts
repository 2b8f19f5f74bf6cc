// Interpolation: right frequency, right time, no images.
import { describe, expect, test } from 'vitest';
import { fitSamples, Resampler } from '../../src/render/resample.ts';
import { toneLevel } from '../support/listen.ts';

/** One second of a tone, converted with context on both sides. */
function convert(inputRateHz: number, outputRateHz: number, hz: number): Int16Array {
  const resampler = new Resampler(inputRateHz, outputRateHz);
  const input = new Int16Array(inputRateHz + 2 * resampler.margin + 1);
  for (let i = 0; i < input.length; i++) {
    input[i] = 16_384 * Math.sin((2 * Math.PI * hz * (i - resampler.margin)) / inputRateHz);
  }
  const output = new Float32Array(outputRateHz);
  resampler.addTo(output, outputRateHz, input);
  return Int16Array.from(output, (sample) => Math.round(sample));
}

const RATES: [number, number][] = [
  [8000, 16_000],
  [8000, 48_000],
  [8000, 44_100],
  [16_000, 8000],
  [44_100, 8000],
  [7999, 48_000],
  [11_025, 8000],
];

describe.each(RATES)('%i Hz to %i Hz', (from, to) => {
  test('a tone keeps level and phase', () => {
    const output = convert(from, to, 1000);
    expect(toneLevel(output, to, 1000, 0, 1000)).toBeCloseTo(-6.02, 1);
    let worst = 0;
    for (let i = 0; i < to; i++) {
      worst = Math.max(worst, Math.abs(output[i]! - 16_384 * Math.sin((2 * Math.PI * 1000 * i) / to)));
    }
    expect(20 * Math.log10(worst / 16_384)).toBeLessThan(-50);
  });

  test('speech up to 3.4 kHz passes', () => {
    expect(toneLevel(convert(from, to, 3400), to, 3400, 0, 1000)).toBeCloseTo(-6.02, 0);
  });
});

test('images and aliases are 70 dB down', () => {
  expect(toneLevel(convert(8000, 16_000, 3000), 16_000, 5000, 0, 1000)).toBeLessThan(-76);
  expect(toneLevel(convert(16_000, 8000, 5000), 8000, 3000, 0, 1000)).toBeLessThan(-76);
  expect(toneLevel(convert(44_100, 8000, 5000), 8000, 3000, 0, 1000)).toBeLessThan(-76);
});

describe('a sample more or less', () => {
  test.each([159, 161, 158, 162])('160 samples in %i places', (places) => {
    const input = Int16Array.from({ length: 160 }, (_, i) => 16_384 * Math.sin((2 * Math.PI * 1000 * i) / 8000));
    const output = new Int16Array(places);
    fitSamples(input, 160, output, places);
    let worst = 0;
    for (let i = 0; i < places - 4; i++) {
      const expected = 16_384 * Math.sin((2 * Math.PI * 1000 * ((i * 160) / places)) / 8000);
      worst = Math.max(worst, Math.abs(output[i]! - expected));
    }
    expect(output[0]).toBe(input[0]);
    expect(20 * Math.log10(worst / 16_384)).toBeLessThan(-40);
  });

  test('constant values stay constant, one sample too', () => {
    const output = new Int16Array(12);
    fitSamples(
      Int16Array.from({ length: 10 }, () => 1234),
      10,
      output,
      12,
    );
    expect([...output].every((sample) => Math.abs(sample - 1234) <= 1)).toBe(true);
    fitSamples(Int16Array.of(77), 1, output, 2);
    expect([...output.subarray(0, 2)]).toEqual([77, 77]);
  });
});
