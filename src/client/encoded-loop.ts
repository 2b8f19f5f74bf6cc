// A source's audio, encoded once for a codec and cut into packets: every call that plays it shares the octets.
import { encodeAlaw, encodeUlaw } from '../render/codecs/g711.ts';
import type { AudioSource } from './audio.ts';
import { type ClientCodec, type CodecName, packetSamples } from './codec.ts';

export interface EncodedLoop {
  readonly codec: ClientCodec;
  readonly packetOctets: number;
  readonly packetCount: number;
  /** packetCount × packetOctets. Nobody may write to it. */
  readonly octets: Uint8Array;
}

const encoded = new WeakMap<AudioSource, Map<CodecName, EncodedLoop>>();

/** The source's loop in that codec, filled up with silence to whole packets. Encoded at the first call, then remembered. */
export function encodedLoop(source: AudioSource, codec: ClientCodec): EncodedLoop {
  let loops = encoded.get(source);
  if (!loops) {
    loops = new Map();
    encoded.set(source, loops);
  }
  let loop = loops.get(codec.name);
  if (!loop) {
    loop = encodeLoop(source, codec);
    loops.set(codec.name, loop);
  }
  return loop;
}

function encodeLoop(source: AudioSource, codec: ClientCodec): EncodedLoop {
  const samples = source.samples(codec.clockRateHz);
  const perPacket = packetSamples(codec);
  const packetCount = Math.max(1, Math.ceil(samples.length / perPacket));
  const padded = new Int16Array(packetCount * perPacket);
  padded.set(samples);
  return { codec, packetCount, packetOctets: perPacket * codec.octetsPerSample, octets: encode(padded, codec) };
}

function encode(samples: Int16Array, codec: ClientCodec): Uint8Array {
  if (codec.encoding === 'L16') {
    // Network byte order; our machines are little-endian.
    return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).swap16();
  }
  return codec.encoding === 'PCMU' ? encodeUlaw(samples) : encodeAlaw(samples);
}
