// How loud a WAV is along its length, for drawing it: the largest sample of each of so many equal stretches, per channel.
import type { Readable } from 'node:stream';
import { ALAW_TO_LINEAR, ULAW_TO_LINEAR } from './codecs/g711.ts';

/** Something of known length that can be read in parts. */
export interface WavSource {
  octets: number;
  /** Octets `first` to `last`, inclusive. */
  read(first: number, last: number): Readable;
}

export interface WavPeaks {
  sampleRateHz: number;
  durationMs: number;
  /** One list per channel; values from 0 to 1 with three decimals. Shorter than asked for if there are fewer samples. */
  peaks: number[][];
}

/** How far a sample at `at` is from silence: 0 to 32768. */
type Magnitude = (octets: Buffer, at: number) => number;

interface Layout {
  magnitude: Magnitude;
  sampleOctets: number;
  channels: number;
  sampleRateHz: number;
  dataAt: number;
  frames: number;
}

/** The chunks before the samples are within this. */
const HEAD_OCTETS = 1 << 16;
const UNKNOWN_SIZE = 0xffffffff;
const EXTENSIBLE = 0xfffe;

/** By coding and bits. 8-bit PCM is unsigned, all else is signed. */
const MAGNITUDES: Record<string, Magnitude> = {
  '1/8': (octets, at) => Math.abs(octets[at]! - 128) * 256,
  '1/16': (octets, at) => Math.abs(octets.readInt16LE(at)),
  '1/24': (octets, at) => Math.abs(octets.readIntLE(at, 3)) / 256,
  '1/32': (octets, at) => Math.abs(octets.readInt32LE(at)) / 65_536,
  '6/8': (octets, at) => Math.abs(ALAW_TO_LINEAR[octets[at]!]!),
  '7/8': (octets, at) => Math.abs(ULAW_TO_LINEAR[octets[at]!]!),
};

/** PCM, A-law and µ-law as RIFF or RF64. Rejects with a sentence if it is not one. The work is spread over many turns of the event loop. */
export async function wavPeaks(source: WavSource, points: number): Promise<WavPeaks> {
  const head = await collect(source.read(0, Math.min(HEAD_OCTETS, source.octets) - 1));
  const { channels, sampleRateHz, dataAt, frames, sampleOctets, magnitude } = readLayout(head, source.octets);
  const durationMs = (frames * 1000) / sampleRateHz;
  const count = Math.min(points, frames);
  const largest = Array.from({ length: channels }, () => new Uint16Array(count));
  if (frames > 0) {
    const frameOctets = sampleOctets * channels;
    let frame = 0;
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of source.read(dataAt, dataAt + frames * frameOctets - 1)) {
      const octets: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
      const whole = Math.floor(octets.length / frameOctets);
      for (let i = 0, at = 0; i < whole; i++, frame++) {
        const point = Math.floor((frame * count) / frames);
        for (let channel = 0; channel < channels; channel++, at += sampleOctets) {
          const sample = magnitude(octets, at);
          const peaks = largest[channel]!;
          if (sample > peaks[point]!) peaks[point] = sample;
        }
      }
      rest = octets.subarray(whole * frameOctets);
    }
  }
  const peaks = largest.map((values) => Array.from(values, (value) => Math.round((value * 1000) / 32_768) / 1000));
  return { sampleRateHz, durationMs, peaks };
}

function readLayout(head: Buffer, fileOctets: number): Layout {
  const form = head.toString('latin1', 0, 4);
  if ((form !== 'RIFF' && form !== 'RF64') || head.toString('latin1', 8, 12) !== 'WAVE') throw new Error('no WAV file');
  let format: { channels: number; sampleRateHz: number; sampleOctets: number; magnitude: Magnitude } | null = null;
  let dataOctets64 = 0;
  for (let at = 12; at + 8 <= head.length; ) {
    const id = head.toString('latin1', at, at + 4);
    const octets = head.readUInt32LE(at + 4);
    const body = at + 8;
    if (id === 'ds64' && body + 16 <= head.length) dataOctets64 = Number(head.readBigUInt64LE(body + 8));
    if (id === 'fmt ' && body + 16 <= head.length) {
      const stated = head.readUInt16LE(body);
      // The extensible format has the real one at the beginning of its sub-format's GUID.
      const coding = stated === EXTENSIBLE && body + 26 <= head.length ? head.readUInt16LE(body + 24) : stated;
      const bits = head.readUInt16LE(body + 14);
      const magnitude = MAGNITUDES[`${coding}/${bits}`];
      if (!magnitude) throw new Error(`samples of ${bits} bits in coding ${coding}`);
      format = {
        magnitude,
        sampleOctets: bits / 8,
        channels: head.readUInt16LE(body + 2),
        sampleRateHz: head.readUInt32LE(body + 4),
      };
    }
    if (id === 'data') {
      if (!format || format.channels < 1 || format.channels > 256 || format.sampleRateHz < 1) break;
      const stated = octets === UNKNOWN_SIZE && form === 'RF64' ? dataOctets64 : octets;
      const dataOctets = Math.min(stated, fileOctets - body);
      return { ...format, dataAt: body, frames: Math.floor(dataOctets / (format.sampleOctets * format.channels)) };
    }
    at = body + octets + (octets % 2);
  }
  throw new Error('a WAV file without fmt or data in its first 64 KiB');
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
