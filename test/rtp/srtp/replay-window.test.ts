import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REPLAY_WINDOW_PACKETS, ReplayWindow } from '../../../src/rtp/srtp/replay-window.ts';

test('an index is accepted once; what is too old to tell is not', () => {
  const window = new ReplayWindow();
  window.accept(5000);
  expect(window.isReplay(5000)).toBe(true);
  expect(window.isReplay(4999)).toBe(false);
  expect(window.isReplay(5001)).toBe(false);
  expect(window.isReplay(5000 - REPLAY_WINDOW_PACKETS + 1)).toBe(false);
  expect(window.isReplay(5000 - REPLAY_WINDOW_PACKETS)).toBe(true);
});

test('RFC 3711 3.3.2: at least 64 packets', () => {
  expect(REPLAY_WINDOW_PACKETS).toBeGreaterThanOrEqual(64);
});

test('agrees with a set of all indices, over jumps of any width and beyond 32 bits', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -70, max: 70 }) },
    { weight: 1, arbitrary: fc.integer({ min: -2200, max: 2200 }) },
    { weight: 1, arbitrary: fc.constantFrom(-1025, -1024, -1023, 1023, 1024, 1025, 65_536, 2 ** 33) },
  );
  fc.assert(
    fc.property(
      fc.constantFrom(0, 1000, 2 ** 32 - 3, 2 ** 47),
      fc.array(step, { minLength: 1, maxLength: 80 }),
      (first, steps) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let highest = -1;
        let index = first;
        for (const by of steps) {
          index = Math.max(0, index + by);
          const replay = seen.has(index) || index <= highest - REPLAY_WINDOW_PACKETS;
          expect(window.isReplay(index)).toBe(replay);
          if (replay) continue;
          window.accept(index);
          seen.add(index);
          highest = Math.max(highest, index);
          expect(window.highest).toBe(highest);
        }
      },
    ),
    { numRuns: 400 },
  );
});
