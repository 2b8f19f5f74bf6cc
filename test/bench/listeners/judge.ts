// What one listener has heard of a call whose parties say what known-speech.ts knows.
import { holesIn, marksIn } from '../capacity/verify.ts';
import type { EndlessWav } from './endless-wav.ts';

export interface Heard {
  recordingId: string;
  /** Null unless it could not be heard to the end. */
  failure: string | null;
  /** Of sound that came, and between the first and the last of it. */
  soundSeconds: number;
  realSeconds: number;
  /** From asking to the first sound. */
  firstSoundMs: number;
  /** 20 ms windows in which a party is not heard. */
  holes: number;
  /** For each loud part of the caller's: when it came, Unix ms. Each second has one. */
  loudMs: number[];
}

export interface Listening {
  recordingId: string;
  hz: [number, number];
  askedMs: number;
  failure: string | null;
}

export function judge(wav: EndlessWav, { recordingId, hz, askedMs, failure }: Listening): Heard {
  const nothing = { soundSeconds: 0, realSeconds: 0, firstSoundMs: Number.NaN, holes: 0, loudMs: [] };
  if (wav.frames === 0) return { recordingId, failure: failure ?? 'nothing came', ...nothing };
  const { rateHz, channels } = wav.samples();
  const [firstMs, lastMs] = [wav.arrivalMs(0), wav.arrivalMs(wav.frames - 1)];
  return {
    recordingId,
    failure,
    soundSeconds: wav.frames / rateHz,
    realSeconds: (lastMs - firstMs) / 1000,
    firstSoundMs: firstMs - askedMs,
    holes: holesIn(channels[0], rateHz, hz[0]) + holesIn(channels[1], rateHz, hz[1]),
    loudMs: marksIn(channels[0], rateHz, hz[0]).map((atMs) => wav.arrivalMs(Math.round((atMs * rateHz) / 1000))),
  };
}
