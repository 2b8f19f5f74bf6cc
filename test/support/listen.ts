// Listening to a WAV: a reader that tolerates other chunks and RF64, and measurements of tones, silence and onsets.
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

export interface Heard {
  container: 'RIFF' | 'RF64';
  sampleRateHz: number;
  /** One array of samples per channel. */
  channels: Int16Array[];
  frames: number;
  durationMs: number;
  /** LIST INFO texts by their id. */
  info: Record<string, string>;
  /** Ids of all chunks, in file order. */
  chunks: string[];
}

/** Reads a 16-bit PCM file whole. Throws with a sentence if it is not one or its sizes do not fit the file. */
export function readWav(path: string): Heard {
  return parseWav(readFileSync(path));
}

export function parseWav(file: Buffer): Heard {
  const container = file.toString('latin1', 0, 4);
  if (container !== 'RIFF' && container !== 'RF64') throw new Error(`not a WAV file: begins with ${container}`);
  if (file.toString('latin1', 8, 12) !== 'WAVE') throw new Error('no WAVE form');
  let riffOctets = file.readUInt32LE(4);
  let dataOctets64 = -1;
  let format: { channels: number; sampleRateHz: number } | null = null;
  let data: Buffer | null = null;
  const info: Record<string, string> = {};
  const chunks: string[] = [];
  for (let at = 12; at + 8 <= file.length; ) {
    const id = file.toString('latin1', at, at + 4);
    let octets = file.readUInt32LE(at + 4);
    const start = at + 8;
    chunks.push(id);
    if (id === 'ds64') {
      riffOctets = Number(file.readBigUInt64LE(start));
      dataOctets64 = Number(file.readBigUInt64LE(start + 8));
    } else if (id === 'fmt ') {
      const coding = file.readUInt16LE(start);
      const bits = file.readUInt16LE(start + 14);
      if ((coding !== 1 && coding !== 0xfffe) || bits !== 16)
        throw new Error(`not 16-bit PCM: ${coding}, ${bits} bits`);
      format = { channels: file.readUInt16LE(start + 2), sampleRateHz: file.readUInt32LE(start + 4) };
    } else if (id === 'LIST' && file.toString('latin1', start, start + 4) === 'INFO') {
      readInfo(file.subarray(start + 4, start + octets), info);
    } else if (id === 'data') {
      if (octets === 0xffffffff && dataOctets64 >= 0) octets = dataOctets64;
      if (start + octets > file.length) throw new Error(`data chunk of ${octets} octets reaches beyond the file`);
      data = file.subarray(start, start + octets);
    }
    at = start + octets + (octets % 2);
  }
  if (riffOctets + 8 !== file.length) throw new Error(`RIFF size says ${riffOctets + 8}, the file has ${file.length}`);
  if (!format || !data) throw new Error('no fmt or no data chunk');
  return { container, ...separate(data, format), info, chunks };
}

function separate(data: Buffer, format: { channels: number; sampleRateHz: number }) {
  const frames = data.length / (2 * format.channels);
  if (!Number.isInteger(frames)) throw new Error('the data chunk ends inside a frame');
  // A copy in the machine's byte order: reading an hour sample by sample would take seconds.
  const interleaved = Uint8Array.from(data);
  if (endianness() === 'BE') Buffer.from(interleaved.buffer).swap16();
  const samples = new Int16Array(interleaved.buffer);
  const channels = Array.from({ length: format.channels }, (_, channel) => {
    const one = new Int16Array(frames);
    for (let frame = 0, at = channel; frame < frames; frame++, at += format.channels) one[frame] = samples[at]!;
    return one;
  });
  return { sampleRateHz: format.sampleRateHz, channels, frames, durationMs: (frames * 1000) / format.sampleRateHz };
}

function readInfo(list: Buffer, into: Record<string, string>): void {
  for (let at = 0; at + 8 <= list.length; ) {
    const octets = list.readUInt32LE(at + 4);
    const text = list.toString('utf8', at + 8, at + 8 + octets);
    into[list.toString('latin1', at, at + 4)] = text.replace(/\0+$/, '');
    at += 8 + octets + (octets % 2);
  }
}

/** A stretch of one channel of a large file, without reading the rest: the file must be our own (data behind the header). */
export function readWavPart(path: string, channel: number, fromMs: number, toMs: number): Int16Array {
  const descriptor = openSync(path, 'r');
  try {
    const head = Buffer.alloc(Math.min(65_536, fstatSync(descriptor).size));
    readSync(descriptor, head, 0, head.length, 0);
    let at = 12;
    let channels = 0;
    let sampleRateHz = 0;
    while (head.toString('latin1', at, at + 4) !== 'data') {
      if (head.toString('latin1', at, at + 4) === 'fmt ') {
        channels = head.readUInt16LE(at + 10);
        sampleRateHz = head.readUInt32LE(at + 12);
      }
      const octets = head.readUInt32LE(at + 4);
      at += 8 + octets + (octets % 2);
    }
    const first = Math.round((fromMs * sampleRateHz) / 1000);
    const frames = Math.round((toMs * sampleRateHz) / 1000) - first;
    const raw = Buffer.alloc(frames * channels * 2);
    const got = readSync(descriptor, raw, 0, raw.length, at + 8 + first * channels * 2);
    const samples = new Int16Array(Math.floor(got / (2 * channels)));
    for (let i = 0; i < samples.length; i++) samples[i] = raw.readInt16LE((i * channels + channel) * 2);
    return samples;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Level of one frequency between two times, in dB of a full-scale sine; -Infinity for nothing at all (Goertzel).
 * The stretch is weighted by a Hann window, so that 440 Hz does not leak into 880 Hz; it should last 50 ms or more.
 */
export function toneLevel(samples: Int16Array, sampleRateHz: number, hz: number, fromMs: number, toMs: number): number {
  const first = Math.max(0, Math.round((fromMs * sampleRateHz) / 1000));
  const last = Math.min(samples.length, Math.round((toMs * sampleRateHz) / 1000));
  const count = last - first;
  if (count <= 0) return Number.NEGATIVE_INFINITY;
  const step = (2 * Math.PI * hz) / sampleRateHz;
  const coefficient = 2 * Math.cos(step);
  let s1 = 0;
  let s2 = 0;
  let weights = 0;
  for (let i = 0; i < count; i++) {
    const weight = 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / count);
    weights += weight;
    const s0 = samples[first + i]! * weight + coefficient * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  const power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
  const amplitude = (2 * Math.sqrt(Math.max(0, power))) / weights;
  return 20 * Math.log10(amplitude / 32768);
}

/** True if no sample between the two times is louder than `limit` (16-bit units; A-law's smallest value is 8). */
export function silentBetween(
  samples: Int16Array,
  sampleRateHz: number,
  fromMs: number,
  toMs: number,
  limit = 8,
): boolean {
  const last = Math.min(samples.length, Math.round((toMs * sampleRateHz) / 1000));
  for (let i = Math.max(0, Math.round((fromMs * sampleRateHz) / 1000)); i < last; i++) {
    if (Math.abs(samples[i]!) > limit) return false;
  }
  return true;
}

/**
 * When a tone begins after `fromMs`: ms, about ±2 ms for tones of 400 Hz and more. Null if it does not come.
 * The tone must stay for 20 ms or longer and be `thresholdDb` or louder.
 */
export function toneOnset(
  samples: Int16Array,
  sampleRateHz: number,
  hz: number,
  fromMs = 0,
  thresholdDb = -30,
): number | null {
  const endMs = (samples.length * 1000) / sampleRateHz;
  const spanMs = 20;
  for (let atMs = fromMs; atMs + spanMs <= endMs + 1; atMs += spanMs / 2) {
    if (toneLevel(samples, sampleRateHz, hz, atMs, atMs + spanMs) < thresholdDb) continue;
    return refineOnset(samples, sampleRateHz, Math.max(fromMs, atMs - spanMs), atMs + spanMs);
  }
  return null;
}

// Inside the span where the tone appears, its first sample above a tenth of the loudest.
function refineOnset(samples: Int16Array, sampleRateHz: number, fromMs: number, toMs: number): number {
  const first = Math.max(0, Math.round((fromMs * sampleRateHz) / 1000));
  const last = Math.min(samples.length, Math.round((toMs * sampleRateHz) / 1000));
  let loudest = 0;
  for (let i = first; i < last; i++) loudest = Math.max(loudest, Math.abs(samples[i]!));
  for (let i = first; i < last; i++) {
    if (Math.abs(samples[i]!) > loudest / 10) return (i * 1000) / sampleRateHz;
  }
  return fromMs;
}
