// Which encodings can be decoded. A codec that is not here is kept in the journal and said to be undecodable: never guessed.
import type { MediaFormat } from '../../recording/media.ts';
import { ALAW_TO_LINEAR, decodeG711, decodeInterleavedG711, ULAW_TO_LINEAR } from './g711.ts';
import { decodeL16, l16SamplesIn } from './l16.ts';

/** Payload to mono samples. One is made per stream and payload type and sees its packets in the order of arrival. */
export interface AudioDecoder {
  /** Of the samples. May differ from the RTP clock (G.722: 16000 against 8000). */
  readonly sampleRateHz: number;
  /** Samples that a payload of so many octets gives; 0 if there is no whole one. Allocates nothing. */
  samplesIn(octets: number): number;
  /** Writes exactly `samplesIn(end - start)` samples into `out` from `at` on. Allocates nothing, throws nothing. */
  decode(buffer: Uint8Array, start: number, end: number, out: Int16Array, at: number): void;
}

/** Lowest and highest rate that is rendered: an SDP may claim any number, and memory and disk follow it. */
export const MIN_SAMPLE_RATE_HZ = 4000;
export const MAX_SAMPLE_RATE_HZ = 96_000;
const MAX_CHANNELS = 8;

type DecoderMaker = (format: MediaFormat) => AudioDecoder | null;

/** By encoding name in upper case. A new codec is one line here and one file beside it. */
const DECODERS: Readonly<Record<string, DecoderMaker>> = {
  PCMU: (format) => g711Decoder(ULAW_TO_LINEAR, format),
  PCMA: (format) => g711Decoder(ALAW_TO_LINEAR, format),
  L16: l16Decoder,
};

/** A decoder for the format, null if there is none or its parameters are out of range. */
export function createDecoder(format: MediaFormat): AudioDecoder | null {
  const encoding = format.encoding.toUpperCase();
  const make = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (make === undefined) return null;
  const { clockRateHz, channels } = format;
  if (!Number.isInteger(clockRateHz) || clockRateHz < MIN_SAMPLE_RATE_HZ || clockRateHz > MAX_SAMPLE_RATE_HZ)
    return null;
  if (!Number.isInteger(channels) || channels < 1 || channels > MAX_CHANNELS) return null;
  return make(format);
}

/** Further channels are interleaved octet by octet (RFC 3551 §4.1) and mixed down. */
function g711Decoder(table: Int16Array, { clockRateHz, channels }: MediaFormat): AudioDecoder {
  if (channels > 1) {
    return {
      sampleRateHz: clockRateHz,
      samplesIn: (octets) => Math.floor(octets / channels),
      decode: (buffer, start, end, out, at) => decodeInterleavedG711(table, channels, buffer, start, end, out, at),
    };
  }
  return {
    sampleRateHz: clockRateHz,
    samplesIn: (octets) => octets,
    decode: (buffer, start, end, out, at) => decodeG711(table, buffer, start, end, out, at),
  };
}

function l16Decoder({ clockRateHz, channels }: MediaFormat): AudioDecoder {
  return {
    sampleRateHz: clockRateHz,
    samplesIn: (octets) => l16SamplesIn(octets, channels),
    decode: (buffer, start, end, out, at) => decodeL16(channels, buffer, start, end, out, at),
  };
}
