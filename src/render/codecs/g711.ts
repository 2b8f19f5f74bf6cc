// G.711 µ-law and A-law, both ways, over 16-bit linear samples (ITU-T G.711; payloads PCMU and PCMA, RFC 3551 §4.5.14).

/** A µ-law code per octet to a sample of the 16-bit range, ±32124 at most. */
export const ULAW_TO_LINEAR: Int16Array = new Int16Array(256);
/** An A-law code per octet to a sample of the 16-bit range, ±32256 at most. */
export const ALAW_TO_LINEAR: Int16Array = new Int16Array(256);

// Both laws: sign, three bits of segment, four bits of mantissa. µ-law is sent inverted, A-law with every other bit inverted.
const SIGN = 0x80;
const ALAW_TOGGLE = 0x55;
// The 14-bit law's bias of 33, in 16-bit units.
const ULAW_BIAS = 33 << 2;
const ULAW_CLIP = 0x7fff - ULAW_BIAS;

for (let code = 0; code < 256; code++) {
  const ulaw = ~code & 0xff;
  const ulawMagnitude = ((((ulaw & 15) << 3) + ULAW_BIAS) << ((ulaw >> 4) & 7)) - ULAW_BIAS;
  ULAW_TO_LINEAR[code] = ulaw & SIGN ? -ulawMagnitude : ulawMagnitude;

  const alaw = code ^ ALAW_TOGGLE;
  const segment = (alaw >> 4) & 7;
  // The middle of the quantising step: the first segment has no leading one.
  const step = ((alaw & 15) << 4) + 8;
  const alawMagnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  ALAW_TO_LINEAR[code] = alaw & SIGN ? alawMagnitude : -alawMagnitude;
}

/** One sample to its µ-law code. Values beyond the law's range are clipped. */
export function linearToUlaw(sample: number): number {
  const magnitude = Math.min(sample < 0 ? -sample : sample, ULAW_CLIP) + ULAW_BIAS;
  const segment = 24 - Math.clz32(magnitude);
  const code = (sample < 0 ? SIGN : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 15);
  return ~code & 0xff;
}

/** One sample to its A-law code. Negative values are coded by their one's complement, as the law's table has no zero. */
export function linearToAlaw(sample: number): number {
  const magnitude = Math.min(sample < 0 ? ~sample : sample, 0x7fff);
  const segment = Math.max(0, 24 - Math.clz32(magnitude));
  const mantissa = segment < 2 ? (magnitude >> 4) & 15 : (magnitude >> (segment + 3)) & 15;
  return ((sample < 0 ? 0 : SIGN) | (segment << 4) | mantissa) ^ ALAW_TOGGLE;
}

/** One µ-law code to its sample. */
export function decodeUlaw(code: number): number {
  return ULAW_TO_LINEAR[code & 0xff]!;
}

/** One A-law code to its sample. */
export function decodeAlaw(code: number): number {
  return ALAW_TO_LINEAR[code & 0xff]!;
}

/** Encodes `samples` into a new payload of one octet per sample. */
export function encodeUlaw(samples: Int16Array): Uint8Array {
  return Uint8Array.from(samples, linearToUlaw);
}

/** Encodes `samples` into a new payload of one octet per sample. */
export function encodeAlaw(samples: Int16Array): Uint8Array {
  return Uint8Array.from(samples, linearToAlaw);
}

/** Decodes the octets of `[start, end)` by one of the tables into `out` from `at` on. Allocates nothing. */
export function decodeG711(
  table: Int16Array,
  buffer: Uint8Array,
  start: number,
  end: number,
  out: Int16Array,
  at: number,
): void {
  const shift = at - start;
  for (let i = start; i < end; i++) out[i + shift] = table[buffer[i]!]!;
}

/** The same for several channels whose octets alternate: each sample is the channels' mean. */
export function decodeInterleavedG711(
  table: Int16Array,
  channels: number,
  buffer: Uint8Array,
  start: number,
  end: number,
  out: Int16Array,
  at: number,
): void {
  const samples = Math.floor((end - start) / channels);
  let from = start;
  for (let i = 0; i < samples; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += table[buffer[from++]!]!;
    out[at + i] = Math.round(sum / channels);
  }
}
