import { beforeEach, expect, test } from 'vitest';
import { SourceLimits, sourceKey } from '../../../src/siprec/access/source-limits.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let clock: ManualClock;

beforeEach(() => {
  clock = new ManualClock();
});

test('running calls: the next one is let in when one has ended, and only once', () => {
  const limits = new SourceLimits({ calls: 2, callsPerSecond: null }, clock);
  const first = limits.admit('192.0.2.1');
  expect([limits.admit('192.0.2.1').admitted, limits.admit('192.0.2.1').admitted]).toEqual([true, false]);
  expect(limits.admit('192.0.2.2').admitted).toBe(true);
  if (first.admitted) for (let i = 0; i < 3; i++) first.release();
  expect([limits.admit('192.0.2.1').admitted, limits.admit('192.0.2.1').admitted]).toEqual([true, false]);
});

test('calls per second: a burst of twice the rate, then the rate', () => {
  const limits = new SourceLimits({ calls: null, callsPerSecond: 5 }, clock);
  const offered = (count: number) => {
    let admitted = 0;
    for (let i = 0; i < count; i++) if (limits.admit('192.0.2.1').admitted) admitted++;
    return admitted;
  };
  expect(offered(100)).toBe(10);
  expect(limits.admit('192.0.2.1')).toEqual({ admitted: false, retryAfterS: 1 });
  clock.advance(1_000);
  expect(offered(100)).toBe(5);
  clock.advance(60_000);
  expect(offered(100)).toBe(10);
});

test('less than one call per second', () => {
  const limits = new SourceLimits({ calls: null, callsPerSecond: 0.1 }, clock);
  expect(limits.admit('192.0.2.1').admitted).toBe(true);
  expect(limits.admit('192.0.2.1')).toEqual({ admitted: false, retryAfterS: 10 });
  clock.advance(10_000);
  expect(limits.admit('192.0.2.1').admitted).toBe(true);
});

test('sources beyond ten thousand push out the longest silent ones, but none that has a call', () => {
  const limits = new SourceLimits({ calls: 1, callsPerSecond: null }, clock);
  expect(limits.admit('192.0.2.1').admitted).toBe(true);
  for (let i = 0; i < 20_000; i++) {
    const verdict = limits.admit(`10.0.${i >> 8}.${i & 255}`);
    if (verdict.admitted) verdict.release();
  }
  expect(limits.size).toBe(10_000);
  expect(limits.admit('192.0.2.1').admitted).toBe(false);
});

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
])('%s counts as %s', (host, key) => {
  expect(sourceKey(host)).toBe(key);
});
