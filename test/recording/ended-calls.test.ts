import { expect, test } from 'vitest';
import { EndedCalls } from '../../src/recording/ended-calls.ts';
import { ManualClock } from '../support/manual-clock.ts';

const HOUR_MS = 3_600_000;
const id = (text: string) => Promise.resolve(text);

test('remembers the last recording of a Call-ID', async () => {
  const ended = new EndedCalls(new ManualClock());
  ended.remember('a', id('first'));
  ended.remember('a', id('second'));
  expect([await ended.lastRecording('a'), await ended.lastRecording('b'), ended.size]).toEqual(['second', null, 1]);
});

test('forgets after a day, and then needs no space', async () => {
  const clock = new ManualClock();
  const ended = new EndedCalls(clock);
  ended.remember('a', id('first'));
  clock.advance(23 * HOUR_MS);
  ended.remember('b', id('other'));
  expect(await ended.lastRecording('a')).toBe('first');
  clock.advance(HOUR_MS);
  expect(await ended.lastRecording('a')).toBeNull();
  ended.remember('c', id('new'));
  expect(ended.size).toBe(2);
});

test('forgets the oldest of more than 10,000', async () => {
  const ended = new EndedCalls(new ManualClock());
  for (let n = 0; n <= 10_000; n++) ended.remember(`call-${n}`, id(`${n}`));
  expect([ended.size, await ended.lastRecording('call-0'), await ended.lastRecording('call-1')]).toEqual([
    10_000,
    null,
    '1',
  ]);
});
