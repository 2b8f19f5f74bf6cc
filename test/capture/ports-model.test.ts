// The pool of port pairs against a model that is simple and slow, and what it costs.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PortPool } from '../../src/capture/ports.ts';
import { ManualClock } from '../support/manual-clock.ts';

const REST_MS = 5000;

function poolOf(pairs: number, random: () => number = () => 0) {
  const clock = new ManualClock();
  const range = { first: 2000, last: 1999 + pairs * 2 };
  return { clock, pool: new PortPool({ range, restMs: REST_MS, clock, random }) };
}

const step = fc.tuple(
  fc.constantFrom('take', 'take', 'release', 'giveBack', 'reserve', 'advance'),
  fc.nat(2 * REST_MS),
);

test('whatever happens, it does as the model does', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 120 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(5),
      (steps, pairs, begin) => {
        const { clock, pool } = poolOf(pairs, () => ((begin % pairs) + 0.5) / pairs);
        const ports = Array.from({ length: pairs }, (_, i) => 2000 + i * 2);
        const used = new Set<number>();
        const restUntilMs = new Map<number, number>();
        const isFree = (port: number) => !used.has(port) && !restUntilMs.has(port);
        for (const [what, number] of steps) {
          const port = ports[number % pairs]!;
          if (what === 'take') {
            const taken = pool.take();
            if (taken === null) expect(ports.some(isFree)).toBe(false);
            else expect(ports.includes(taken) && isFree(taken)).toBe(true);
            if (taken !== null) used.add(taken);
          } else if (what === 'reserve') {
            expect(pool.reserve(port)).toBe(isFree(port));
            if (isFree(port)) used.add(port);
          } else if (what === 'release') {
            pool.release(port);
            if (used.delete(port)) restUntilMs.set(port, clock.nowMs() + REST_MS);
          } else if (what === 'giveBack') {
            pool.giveBack(port);
            used.delete(port);
          } else {
            clock.advance(number);
          }
          for (const [one, untilMs] of restUntilMs) if (untilMs <= clock.nowMs()) restUntilMs.delete(one);
          expect([pool.used, pool.resting]).toEqual([used.size, restUntilMs.size]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('two recorders with the same range seldom begin at the same pair', () => {
  const clock = new ManualClock();
  const range = { first: 40_000, last: 64_999 };
  const firsts = Array.from({ length: 20 }, () => new PortPool({ range, restMs: REST_MS, clock }).take());
  expect(new Set(firsts).size).toBeGreaterThan(10);
});

test('taking and releasing cost the same with few and with many in use', () => {
  const cost = (pairs: number): number => {
    const { clock, pool } = poolOf(pairs);
    for (let i = 0; i < pairs - 4; i++) pool.take();
    const beganMs = performance.now();
    for (let i = 0; i < 20_000; i++) {
      pool.release(pool.take()!);
      clock.advance(REST_MS);
    }
    return performance.now() - beganMs;
  };
  cost(8);
  expect(cost(30_000)).toBeLessThan(cost(8) * 20 + 50);
});
