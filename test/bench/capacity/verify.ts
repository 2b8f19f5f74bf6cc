// Listens to finished recordings: is everything there that was said, by whom it was said, and when?
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listRecordings } from '../../../src/archive/list.ts';
import { parseWav } from '../../support/listen.ts';
import { LOUD, SOFT, toneHz } from './known-speech.ts';
import { callerAor } from './sip-load.ts';

const WINDOW_MS = 20;
/** Between the loud and the soft part, of full scale. */
const LOUD_THRESHOLD = (LOUD + SOFT) / 2;
/** Of a window's power, what the right tone has at least. */
const PURITY = 0.8;

export interface SentCall {
  number: number;
  /** Packets, caller's and callee's. */
  sent: [number, number];
}

export interface Verdict {
  /** Calls without a recording. */
  missing: number;
  packetsSent: number;
  packetsRecorded: number;
  kernelDrops: number;
  /** 20 ms windows of a channel in which its party is not heard. */
  holes: number;
  /** The worst distance in ms between what both parties said at the same moment. */
  misalignmentMs: number;
  seconds: number;
  /** A few words about the first calls that are not whole. */
  complaints: string[];
}

export async function verify(data: string, calls: readonly SentCall[]): Promise<Verdict> {
  const expected = new Map(calls.map((call) => [callerAor(call.number), call]));
  const verdict: Verdict = {
    missing: 0,
    packetsSent: calls.reduce((sum, { sent }) => sum + sent[0] + sent[1], 0),
    packetsRecorded: 0,
    kernelDrops: 0,
    holes: 0,
    misalignmentMs: 0,
    seconds: 0,
    complaints: [],
  };
  const complain = (text: string) => {
    if (verdict.complaints.length < 5) verdict.complaints.push(text);
  };
  for await (const { directory, document } of listRecordings(data)) {
    const aor = document.participants.find(({ role }) => role === 'caller')?.aor ?? '';
    const call = expected.get(aor);
    if (!call) continue;
    expected.delete(aor);
    for (const { packets, kernelDrops = 0 } of document.streams) {
      verdict.packetsRecorded += packets;
      verdict.kernelDrops += kernelDrops;
    }
    const wav = readWav(join(directory, 'audio.wav'));
    if (wav === null) {
      verdict.missing++;
      complain(`${directory}: no audio`);
      continue;
    }
    verdict.seconds += wav.channels[0]!.length / wav.sampleRateHz;
    const marks = wav.channels.map((samples, party) => {
      const hz = toneHz(call.number, party as 0 | 1);
      const holes = holesIn(samples, wav.sampleRateHz, hz);
      if (holes > 0) complain(`${directory}: ${holes} holes in channel ${party}`);
      verdict.holes += holes;
      return marksIn(samples, wav.sampleRateHz, hz);
    });
    const apartMs = apart(marks[0]!, marks[1]!);
    if (apartMs > 5) complain(`${directory}: channels ${apartMs.toFixed(1)} ms apart`);
    verdict.misalignmentMs = Math.max(verdict.misalignmentMs, apartMs);
  }
  verdict.missing += expected.size;
  if (expected.size > 0) complain(`no recording of ${expected.size} calls`);
  return verdict;
}

function readWav(path: string) {
  try {
    return parseWav(readFileSync(path));
  } catch {
    return null;
  }
}

/** Windows of 20 ms in which the tone is not heard, from the first sound to the last. Windows at the very ends may be cut. */
export function holesIn(samples: Int16Array, rateHz: number, hz: number): number {
  const window = (rateHz * WINDOW_MS) / 1000;
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / rateHz);
  let holes = 0;
  let pending = 0;
  let heard = false;
  for (let from = 0; from + window <= samples.length; from += window) {
    let energy = 0;
    let s1 = 0;
    let s2 = 0;
    for (let i = from; i < from + window; i++) {
      const x = samples[i]!;
      energy += x * x;
      const s0 = x + coefficient * s1 - s2;
      s2 = s1;
      s1 = s0;
    }
    const toneEnergy = (2 * (s1 * s1 + s2 * s2 - coefficient * s1 * s2)) / window;
    const whole = energy > window * (SOFT * 32_768 * 0.5) ** 2 && toneEnergy > PURITY * energy;
    if (whole) {
      holes += pending;
      pending = 0;
      heard = true;
    } else if (heard) pending++;
  }
  if (!heard) return Math.floor(samples.length / window);
  // The last window before the end may be half a packet.
  return holes + Math.max(0, pending - 2);
}

/** When each loud part begins, in ms. */
export function marksIn(samples: Int16Array, rateHz: number, hz: number): number[] {
  const threshold = LOUD_THRESHOLD * 32_768;
  const riseMs = (Math.asin(LOUD_THRESHOLD / LOUD) / (2 * Math.PI * hz)) * 1000;
  const marks: number[] = [];
  for (let i = 0; i < samples.length; i++) {
    if (Math.abs(samples[i]!) < threshold) continue;
    marks.push((i * 1000) / rateHz - riseMs);
    i += rateHz / 2;
  }
  return marks;
}

/** The worst distance of one party's marks to the nearest of the other's. */
function apart(one: number[], other: number[]): number {
  if (one.length === 0 || other.length === 0) return Number.POSITIVE_INFINITY;
  let worstMs = 0;
  for (const [i, atMs] of one.entries()) {
    const nearest = other.reduce((best, mark) => Math.min(best, Math.abs(mark - atMs)), Number.POSITIVE_INFINITY);
    // A call ends for one party a packet earlier than for the other.
    if (nearest > 500 && (i === 0 || i === one.length - 1)) continue;
    worstMs = Math.max(worstMs, nearest);
  }
  return worstMs;
}
