import { describe, expect, test } from 'vitest';
import { tone } from '../../src/client/audio.ts';
import type { CallOutcome, CallPlan } from '../../src/client/call-plan.ts';
import { campaignSucceeded, formatSummary, runCampaign, summarise } from '../../src/client/campaign.ts';
import type { RecordingClient } from '../../src/client/recording-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const plan: CallPlan = {
  uri: 'sip:127.0.0.1',
  durationMs: 1000,
  parties: [{ name: null, aor: 'sip:a', audio: tone(440) }],
};

function outcome(change: Partial<CallOutcome> = {}, packetsSent = 50): CallOutcome {
  const stream = {
    label: '0',
    packetsSent,
    packetsWithheld: 0,
    packetsSkipped: 1,
    sendErrors: 0,
    startedMs: 0,
    ssrc: 1,
  };
  return {
    callId: 'c',
    status: 200,
    setUpMs: 10,
    streams: [stream],
    ended: 'bye',
    reason: 'ended with BYE',
    ...change,
  };
}

/** Each call lasts as long as planned, or until its signal comes. */
function fakeClient(clock: ManualClock) {
  const startedMs: number[] = [];
  const beganMs = clock.nowMs();
  const client: RecordingClient = {
    connect: () => Promise.reject(new Error('not used')),
    call: ({ durationMs, signal }) => {
      startedMs.push(clock.nowMs() - beganMs);
      return new Promise((resolve) => {
        clock.after(durationMs, () => resolve(outcome()));
        signal?.addEventListener('abort', () => resolve(outcome()));
      });
    },
  };
  return { client, startedMs };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let at = 0; at < ms; at += 10) {
    await Promise.resolve();
    await Promise.resolve();
    clock.advance(10);
  }
}

describe('a campaign', () => {
  test('begins calls evenly spaced and sums them up', async () => {
    const clock = new ManualClock();
    const { client, startedMs } = fakeClient(clock);
    const ended: number[] = [];
    const running = runCampaign(
      client,
      { calls: 5, ratePerSecond: 4, plan: () => plan, onOutcome: (_outcome, index) => ended.push(index) },
      clock,
    );
    await pass(clock, 3000);
    const summary = await running;
    expect(startedMs).toEqual([0, 250, 500, 750, 1000]);
    expect(ended).toEqual([0, 1, 2, 3, 4]);
    expect(summary).toMatchObject({ attempted: 5, answered: 5, failed: {}, packetsSent: 250, packetsSkipped: 5 });
    expect(summary.durationMs).toBeGreaterThanOrEqual(2000);
    expect(campaignSucceeded(summary)).toBe(true);
  });

  test('ends on the signal: no further call begins, those that run are told', async () => {
    const clock = new ManualClock();
    const { client, startedMs } = fakeClient(clock);
    const controller = new AbortController();
    const running = runCampaign(
      client,
      { calls: 100, ratePerSecond: 10, plan: () => ({ ...plan, durationMs: 3_600_000 }), signal: controller.signal },
      clock,
    );
    await pass(clock, 250);
    controller.abort();
    const summary = await running;
    expect(startedMs).toHaveLength(3);
    expect(summary).toMatchObject({ attempted: 3, answered: 3, failed: {} });
    await pass(clock, 500);
    expect(startedMs).toHaveLength(3);
  });

  test.each([
    { calls: 0, ratePerSecond: 1 },
    { calls: 1.5, ratePerSecond: 1 },
    { calls: 1, ratePerSecond: 0 },
    { calls: 1, ratePerSecond: Number.NaN },
  ])('refuses nonsense: %o', async (numbers) => {
    const clock = new ManualClock();
    const { client, startedMs } = fakeClient(clock);
    await expect(runCampaign(client, { ...numbers, plan: () => plan }, clock)).rejects.toThrow(RangeError);
    expect(startedMs).toEqual([]);
  });
});

describe('the summary', () => {
  const none = { setUpMs: null, streams: [] };
  const outcomes = [
    ...Array.from({ length: 98 }, (_, index) => outcome({ setUpMs: index + 1 })),
    outcome({ setUpMs: 500, ended: 'remote-bye', reason: 'max-duration' }),
    outcome({ ...none, status: 503, ended: 'refused', reason: '503 Service Unavailable' }),
    outcome({ ...none, status: 503, ended: 'refused', reason: '503 Service Unavailable' }),
    outcome({ ...none, status: null, ended: 'timeout', reason: 'no final response within 10000 ms' }),
    outcome({ ...none, status: null, ended: 'cancelled', reason: 'cancelled before the answer' }),
  ];

  test('counts failures by kind, and takes nearest ranks', () => {
    expect(summarise(outcomes, 2000)).toEqual({
      attempted: 103,
      answered: 99,
      failed: { 503: 2, timeout: 1, 'remote-bye': 1 },
      cancelled: 1,
      setUpMs: { p50: 50, p99: 500, max: 500 },
      packetsSent: 99 * 50,
      packetsSkipped: 99,
      sendErrors: 0,
      durationMs: 2000,
      reasons: ['max-duration', '503 Service Unavailable', 'no final response within 10000 ms'],
    });
    expect(campaignSucceeded(summarise(outcomes, 1))).toBe(false);
    expect(campaignSucceeded(summarise([], 1))).toBe(false);
  });

  test('for people', () => {
    expect(formatSummary(summarise(outcomes, 2000)).split('\n')).toEqual([
      'calls     103 begun, 99 answered, 4 failed, 1 cancelled',
      '          2 × 503',
      '          1 × remote-bye',
      '          1 × timeout',
      '          max-duration',
      '          503 Service Unavailable',
      '          no final response within 10000 ms',
      'set-up    median 50.0 ms, p99 500.0 ms, longest 500.0 ms',
      'media     4950 RTP packets sent in 2.0 s',
      '          99 skipped because this machine was too slow',
    ]);
    expect(formatSummary(summarise([], 0))).toBe(
      'calls     0 begun, 0 answered, 0 failed\nmedia     0 RTP packets sent in 0.0 s',
    );
  });
});
