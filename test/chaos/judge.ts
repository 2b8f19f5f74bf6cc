// What may be missing of a call, and what is: its recording's audio, window by window, against what was said and when.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { type ListedRecording, listRecordings } from '../../src/archive/list.ts';
import { verifyRecordings } from '../../src/archive/verify.ts';
import type { StreamOutcome } from '../../src/client/call-plan.ts';
import { readWav } from '../support/listen.ts';
import type { Outage } from './recorder-process.ts';
import { expectedSecond, heardSecond, type Party, WINDOW_MS } from './spoken-clock.ts';

export interface PlayedCall {
  callId: string;
  /** Of the caller and the callee. */
  streams: StreamOutcome[];
  endedMs: number;
}

/** A fault, on this process's clock. */
export interface Struck {
  fault: string;
  fromMs: number;
  toMs: number;
}

interface Verdict {
  /** Empty: the recording is as good as the faults allow. */
  failures: string[];
  /** Windows heard, and windows missing within outages. */
  heard: number;
  excused: number;
}

/** At both ends of an outage: a packet, a window cut by its edge, the start of a stretch. */
const EDGE_MS = 60 + WINDOW_MS;
/** A window this near to a change of tone may hold both. */
const CHANGE_MS = 60;
const NOTHING = new Int16Array(0);

/** Everything that was filed, against everything that was said. */
export async function judgeAll(
  dataDirectory: string,
  played: readonly PlayedCall[],
  outages: readonly Outage[],
  history: readonly Struck[],
  keepIn: string | null,
): Promise<{ failures: string[]; windowsHeard: number; windowsExcused: number }> {
  const failures: string[] = [];
  const recordings: ListedRecording[] = [];
  for await (const { directory, document, problems } of verifyRecordings(dataDirectory)) {
    if (document) recordings.push({ directory, document });
    for (const { path, message } of problems) failures.push(`${path}: ${message}`);
  }
  let listed = 0;
  for await (const _ of listRecordings(dataDirectory)) listed++;
  if (listed !== recordings.length) failures.push(`${listed} recordings are listed, ${recordings.length} are there`);
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
    const verdict = judge(call, recordings, outages);
    if (verdict.failures.length > 0) {
      failures.push(...verdict.failures, storyOf(call, history));
      const own = recordings.filter(({ document }) => document.call.sipCallId === call.callId);
      for (const { directory, document } of own) {
        failures.push(`  its timeline: ${JSON.stringify(document.timeline)}`);
        if (keepIn !== null) cpSync(directory, join(keepIn, `${call.callId}-${document.id}`), { recursive: true });
      }
    }
    windowsHeard += verdict.heard;
    windowsExcused += verdict.excused;
  }
  return { failures, windowsHeard, windowsExcused };
}

/** What befell its recorder while it ran, in ms of the call. */
function storyOf({ callId, streams, endedMs }: PlayedCall, history: readonly Struck[]): string {
  const startedMs = streams[0]?.startedMs ?? endedMs;
  const during = history.filter(({ fromMs, toMs }) => toMs > startedMs - 5_000 && fromMs < endedMs + 1_000);
  const told = during.map(({ fault, fromMs, toMs }) => `${fault} ${span(fromMs - startedMs, toMs - startedMs)}`);
  return `  call ${callId} lasted ${span(0, endedMs - startedMs)} ms; meanwhile: ${told.join(', ')}`;
}

const span = (fromMs: number, toMs: number) => `${Math.round(fromMs)}…${Math.round(toMs)}`;

function judge(call: PlayedCall, recordings: readonly ListedRecording[], outages: readonly Outage[]): Verdict {
  const own = recordings.filter(({ document }) => document.call.sipCallId === call.callId);
  const verdict: Verdict = { failures: [], heard: 0, excused: 0 };
  const fail = (text: string) => void verdict.failures.push(`call ${call.callId}: ${text}`);
  const [recording, ...others] = own;
  if (!recording) fail('it has no recording');
  if (others.length > 0) fail(`it has ${own.length} recordings`);
  if (!recording || others.length > 0) return verdict;
  // A call so short that nothing of it could be heard has a recording without audio: then all of it must be excused.
  const { channels, sampleRateHz } = recording.document.audio
    ? readWav(join(recording.directory, 'audio.wav'))
    : { channels: [NOTHING, NOTHING], sampleRateHz: 8000 };
  for (const [channel, party] of (['caller', 'callee'] as const).entries()) {
    judgeParty(call, party, channels[channel]!, sampleRateHz, call.streams[channel]!, outages, verdict, fail);
  }
  return verdict;
}

function judgeParty(
  call: PlayedCall,
  party: Party,
  samples: Int16Array,
  sampleRateHz: number,
  sent: StreamOutcome,
  outages: readonly Outage[],
  verdict: Verdict,
  fail: (text: string) => void,
): void {
  if (sent.startedMs === null) return;
  const startedMs = sent.startedMs;
  const heard: { atMs: number; second: number | null }[] = [];
  const lengthMs = (samples.length * 1000) / sampleRateHz;
  for (let atMs = 0; atMs + WINDOW_MS <= lengthMs; atMs += WINDOW_MS) {
    heard.push({ atMs, second: heardSecond(samples, sampleRateHz, party, atMs) });
  }
  const shiftMs = findShift(heard);
  // Out of place: parts of the recording that say another time than the rest of it.
  const wrong = heard.filter(({ atMs, second }) => second !== null && !fits(atMs + shiftMs, second));
  if (wrong.length > 0) {
    const told = wrong.slice(0, 5).map(({ atMs, second }) => `at ${atMs} ms second ${second}`);
    const begins = `the recording begins ${shiftMs} ms after the call and lasts ${Math.round(lengthMs)} ms`;
    fail(`${wrong.length} windows of the ${party} are out of place: ${told.join(', ')}; ${begins}`);
  }
  verdict.heard += heard.filter(({ second }) => second !== null).length - wrong.length;

  // Missing: what was said in none of the windows, unless the recorder could not hear it.
  const there = new Set(
    heard.filter(({ second }) => second !== null).map(({ atMs }) => Math.round((atMs + shiftMs) / WINDOW_MS)),
  );
  const missing: number[] = [];
  const saidMs = call.endedMs - startedMs;
  for (let index = 1; (index + 2) * WINDOW_MS < saidMs; index++) {
    if (there.has(index)) continue;
    const atMs = startedMs + index * WINDOW_MS;
    const excused = outages.some(({ fromMs, toMs }) => atMs + WINDOW_MS > fromMs - EDGE_MS && atMs < toMs + EDGE_MS);
    if (excused) verdict.excused++;
    else missing.push(index * WINDOW_MS);
  }
  // What its own sender skipped when the machine was busy, or was told to withhold.
  const unsent = Math.ceil(((sent.packetsSkipped + sent.packetsWithheld) * 20) / WINDOW_MS);
  if (missing.length > unsent) {
    fail(
      `${missing.length * WINDOW_MS} ms of the ${party} are missing, the first at ${missing[0]} ms of ${Math.round(saidMs)} ms`,
    );
  }
}

/** What was said at the recording's beginning, ms after the first packet: the shift with which most windows fit. */
function findShift(heard: readonly { atMs: number; second: number | null }[]): number {
  const fitting = (shiftMs: number) =>
    heard.filter(({ atMs, second }) => second !== null && expectedSecond(atMs + shiftMs + WINDOW_MS / 2) === second)
      .length;
  const counts = Array.from({ length: 800 }, (_, index) => fitting(index * 20));
  const most = Math.max(...counts);
  if (most === 0) return 0;
  const first = counts.indexOf(most);
  // A recording begins with the first packet unless a fault swallowed it; a short one fits in many places.
  if (first === 0) return 0;
  const last = first + counts.slice(first).findIndex((count) => count < most);
  return (first + Math.max(first, last - 1)) * 10;
}

function fits(spokenMs: number, second: number): boolean {
  return [spokenMs - CHANGE_MS, spokenMs + WINDOW_MS + CHANGE_MS].some((ms) => expectedSecond(ms) === second);
}
