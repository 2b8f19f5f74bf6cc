// More calls than the recorder may take, by SIPp with real media.
import { describe, expect, test } from 'vitest';
import { sippAvailable } from '../peers/captured-call.ts';
import { Pings } from './pings.ts';
import { percentile } from './sipp-calls.ts';
import { full, loadRecorder, report } from './under-load.ts';

describe.skipIf(!sippAvailable())('more calls than limits.recordings', () => {
  const timeout = full ? 240_000 : 60_000;
  test('exactly the limit is recorded whole, every other refused at once', { timeout }, async () => {
    const [calls, ratePerSecond, pauseMs, limit] = full ? [2_000, 100, 24_000, 200] : [60, 30, 3_500, 10];
    const plan = { scenario: 'plain-call', transport: 'tcp', calls, ratePerSecond, pauseMs } as const;
    const pings = new Pings();
    const { refusalsMs, refusalsAtRecorderMs, ...result } = await loadRecorder(
      plan,
      `limits: {recordings: ${limit}}\n`,
      (port) => pings.begin(port),
    );
    const answersMs = await pings.answers();

    expect([result.calls.size, refusalsMs.length, refusalsAtRecorderMs.length]).toEqual([
      limit,
      calls - limit,
      calls - limit,
    ]);
    expect(result.faults).toEqual([]);
    // OPTIONS said both in its time.
    expect(Object.keys(answersMs).sort()).toEqual(['200', '503']);
    expect(result.log.filter((line) => line.level === 'error')).toEqual([]);
    // The state changed twice, and is looked at once a second; the refused calls have no line each.
    const changes = () => result.log.filter(({ msg }) => msg.startsWith('new recordings are'));
    await expect.poll(() => changes().length, { timeout: 5_000 }).toBe(2);
    const slowest: number[] = [];
    for (const [what, times] of [
      [`${refusalsMs.length} of ${calls} calls refused, as SIPp saw it`, refusalsMs],
      ['the same at the recorder', refusalsAtRecorderMs],
      [
        'OPTIONS answered',
        Object.values(answersMs)
          .flat()
          .sort((a, b) => a - b),
      ],
    ] as const) {
      const [p50, p99, longest] = [50, 99, 100].map((percent) => percentile(times, percent).toFixed(1));
      report(`${what}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
      slowest.push(times.at(-1) ?? 0);
    }
    // Only where the machine is this test's alone.
    if (full) expect(Math.max(...slowest)).toBeLessThan(100);
  });
});
