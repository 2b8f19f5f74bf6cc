// What one listener has heard of a call whose parties say what known-speech.ts knows.
import { PACKET_MS } from '../capacity/known-speech.ts';
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
  /** The loud parts of the caller's, one a second: where in the sound, and when they came, Unix ms. */
  loud: { atMs: number; cameMs: number }[];
}

export interface Listening {
  recordingId: string;
  hz: [number, number];
  askedMs: number;
  failure: string | null;
}

export function judge(wav: EndlessWav, { recordingId, hz, askedMs, failure }: Listening): Heard {
  const nothing = { soundSeconds: 0, realSeconds: 0, firstSoundMs: Number.NaN, holes: 0, loud: [] };
  if (wav.frames === 0) return { recordingId, failure: failure ?? 'nothing came', ...nothing };
  const { rateHz, channels } = wav.samples();
  const [firstMs, lastMs] = [wav.arrivalMs(0), wav.arrivalMs(wav.frames - 1)];
  return {
    recordingId,
    failure,
    soundSeconds: wav.frames / rateHz,
    realSeconds: (lastMs - firstMs) / 1000,
    firstSoundMs: firstMs - askedMs,
    holes: channels.reduce((sum, samples, side) => sum + holesHeard(samples, rateHz, hz[side]!), 0),
    loud: marksIn(channels[0], rateHz, hz[0]).map((atMs) => {
      return { atMs, cameMs: wav.arrivalMs(Math.round((atMs * rateHz) / 1000)) };
    }),
  };
}

/** Packets do not begin where somebody begins to listen; a window that is half loud and half soft is no pure tone. */
function holesHeard(samples: Int16Array, rateHz: number, hz: number): number {
  const [firstLoudMs = 0] = marksIn(samples, rateHz, hz);
  const first = Math.round((firstLoudMs * rateHz) / 1000) % ((rateHz * PACKET_MS) / 1000);
  return holesIn(samples.subarray(first), rateHz, hz);
}
