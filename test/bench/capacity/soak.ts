// npm run bench -- soak [--minutes N] [--calls N]: the same load for a long time; memory and descriptors must stay flat.
// By hand: it takes as long as it says. Calls come and go all the time, a third of them at any moment.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toneHz } from './known-speech.ts';
import { startRecorder } from './recorder-process.ts';
import { startRtpLoad } from './rtp-load-process.ts';
import { SipLoad } from './sip-load.ts';

const CALL_SECONDS = 60;
/** The first minutes fill caches and heaps. */
const WARM_UP_SHARE = 1 / 3;
/** Growth between the first and the second half of what is judged. */
const FLAT_SHARE = 0.1;

interface Sample {
  residentOctets: number;
  descriptors: number;
}

export async function* benchSoak(minutes: number, calls: number): AsyncGenerator<string> {
  const data = mkdtempSync(join(tmpdir(), 'sipreel-soak-'));
  const recorder = await startRecorder(data);
  const sip = await SipLoad.open(recorder.sipPort);
  const load = await startRtpLoad();
  const samples: Sample[] = [];
  let failed = 0;
  const call = async (number: number) => {
    try {
      const answered = await sip.call(number);
      const [caller, callee] = answered.ports;
      const ids = [2 * number, 2 * number + 1];
      load.start([
        { id: ids[0]!, port: caller!, hz: toneHz(number, 0) },
        { id: ids[1]!, port: callee!, hz: toneHz(number, 1) },
      ]);
      await sleep(CALL_SECONDS * 1000);
      await load.stop(ids);
      await answered.bye();
    } catch {
      failed++;
    }
  };
  try {
    const startMs = performance.now();
    const untilMs = startMs + minutes * 60_000;
    const intervalMs = (CALL_SECONDS * 1000) / calls;
    for (let number = 0, minute = 1; performance.now() < untilMs; number++) {
      const waitMs = startMs + number * intervalMs - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      void call(number);
      if (performance.now() - startMs < minute * 60_000) continue;
      const sample = { residentOctets: recorder.residentOctets(), descriptors: recorder.descriptors() };
      samples.push(sample);
      yield `minute ${minute++}: ${(sample.residentOctets / 2 ** 20).toFixed(0)} MiB, ${sample.descriptors} descriptors, ${number + 1} calls begun, ${failed} failed`;
    }
    yield verdict(samples);
    for (const complaint of recorder.complaints) yield `  ${complaint}`;
  } finally {
    sip.close();
    await load.end();
    await recorder.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

function verdict(samples: Sample[]): string {
  const judged = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
  if (judged.length < 4) return 'too short for a verdict: at least six minutes';
  const half = Math.floor(judged.length / 2);
  const growth = (of: (sample: Sample) => number) => {
    const mean = (part: Sample[]) => part.reduce((sum, sample) => sum + of(sample), 0) / part.length;
    return mean(judged.slice(half)) / mean(judged.slice(0, half)) - 1;
  };
  const memory = growth(({ residentOctets }) => residentOctets);
  const descriptors = growth(({ descriptors: count }) => count);
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const flat = memory < FLAT_SHARE && descriptors < FLAT_SHARE;
  return `${flat ? 'flat' : 'NOT FLAT'}: from the first to the second half memory ${percent(memory)}, descriptors ${percent(descriptors)}`;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
