// A run of chaos: calls come and go while the recorder is killed, stopped, deprived of its disk and lied to about the time;
// then every recording is listened to. The same seed gives the same faults and calls; their timing is the machine's.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ListedRecording, listRecordings } from '../../src/archive/list.ts';
import { verifyRecordings } from '../../src/archive/verify.ts';
import type { RecordingClient } from '../../src/client/recording-client.ts';
import { startEmbeddedClient } from '../../src/commands/embedded-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { judge, type PlayedCall } from './judge.ts';
import { RecorderProcess } from './recorder-process.ts';
import { spokenClock } from './spoken-clock.ts';

export interface ChaosPlan {
  seed: number;
  /** How many faults happen. */
  faults: number;
  /** Calls at the same time. */
  calls: number;
  firstRtpPort: number;
  /** Of 100 faults, so many are `kill -9`. */
  killShare: number;
  /** From the first packet to the BYE, unless the run ends before. */
  shortestCallMs: number;
  longestCallMs: number;
  onFault?: (told: string) => void;
}

export interface ChaosReport {
  faults: Record<string, number>;
  calls: number;
  refused: number;
  windowsHeard: number;
  windowsExcused: number;
  failures: string[];
  /** Where no file system can be mounted (that needs root) the disk never fills. */
  diskFills: boolean;
}

const DISK_MIB = 192;
const SETTLE_LIMIT_MS = 90_000;
/** Before the first fault and after the last one, so that there is something to be heard. */
const QUIET_MS = 2_500;
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const voices = { caller: spokenClock('caller'), callee: spokenClock('callee') };

export async function runChaos(plan: ChaosPlan): Promise<ChaosReport> {
  const random = mulberry32(plan.seed);
  const directory = mkdtempSync(join(tmpdir(), 'sipreel-chaos-'));
  const data = join(directory, 'data');
  mkdirSync(data);
  const unmount = mountSmallDisk(data);
  const now = () => systemClock.nowMs();
  const ports = `${plan.firstRtpPort}-${plan.firstRtpPort + 4 * plan.calls + 200}`;
  const recorder = new RecorderProcess(data, ports, directory, now);
  const { client, close } = await startEmbeddedClient('127.0.0.1', silentLog);
  const faults: Record<string, number> = {};
  const played: PlayedCall[] = [];
  let refused = 0;
  let running = true;
  try {
    await recorder.start();
    const callers = Array.from({ length: plan.calls }, async (_, index) => {
      const own = mulberry32(plan.seed * 1000 + index);
      await sleep(own() * 1_000);
      while (running) {
        const call = await playOne(client, recorder, own, plan, () => running);
        if (call) played.push(call);
        else refused++;
      }
    });
    await sleep(QUIET_MS);
    for (let count = 0; count < plan.faults; count++) {
      await sleep(150 + random() * 300);
      const fault = await strike(random, plan.killShare, recorder, unmount === null ? null : data);
      faults[fault] = (faults[fault] ?? 0) + 1;
      plan.onFault?.(`${count + 1} ${fault}`);
    }
    await sleep(QUIET_MS);
    running = false;
    await Promise.all(callers);
    // A full disk has the finisher wait for up to five minutes before it tries again; a restart tries at once.
    if (!(await settled(data, SETTLE_LIMIT_MS / 3))) await recorder.killAndRestart(0);
    await settled(data, SETTLE_LIMIT_MS);
    const failures = await judgeAll(data, played, recorder);
    return { faults, calls: played.length, refused, diskFills: unmount !== null, ...failures };
  } finally {
    running = false;
    await recorder.end();
    await close();
    unmount?.();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** One call from its INVITE to its BYE; null if it was not accepted. */
async function playOne(
  client: RecordingClient,
  recorder: RecorderProcess,
  random: () => number,
  { shortestCallMs, longestCallMs }: ChaosPlan,
  goesOn: () => boolean,
): Promise<PlayedCall | null> {
  const lasts = shortestCallMs + random() * (longestCallMs - shortestCallMs);
  const impairment = { loss: random() < 0.3 ? 0.02 : 0, reorder: random() < 0.5 ? 0.05 : 0 };
  const seed = Math.floor(random() * 2 ** 31);
  const parties = [
    { name: 'Alice', aor: 'sip:alice@example.com', audio: voices.caller },
    { name: 'Bob', aor: 'sip:bob@example.com', audio: voices.callee },
  ];
  try {
    const uri = `sip:127.0.0.1:${recorder.sipPort}`;
    const session = await client.connect({ uri, parties, impairment, seed, answerTimeoutMs: 4_000 });
    const endMs = systemClock.nowMs() + lasts;
    while (systemClock.nowMs() < endMs && goesOn()) await sleep(100);
    const endedMs = systemClock.nowMs();
    const streams = session.streams;
    await session.bye();
    return { callId: session.callId, streams, endedMs };
  } catch {
    await sleep(500);
    return null;
  }
}

async function strike(random: () => number, killShare: number, recorder: RecorderProcess, disk: string | null) {
  const die = random() * 100;
  if (die < killShare) {
    await recorder.killAndRestart(random() * 1_000);
    return 'kill';
  }
  switch (Math.floor(random() * 4)) {
    case 0:
      recorder.killWorker(Math.floor(random() * 8));
      // Two deaths of one thread at once are one.
      await sleep(600);
      return 'worker';
    case 1:
      await recorder.pause(100 + random() * 900);
      return 'stop';
    case 2:
      if (disk) {
        const sinceMs = systemClock.nowMs();
        await fillDisk(disk, 300 + random() * 1_200);
        recorder.holdsUnwritten('disk', sinceMs);
        return 'full-disk';
      }
      recorder.stepClock(3_600_000);
      return 'clock';
    default:
      recorder.stepClock((random() < 0.5 ? -1 : 1) * (random() < 0.5 ? 3_600_000 : 1_000));
      return 'clock';
  }
}

/** Takes all the space for a while. */
async function fillDisk(directory: string, forMs: number): Promise<void> {
  const path = join(directory, 'ballast');
  const { bavail, bsize } = statfsSync(directory);
  try {
    writeFileSync(path, Buffer.alloc(bavail * bsize));
  } catch {
    // Full before the last octet: that is what is wanted.
  }
  await sleep(forMs);
  rmSync(path, { force: true });
}

/** Null where file systems cannot be mounted: then the disk never fills. */
function mountSmallDisk(directory: string): (() => void) | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MIB}m`, 'tmpfs', directory], { stdio: 'ignore' });
    return () => execFileSync('umount', ['-l', directory], { stdio: 'ignore' });
  } catch {
    return null;
  }
}

/** Waits until everything is filed: recordings whose BYE nobody heard end by their inactivity limit. */
async function settled(data: string, limitMs: number): Promise<boolean> {
  const endMs = systemClock.nowMs() + limitMs;
  const isEmpty = () => readdirSync(join(data, 'spool')).length === 0;
  while (!isEmpty() && systemClock.nowMs() < endMs) await sleep(200);
  return isEmpty();
}

async function judgeAll(data: string, played: PlayedCall[], recorder: RecorderProcess) {
  const failures: string[] = [];
  const recordings: ListedRecording[] = [];
  for await (const { directory, document, problems } of verifyRecordings(data)) {
    if (document) recordings.push({ directory, document });
    for (const { path, message } of problems) failures.push(`${path}: ${message}`);
  }
  let listed = 0;
  for await (const _ of listRecordings(data)) listed++;
  if (listed !== recordings.length) failures.push(`${listed} recordings are listed, ${recordings.length} are there`);
  const left = readdirSync(join(data, 'spool'));
  if (left.length > 0) failures.push(`${left.length} sessions are left in the spool`);
  const known = new Set(played.map(({ callId }) => callId));
  for (const { document } of recordings) {
    // The client gave up on an INVITE whose answer a fault swallowed: what came of it must be empty.
    if (!known.has(document.call.sipCallId) && document.audio !== null) {
      failures.push(`recording ${document.id} is of no call that was made`);
    }
  }
  let windowsHeard = 0;
  let windowsExcused = 0;
  for (const call of played) {
    const verdict = judge(call, recordings, recorder.outages);
    failures.push(...verdict.failures);
    windowsHeard += verdict.heard;
    windowsExcused += verdict.excused;
  }
  return { failures, windowsHeard, windowsExcused };
}

/** Small, seeded, good enough to choose faults (Tommy Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
