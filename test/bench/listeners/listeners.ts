// npm run bench -- listeners [--calls N] [--quick]: 50 people listen to as many of N running calls, then 50 others play finished
// recordings besides. Does capture lose anything, do they hear everything, how late, and what does it cost?
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLocalApi } from '../../../src/http/local-access.ts';
import { PACKETS_PER_SECOND, toneHz } from '../capacity/known-speech.ts';
import { paced, percentile, rendered, sleep } from '../capacity/pace.ts';
import { type RecorderProcess, startRecorder } from '../capacity/recorder-process.ts';
import { type RtpLoad, startRtpLoad } from '../capacity/rtp-load-process.ts';
import { type Answered, callNumber, SipLoad } from '../capacity/sip-load.ts';
import { type SentCall, type Verdict, verify } from '../capacity/verify.ts';
import type { Heard } from './judge.ts';
import { startPeople } from './people.ts';
import type { Access, Played } from './people-process.ts';

const LISTENERS = 50;
const PLAYERS = 50;
/** Recorded before, for the players. */
const FINISHED_CALLS = 10;
const FINISHED_SECONDS = 10;
const SETTLE_MS = 3_000;
/** Calls are set up and taken down so fast, on any machine. */
const CALLS_PER_SECOND = 40;
/** What is heard is never less late than this, by construction; so a delay is known although the sound repeats each second. */
const LEAST_DELAY_MS = 500;

interface RunningCall {
  number: number;
  answered: Answered;
}

/** Yields lines as they become known. */
export async function* benchListeners(calls: number, quick: boolean): AsyncGenerator<string> {
  const seconds = quick ? 5 : 20;
  const data = mkdtempSync(join(tmpdir(), 'sipreel-listeners-'));
  const recorder = await startRecorder(data);
  const sip = await SipLoad.open(recorder.sipPort);
  const load = await startRtpLoad();
  const people = await startPeople();
  try {
    const access = (await findLocalApi(data))!;
    const sent: SentCall[] = [];
    /** Of each caller, by number: when it began to speak, Unix ms. */
    const beganMs = new Map<number, number>();
    const finished = await begin(sip, load, 0, FINISHED_CALLS);
    await sleep(FINISHED_SECONDS * 1000);
    await end(load, finished, sent, beganMs);
    await rendered(data);
    const recordingIds = await idsIn(access, '/api/recordings');

    const running = await begin(sip, load, FINISHED_CALLS, calls);
    await sleep(SETTLE_MS);
    const alone = await cpuShare(recorder, seconds);
    const live = await idsIn(access, '/api/live');
    const heardCalls = running.slice(0, LISTENERS).map(({ number }) => ({
      recordingId: live.get(number)!,
      hz: [toneHz(number, 0), toneHz(number, 1)] as [number, number],
    }));
    await people.listen(access, heardCalls);
    await sleep(SETTLE_MS);
    const listened = await cpuShare(recorder, seconds);
    people.play(access, [...recordingIds.values()], PLAYERS);
    await sleep(SETTLE_MS);
    const played = await cpuShare(recorder, seconds);
    const left = await people.leave();
    await end(load, running, sent, beganMs);
    const loadLateMs = load.takeWorstLateMs();
    await rendered(data);
    await recorder.stop();

    const packets = calls * 2 * PACKETS_PER_SECOND;
    yield `${cpus()[0]?.model.trim()}, ${cpus().length} cores, which recorder, callers and listeners share; receiver ${recorder.receiver}`;
    yield `${calls} calls of two streams, ${packets} packets per second; the load was ${loadLateMs.toFixed(0)} ms late at worst`;
    yield* capture(await verify(data, sent));
    const numbers = new Map([...live].map(([number, id]) => [id, number]));
    yield* hearing(left.heard, (id) => beganMs.get(numbers.get(id)!)!);
    yield* playing(left.played);
    const cost = (share: number) => `${(share * 100).toFixed(1)} % of a core`;
    yield `CPU of the recorder: ${cost(alone)}; with ${heardCalls.length} listeners ${cost(listened)}, ratio ${(listened / alone).toFixed(2)}; with ${PLAYERS} players too ${cost(played)}, ratio ${(played / alone).toFixed(2)}`;
    for (const complaint of recorder.complaints) yield `  ${complaint}`;
  } finally {
    sip.close();
    people.kill();
    await load.end();
    await recorder.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

async function begin(sip: SipLoad, load: RtpLoad, first: number, count: number): Promise<RunningCall[]> {
  const running: RunningCall[] = [];
  await paced(count, CALLS_PER_SECOND, async (i) => {
    const number = first + i;
    const answered = await sip.call(number);
    const [caller, callee] = answered.ports;
    load.start([
      { id: 2 * number, port: caller!, hz: toneHz(number, 0) },
      { id: 2 * number + 1, port: callee!, hz: toneHz(number, 1) },
    ]);
    running.push({ number, answered });
  });
  return running;
}

async function end(load: RtpLoad, running: RunningCall[], sent: SentCall[], beganMs: Map<number, number>) {
  await paced(running.length, CALLS_PER_SECOND, async (i) => {
    const { number, answered } = running[i]!;
    const [caller, callee] = await load.stop([2 * number, 2 * number + 1]);
    sent.push({ number, sent: [caller!.packets, callee!.packets] });
    beganMs.set(number, caller!.firstMs);
    await answered.bye();
  });
}

/** Running or finished recordings by their call's number. */
async function idsIn({ url, token }: Access, path: string): Promise<Map<number, string>> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  const { items } = (await response.json()) as { items: Item[] };
  return new Map(
    items.flatMap(({ id, recordingId = id, participants }) => {
      const number = participants.map(({ aor }) => callNumber(aor)).find((one) => one !== null);
      return number === undefined || recordingId === undefined ? [] : [[number, recordingId]];
    }),
  );
}

interface Item {
  id?: string;
  recordingId?: string;
  participants: { aor: string | null }[];
}

/** Of one core. */
async function cpuShare(recorder: RecorderProcess, seconds: number): Promise<number> {
  const [cpuUs, fromMs] = [recorder.cpuUs(), performance.now()];
  await sleep(seconds * 1000);
  return (recorder.cpuUs() - cpuUs) / ((performance.now() - fromMs) * 1000);
}

function* capture({ packetsSent, packetsRecorded, kernelDrops, holes, missing, complaints }: Verdict) {
  yield `capture: ${packetsSent} packets sent, ${packetsRecorded} recorded, ${packetsSent - packetsRecorded} lost, of these ${kernelDrops} in the kernel; ${missing} recordings missing, ${holes} holes in what was recorded`;
  for (const complaint of complaints) yield `  ${complaint}`;
}

function* hearing(heard: Heard[], beganMs: (recordingId: string) => number) {
  const failed = heard.filter(({ failure }) => failure !== null);
  for (const { recordingId, failure } of failed.slice(0, 3)) yield `  ${recordingId}: ${failure}`;
  const delays = heard.flatMap(({ recordingId, loud }) => delaysOf(loud, beganMs(recordingId)));
  delays.sort((a, b) => a - b);
  const firsts = heard.map(({ firstSoundMs }) => firstSoundMs).sort((a, b) => a - b);
  const short = heard.map(({ soundSeconds, realSeconds }) => realSeconds - soundSeconds);
  const holes = heard.reduce((sum, one) => sum + one.holes, 0);
  const [least, most] = [Math.min(...heard.map((one) => one.soundSeconds)), Math.max(...short)];
  yield `${heard.length} listeners, ${failed.length} failed: each has heard ${least.toFixed(1)} s or more, at most ${Math.max(0, most).toFixed(2)} s less than went by, with ${holes} holes of 20 ms in all`;
  yield `  behind the caller: p50 ${percentile(delays, 0.5).toFixed(0)} ms, p99 ${percentile(delays, 0.99).toFixed(0)} ms, at most ${delays.at(-1)?.toFixed(0)} ms; first sound ${percentile(firsts, 0.5).toFixed(0)} ms after asking, at most ${firsts.at(-1)?.toFixed(0)} ms`;
}

/** The sound repeats each second: of the one that came soonest the delay is taken modulo a second, the others are counted from it. */
function delaysOf(loud: Heard['loud'], beganMs: number): number[] {
  const lead = ({ atMs, cameMs }: { atMs: number; cameMs: number }) => cameMs - atMs;
  const soonest = loud.reduce((best, one) => (lead(one) < lead(best) ? one : best), loud[0] ?? { atMs: 0, cameMs: 0 });
  const soonestDelayMs = LEAST_DELAY_MS + modulo(soonest.cameMs - beganMs - LEAST_DELAY_MS, 1000);
  return loud.map(
    ({ atMs, cameMs }) => soonestDelayMs + cameMs - soonest.cameMs - 1000 * Math.round((atMs - soonest.atMs) / 1000),
  );
}

function* playing({ requests, failed, answerMs }: Played) {
  yield `${PLAYERS} players, a range of two seconds every two seconds: ${requests} requests, ${failed} failed; answered whole p50 ${percentile(answerMs, 0.5).toFixed(0)} ms, p99 ${percentile(answerMs, 0.99).toFixed(0)} ms`;
}

const modulo = (value: number, by: number) => ((value % by) + by) % by;
