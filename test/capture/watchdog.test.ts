import { expect, test } from 'vitest';
import { Watchdog } from '../../src/capture/watchdog.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { ManualClock } from '../support/manual-clock.ts';

function watch() {
  const clock = new ManualClock();
  const hung: string[] = [];
  const watchdog = new Watchdog<string>({ clock, limitMs: 5000, onHang: (worker) => hung.push(worker) });
  return { clock, hung, watchdog };
}

test('one that goes on talking never hangs; one that stops does, once, within the limit and a fifth', () => {
  const { clock, hung, watchdog } = watch();
  watchdog.heard('talks');
  watchdog.heard('stops');
  for (let second = 0; second < 5; second++) {
    clock.advance(1000);
    watchdog.heard('talks');
  }
  expect(hung).toEqual([]);
  clock.advance(1000);
  expect(hung).toEqual(['stops']);
  watchdog.heard('talks');
  clock.advance(4000);
  expect(hung).toEqual(['stops']);
});

test('a worker that ended is forgotten, and after the close nothing is looked at', () => {
  const { clock, hung, watchdog } = watch();
  watchdog.heard('ended');
  watchdog.forget('ended');
  clock.advance(60_000);
  watchdog.heard('closed');
  watchdog.close();
  clock.advance(60_000);
  expect(hung).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

test('a minute in which this thread was late itself, or stopped, counts as one look', () => {
  const clock = new ManualClock();
  const looks: (() => void)[] = [];
  const hung: string[] = [];
  const late: Clock = {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    after: (_, fire) => {
      looks.push(fire);
      return { cancel: () => {} };
    },
  };
  const watchdog = new Watchdog<string>({ clock: late, limitMs: 5000, onHang: (worker) => hung.push(worker) });
  watchdog.heard('alive');
  for (let minute = 0; minute < 10; minute++) {
    clock.advance(60_000);
    looks.shift()!();
    // What it said meanwhile is read after the timers.
    watchdog.heard('alive');
  }
  expect(hung).toEqual([]);
});
