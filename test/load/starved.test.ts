// A recorder that hardly gets to run: beyond what the machine can do, whatever the reason.
import type { ChildProcess } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sippAvailable } from '../peers/captured-call.ts';
import { full, loadRecorder, report } from './under-load.ts';

/** A run of 60 ms in every 710 ms: a tenth of the time, and media waits in the kernel for the rest. */
const STOPPED_MS = 650;
const RUNNING_MS = 60;

/** Holds the process back between two moments from now. */
function starve(recorder: ChildProcess, fromMs: number, toMs: number): void {
  const beganMs = performance.now();
  let timer = setTimeout(stop, fromMs);
  function stop(): void {
    recorder.kill('SIGSTOP');
    timer = setTimeout(go, STOPPED_MS);
  }
  function go(): void {
    recorder.kill('SIGCONT');
    if (performance.now() - beganMs < toMs) timer = setTimeout(stop, RUNNING_MS);
  }
  onTestFinished(() => {
    clearTimeout(timer);
    recorder.kill('SIGCONT');
  });
}

describe.skipIf(!sippAvailable() || process.platform === 'win32')('more than the machine can do', () => {
  const timeout = full ? 240_000 : 60_000;
  test('new calls are refused, running ones stay whole, and new ones are taken again', { timeout }, async () => {
    const [calls, ratePerSecond, pauseMs, fromMs, toMs] = full
      ? [600, 20, 15_000, 8_000, 18_000]
      : [50, 5, 3_000, 1_000, 6_000];
    const plan = { scenario: 'plain-call', transport: 'tcp', calls, ratePerSecond, pauseMs } as const;
    const result = await loadRecorder(plan, '', (_, recorder) => starve(recorder, fromMs, toMs));

    // Every call was answered one way or the other, and each that was accepted is whole.
    expect(result.calls.size + result.refusalsMs.length).toBe(calls);
    expect(result.faults).toEqual([]);
    const accepted = [...result.calls.keys()].sort((a, b) => a - b);
    const refused = Array.from({ length: calls }, (_, i) => i + 1).filter((call) => !result.calls.has(call));
    report(`${refused.length} of ${calls} calls refused while starved`);
    expect(refused.length).toBeGreaterThan(0);
    expect(accepted[0]).toBeLessThan(refused[0]!);
    expect(accepted.at(-1)).toBeGreaterThan(refused.at(-1)!);
    // No to and fro: once refused, for one reason after the other, and once taken again.
    const changes = () => {
      const told = result.log.map(({ msg }) => msg).filter((msg) => msg.startsWith('new recordings are'));
      return told.filter((msg, index) => msg !== told[index - 1]);
    };
    await expect
      .poll(changes, { timeout: 5_000 })
      .toEqual(['new recordings are refused', 'new recordings are taken again']);
    expect(result.log.filter((line) => line.level === 'error')).toEqual([]);
  });
});
