// A short run of chaos with a fixed seed; `npm run test:chaos` makes long ones.
import { expect, test } from 'vitest';
import { runChaos } from './chaos.ts';

test('a kill -9, dead workers, SIGSTOP, a full disk and clock steps: nothing is lost that need not be', async () => {
  const plan = { seed: 10, faults: 6, arenas: 1, calls: 3, killShare: 20, firstRtpPort: 15_900 };
  const report = await runChaos({ ...plan, shortestCallMs: 60_000, longestCallMs: 60_000 });
  expect(report.failures).toEqual([]);
  expect(report.faults.kill).toBeGreaterThan(0);
  expect(report.calls).toBeGreaterThanOrEqual(3);
  // Of each call most was heard, in both channels.
  expect(report.windowsHeard).toBeGreaterThan(100);
}, 120_000);
