// One level of load: that many calls are set up, talk for a while, are taken down and are listened to.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKETS_PER_SECOND, toneHz } from './known-speech.ts';
import { paced, percentile, rendered, sleep } from './pace.ts';
import { ANSWER_DELAY_MS, startRecorder } from './recorder-process.ts';
import { startRtpLoad } from './rtp-load-process.ts';
import { type Answered, SipLoad } from './sip-load.ts';
import { type SentCall, type Verdict, verify } from './verify.ts';

/** The last of the recorder's threads comes 10 s after the others. */
const START_MS = 13_000;
const SETTLE_MS = 2_000;

export interface LevelPlan {
  calls: number;
  /** Set up, and in the end taken down. */
  callsPerSecond: number;
  /** That all of them talk at once. */
  seconds: number;
  /** Each call ends so many seconds after its answer, whatever the others do; null: they end together. */
  callSeconds: number | null;
}

export interface Level {
  calls: number;
  receiver: string;
  refused: number;
  /** CPU per packet while all talk, everything on; and from the start to the last finished file. */
  liveUs: number;
  togetherUs: number;
  octetsPerCall: number;
  /** Beyond the configured delay. */
  answerP50Ms: number;
  answerP99Ms: number;
  /** The load's own worst lateness: beyond 100 ms the machine has no room for the load. */
  loadLateMs: number;
  verdict: Verdict;
  lost: number;
  whole: boolean;
  complaints: string[];
}

export async function runLevel({ calls, callsPerSecond, seconds, callSeconds }: LevelPlan): Promise<Level> {
  const data = mkdtempSync(join(tmpdir(), 'sipreel-capacity-'));
  const recorder = await startRecorder(data);
  const sip = await SipLoad.open(recorder.sipPort);
  const load = await startRtpLoad();
  try {
    await sleep(START_MS);
    const idleOctets = recorder.residentOctets();
    const cpuAtStart = recorder.cpuUs();
    const sentCalls: SentCall[] = [];
    const answers: number[] = [];
    const refusals: string[] = [];
    let refused = 0;
    const end = async (number: number, answered: Answered) => {
      const sent = await load.stop([2 * number, 2 * number + 1]);
      sentCalls.push({ number, sent: [sent[0]!.packets, sent[1]!.packets] });
      await answered.bye().catch((error: Error) => refusals.push(error.message));
    };
    const running: { number: number; answered: Answered }[] = [];
    const ended: Promise<void>[] = [];
    await paced(calls, callsPerSecond, async (number) => {
      try {
        const answered = await sip.call(number);
        answers.push(answered.answerMs - ANSWER_DELAY_MS);
        const [caller, callee] = answered.ports;
        load.start([
          { id: 2 * number, port: caller!, hz: toneHz(number, 0) },
          { id: 2 * number + 1, port: callee!, hz: toneHz(number, 1) },
        ]);
        if (callSeconds === null) running.push({ number, answered });
        else ended.push(sleep(callSeconds * 1000).then(() => end(number, answered)));
      } catch (error) {
        refused++;
        refusals.push((error as Error).message);
      }
    });
    await sleep(SETTLE_MS);
    const cpuBefore = recorder.cpuUs();
    const beforeMs = performance.now();
    await sleep(seconds * 1000);
    const liveCpuUs = recorder.cpuUs() - cpuBefore;
    const livePackets = ((performance.now() - beforeMs) / 1000) * PACKETS_PER_SECOND * 2 * running.length;
    const octetsPerCall = (recorder.residentOctets() - idleOctets) / Math.max(1, running.length);
    await paced(running.length, callsPerSecond, (i) => end(running[i]!.number, running[i]!.answered));
    await Promise.all(ended);
    const loadLateMs = load.takeWorstLateMs();
    await rendered(data);
    const cpuUs = recorder.cpuUs() - cpuAtStart;
    await recorder.stop();
    const verdict = await verify(data, sentCalls);
    const lost = verdict.packetsSent - verdict.packetsRecorded;
    answers.sort((a, b) => a - b);
    return {
      calls,
      receiver: recorder.receiver,
      refused,
      liveUs: liveCpuUs / livePackets,
      togetherUs: cpuUs / verdict.packetsSent,
      octetsPerCall,
      answerP50Ms: percentile(answers, 0.5),
      answerP99Ms: percentile(answers, 0.99),
      loadLateMs,
      verdict,
      lost,
      whole: refused === 0 && lost === 0 && verdict.holes === 0 && verdict.missing === 0,
      complaints: [...recorder.complaints, ...refusals.slice(0, 3), ...verdict.complaints],
    };
  } finally {
    sip.close();
    await load.end();
    await recorder.stop();
    rmSync(data, { recursive: true, force: true });
  }
}
