// Calls that change in their middle, under load, by SIPp with real media: all whole, judged by content.
import { describe, expect, test } from 'vitest';
import { sippAvailable } from '../peers/captured-call.ts';
import { full, loadRecorder, report } from './under-load.ts';

describe.skipIf(!sippAvailable())('calls that are paused and resumed by re-INVITEs', () => {
  test.each(['tcp', 'tls'] as const)('over %s: all whole', { timeout: full ? 240_000 : 60_000 }, async (transport) => {
    const [calls, ratePerSecond, pauseMs] = full ? [500, 20, 3_000] : [30, 20, 1_000];
    const result = await loadRecorder({ scenario: 'changing-call', transport, calls, ratePerSecond, pauseMs });
    const lateMs = result.worstSenderLagMs.toFixed(0);
    report(
      `${transport}: ${calls} calls at ${ratePerSecond}/s, ${result.packetsSent} packets, sender late by up to ${lateMs} ms`,
    );
    expect(result.calls.size).toBe(calls);
    expect(result.faults).toEqual([]);
    expect(result.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});
