import { expect, test } from 'vitest';
import { PortPool } from '../../src/capture/ports.ts';
import { ManualClock } from '../support/manual-clock.ts';

function pool(first: number, last: number, restMs = 5000, random = () => 0) {
  const clock = new ManualClock();
  return { clock, ports: new PortPool({ range: { first, last }, restMs, clock, random }) };
}

test.each([
  { first: 40_000, last: 40_007, pairs: [40_000, 40_002, 40_004, 40_006] },
  { first: 40_001, last: 40_007, pairs: [40_002, 40_004, 40_006] },
  { first: 40_000, last: 40_006, pairs: [40_000, 40_002, 40_004] },
  { first: 65_532, last: 70_000, pairs: [65_532, 65_534] },
  { first: 40_001, last: 40_002, pairs: [] },
  { first: 50_000, last: 40_000, pairs: [] },
])('even ports with the odd one above, from $first to $last', ({ first, last, pairs }) => {
  const { ports } = pool(first, last);
  expect(ports.pairs).toBe(pairs.length);
  expect(pairs.map(() => ports.take())).toEqual(pairs);
  expect(ports.take()).toBeNull();
});

test('begins somewhere in the range', () => {
  const { ports } = pool(40_000, 40_007, 5000, () => 0.6);
  expect([ports.take(), ports.take(), ports.take(), ports.take()]).toEqual([40_004, 40_006, 40_000, 40_002]);
});

test('round robin: the pair that has been free longest comes first', () => {
  const { ports } = pool(40_000, 40_005);
  expect(ports.take()).toBe(40_000);
  ports.giveBack(40_000);
  expect([ports.take(), ports.take(), ports.take(), ports.take()]).toEqual([40_002, 40_004, 40_000, null]);
});

test('a released pair rests', () => {
  const { clock, ports } = pool(40_000, 40_003);
  ports.take();
  ports.take();
  ports.release(40_002);
  clock.advance(1000);
  ports.release(40_000);
  expect([ports.used, ports.resting]).toEqual([0, 2]);
  clock.advance(3999);
  expect(ports.take()).toBeNull();
  clock.advance(1);
  expect([ports.take(), ports.take()]).toEqual([40_002, null]);
  clock.advance(1000);
  expect(ports.take()).toBe(40_000);
});

test('a certain pair can be reserved if it is free, and only then', () => {
  const { clock, ports } = pool(40_000, 40_005);
  expect(ports.reserve(40_002)).toBe(true);
  expect(ports.reserve(40_002)).toBe(false);
  expect([40_001, 39_998, 40_006, 40_000.5].map((port) => ports.reserve(port))).toEqual([false, false, false, false]);
  expect([ports.take(), ports.take(), ports.take()]).toEqual([40_000, 40_004, null]);
  ports.release(40_002);
  expect(ports.reserve(40_002)).toBe(false);
  clock.advance(5000);
  expect(ports.reserve(40_002)).toBe(true);
  expect(ports.take()).toBeNull();
});

test('a reserved pair that comes back is handed out once', () => {
  const { ports } = pool(40_000, 40_003);
  ports.reserve(40_000);
  ports.giveBack(40_000);
  expect([ports.take(), ports.take(), ports.take()]).toEqual([40_000, 40_002, null]);
});

test('giving back what is not in use changes nothing', () => {
  const { ports } = pool(40_000, 40_003);
  expect(ports.take()).toBe(40_000);
  ports.release(40_000);
  ports.release(40_000);
  ports.giveBack(40_000);
  ports.giveBack(40_002);
  ports.giveBack(12);
  expect([ports.used, ports.resting, ports.take(), ports.take()]).toEqual([0, 1, 40_002, null]);
});

test('a long life: every pair is used, none twice at once, none lost', () => {
  const { clock, ports } = pool(40_000, 40_019, 100);
  const inUse = new Set<number>();
  const counts = new Map<number, number>();
  for (let round = 0; round < 2000; round++) {
    const port = ports.take();
    if (port !== null) {
      expect(inUse.has(port)).toBe(false);
      inUse.add(port);
      counts.set(port, (counts.get(port) ?? 0) + 1);
    }
    if (inUse.size > 6 || port === null) {
      const [oldest] = inUse;
      inUse.delete(oldest!);
      if (round % 3 === 0) ports.giveBack(oldest!);
      else ports.release(oldest!);
    }
    clock.advance(20);
  }
  expect(counts.size).toBe(10);
  expect(Math.min(...counts.values())).toBeGreaterThan(100);
});
