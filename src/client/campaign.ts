// Many calls at a steady rate, and one summary of how they went.
import type { Clock } from '../lib/clock.ts';
import type { CallOutcome, CallPlan } from './call-plan.ts';
import type { RecordingClient } from './recording-client.ts';

export interface CampaignPlan {
  calls: number;
  /** Calls set up per second, evenly spaced. */
  ratePerSecond: number;
  /** The plan of one call, by its number from 0. Share audio sources between calls. */
  plan(index: number): CallPlan;
  /** Starts no more calls, and ends those that run. */
  signal?: AbortSignal;
  /** Called as each call ends. */
  onOutcome?(outcome: CallOutcome, index: number): void;
}

export interface CampaignSummary {
  /** INVITEs begun: fewer than planned after an abort. */
  attempted: number;
  answered: number;
  /** Calls that did not go as planned, by status (`503`) or kind (`timeout`, `error`, `remote-bye`). */
  failed: Record<string, number>;
  /** Cut short by the signal before they were answered: no failure. */
  cancelled: number;
  /** Null when no call was answered. */
  setUpMs: { p50: number; p99: number; max: number } | null;
  packetsSent: number;
  packetsSkipped: number;
  sendErrors: number;
  /** From the first INVITE to the end of the last call. */
  durationMs: number;
  /** The first few different reasons of failures, for people. */
  reasons: string[];
}

const REASONS_KEPT = 5;

/** Never rejects because of a call. Throws RangeError when the plan makes no sense. */
export async function runCampaign(
  client: RecordingClient,
  campaign: CampaignPlan,
  clock: Clock,
): Promise<CampaignSummary> {
  const { calls, ratePerSecond, signal } = campaign;
  if (!Number.isInteger(calls) || calls < 1) throw new RangeError('the number of calls must be a whole number above 0');
  if (!(ratePerSecond > 0)) throw new RangeError('the rate must be above 0 calls per second');
  const beganMs = clock.nowMs();
  const running: Promise<CallOutcome>[] = [];
  for (let index = 0; index < calls && !signal?.aborted; index++) {
    await until(beganMs + (index * 1000) / ratePerSecond, clock, signal);
    if (signal?.aborted) break;
    running.push(runOne(client, campaign, index));
  }
  const outcomes = await Promise.all(running);
  return summarise(outcomes, clock.nowMs() - beganMs);
}

async function runOne(client: RecordingClient, campaign: CampaignPlan, index: number): Promise<CallOutcome> {
  const { signal } = campaign;
  const plan = campaign.plan(index);
  const outcome = await client.call(signal ? { ...plan, signal } : plan);
  campaign.onOutcome?.(outcome, index);
  return outcome;
}

function until(atMs: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const delayMs = atMs - clock.nowMs();
  if (delayMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.after(delayMs, done);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      timer.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}

export function summarise(outcomes: readonly CallOutcome[], durationMs: number): CampaignSummary {
  const setUps = outcomes.flatMap(({ setUpMs }) => (setUpMs === null ? [] : [setUpMs])).sort((a, b) => a - b);
  const failed: Record<string, number> = {};
  const reasons = new Set<string>();
  let cancelled = 0;
  for (const outcome of outcomes) {
    if (outcome.ended === 'bye') continue;
    if (outcome.ended === 'cancelled') {
      cancelled++;
      continue;
    }
    const kind = outcome.ended === 'refused' && outcome.status !== null ? String(outcome.status) : outcome.ended;
    failed[kind] = (failed[kind] ?? 0) + 1;
    if (reasons.size < REASONS_KEPT) reasons.add(outcome.reason);
  }
  const streams = outcomes.flatMap((outcome) => outcome.streams);
  return {
    attempted: outcomes.length,
    answered: setUps.length,
    failed,
    cancelled,
    setUpMs:
      setUps.length === 0
        ? null
        : { p50: percentile(setUps, 50), p99: percentile(setUps, 99), max: setUps[setUps.length - 1]! },
    packetsSent: streams.reduce((sum, { packetsSent }) => sum + packetsSent, 0),
    packetsSkipped: streams.reduce((sum, { packetsSkipped }) => sum + packetsSkipped, 0),
    sendErrors: streams.reduce((sum, { sendErrors }) => sum + sendErrors, 0),
    durationMs,
    reasons: [...reasons],
  };
}

/** Nearest rank, of a sorted list that is not empty. */
function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

/** True when every call that was begun went as planned. */
export function campaignSucceeded(summary: CampaignSummary): boolean {
  return Object.keys(summary.failed).length === 0 && summary.attempted > 0;
}

/** Some lines for people, without a line end at the end. */
export function formatSummary(summary: CampaignSummary): string {
  const failures = Object.entries(summary.failed);
  const lines = [
    `calls     ${summary.attempted} begun, ${summary.answered} answered, ${failures.reduce((sum, [, count]) => sum + count, 0)} failed${summary.cancelled > 0 ? `, ${summary.cancelled} cancelled` : ''}`,
  ];
  for (const [kind, count] of failures) lines.push(`          ${count} × ${kind}`);
  for (const reason of summary.reasons) lines.push(`          ${reason}`);
  const { setUpMs } = summary;
  if (setUpMs) {
    const figures = `median ${setUpMs.p50.toFixed(1)} ms, p99 ${setUpMs.p99.toFixed(1)} ms, longest ${setUpMs.max.toFixed(1)} ms`;
    lines.push(`set-up    ${figures}`);
  }
  lines.push(`media     ${summary.packetsSent} RTP packets sent in ${(summary.durationMs / 1000).toFixed(1)} s`);
  if (summary.packetsSkipped > 0)
    lines.push(`          ${summary.packetsSkipped} skipped because this machine was too slow`);
  if (summary.sendErrors > 0)
    lines.push(`          ${summary.sendErrors} send errors: is the SRS receiving on those ports?`);
  return lines.join('\n');
}
