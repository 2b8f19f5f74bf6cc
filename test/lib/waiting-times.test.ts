import { expect, test } from 'vitest';
import { WaitingTimes } from '../../src/lib/waiting-times.ts';

test('tells how many wait, and how long the first of them does', () => {
  const waiting = new WaitingTimes();
  expect(waiting.figures(50)).toEqual({ count: 0, oldestMs: 0 });
  waiting.begin('a', 100);
  waiting.begin('b', 200);
  // Tried again: it waits all the same.
  waiting.begin('a', 300);
  expect(waiting.figures(400)).toEqual({ count: 2, oldestMs: 300 });
  waiting.end('a');
  waiting.end('a');
  expect(waiting.figures(400)).toEqual({ count: 1, oldestMs: 200 });
  waiting.begin('a', 500);
  expect(waiting.figures(600)).toEqual({ count: 2, oldestMs: 400 });
});
