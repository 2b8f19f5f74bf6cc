import { describe, expect, test } from 'vitest';
import { Gauge } from '../../src/recording/gauge.ts';

/** What it says for one value after the other. */
function over(values: (number | null)[], refuseAt: number, acceptAt: number): boolean[] {
  let value: number | null = null;
  const gauge = new Gauge(
    'x',
    'CODE',
    () => value,
    () => ({ refuseAt, acceptAt }),
  );
  return values.map((next) => {
    value = next;
    return gauge.read().refusing;
  });
}

describe('a gauge', () => {
  test('high is bad: refuses at one threshold and accepts again at the other, not between', () => {
    expect(over([0, 99, 100, 99, 51, 50, 99, 1e9], 100, 50)).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test('low is bad', () => {
    expect(over([1000, 101, 100, 101, 199, 200, 101, -5], 100, 200)).toEqual([
      false,
      false,
      true,
      true,
      true,
      false,
      false,
      true,
    ]);
  });

  test('what cannot be measured refuses nobody, and infinity is a value', () => {
    expect(over([null, Number.POSITIVE_INFINITY, null, 60], 100, 50)).toEqual([false, true, false, false]);
  });

  test('a value that trembles around a threshold changes nothing', () => {
    const trembling = Array.from({ length: 100 }, (_, i) => (i % 2 ? 100 : 98));
    expect(new Set(over([100, ...trembling], 100, 50))).toEqual(new Set([true]));
  });
});
