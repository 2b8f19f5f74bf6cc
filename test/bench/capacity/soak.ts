// npm run bench -- soak [--minutes N] [--calls N]: the same load for a long time; memory, descriptors and unfinished files must stay flat.
// By hand: it takes as long as it says, and no less than five minutes. Calls come and go all the time.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toneHz } from './known-speech.ts';
import { sleep } from './pace.ts';
import { type RecorderProcess, startRecorder } from './recorder-process.ts';
import { startRtpLoad } from './rtp-load-process.ts';
import { SipLoad } from './sip-load.ts';
import { Harvest } from './soak-harvest.ts';

const CALL_SECONDS = 60;
const SAMPLE_MS = 5_000;
/** The first calls fill caches and heaps; none has ended before. */
const WARM_UP_SHARE = 1 / 3;
const SHORTEST_MINUTES = 5;
/** Growth between the first and the second half of what is judged. */
const FLAT_SHARE = 0.1;
/** For rendering and filing what ended last. */
const FINISH_MS = 30_000;

type Sample = Record<'memory' | 'descriptors' | 'unfinished', number>;

export async function* benchSoak(minutes: number, calls: number): AsyncGenerator<string> {
  if (minutes < SHORTEST_MINUTES) {
    yield `a soak takes at least ${SHORTEST_MINUTES} minutes: less says nothing`;
    return;
  }
  const data = mkdtempSync(join(tmpdir(), 'sipreel-soak-'));
  const recorder = await startRecorder(data);
  const sip = await SipLoad.open(recorder.sipPort);
  const load = await startRtpLoad();
  const harvest = new Harvest(data);
  const samples: Sample[] = [];
  let failed = 0;
  let running = 0;
  const call = async (number: number) => {
    running++;
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
    running--;
  };
  try {
    const startMs = performance.now();
    const untilMs = startMs + minutes * 60_000;
    const intervalMs = (CALL_SECONDS * 1000) / calls;
    for (let number = 0, minute = 1, sampleMs = startMs; performance.now() < untilMs; number++) {
      const waitMs = startMs + number * intervalMs - performance.now();
      if (waitMs > 1) await sleep(waitMs);
      void call(number);
      const nowMs = performance.now();
      if (nowMs >= sampleMs) {
        samples.push(sample(recorder, data));
        sampleMs += SAMPLE_MS;
      }
      if (nowMs - startMs < minute * 60_000) continue;
      const begun = `${number + 1} calls begun, ${failed} failed`;
      yield `minute ${minute++}: ${told(samples.at(-1)!)}; ${begun}; ${harvest.gather()}`;
    }
    while (running > 0) await sleep(200);
    await sleep(FINISH_MS);
    const left = sample(recorder, data);
    yield `when all calls had ended: ${told(left)}; ${harvest.gather()}`;
    yield verdict(samples);
    if (failed > 0 || harvest.faulty > 0 || left.unfinished > 0)
      yield `NOT WHOLE: ${failed} calls failed, ${harvest.faulty} recordings are not whole, ${left.unfinished} are not filed`;
    for (const complaint of recorder.complaints) yield `  ${complaint}`;
  } finally {
    sip.close();
    await load.end();
    await recorder.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

function sample(recorder: RecorderProcess, data: string): Sample {
  const unfinished = readdirSync(join(data, 'spool')).length + readdirSync(join(data, 'incoming')).length;
  return { memory: recorder.residentOctets(), descriptors: recorder.descriptors(), unfinished };
}

const told = ({ memory, descriptors, unfinished }: Sample) =>
  `${(memory / 2 ** 20).toFixed(0)} MiB, ${descriptors} descriptors, ${unfinished} unfinished recordings`;

function verdict(samples: Sample[]): string {
  const judged = samples.slice(Math.ceil(samples.length * WARM_UP_SHARE));
  const half = Math.floor(judged.length / 2);
  const growth = (of: keyof Sample) => {
    const mean = (part: Sample[]) => part.reduce((sum, each) => sum + each[of], 0) / part.length;
    return mean(judged.slice(half)) / mean(judged.slice(0, half)) - 1;
  };
  const grown = (['memory', 'descriptors', 'unfinished'] as const).map((of) => ({ of, share: growth(of) }));
  const figures = grown.map(({ of, share }) => `${of} ${(share * 100).toFixed(1)} %`).join(', ');
  const flat = grown.every(({ share }) => share < FLAT_SHARE);
  return `${flat ? 'flat' : 'NOT FLAT'}: after the first third, from the first to the second half: ${figures}`;
}
