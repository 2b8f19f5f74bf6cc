// L16: linear 16-bit samples in network byte order, channels interleaved (RFC 3551 §4.5.11).

/** Whole samples per channel in `octets`; a cut last one is left out. */
export function l16SamplesIn(octets: number, channels: number): number {
  return Math.floor(octets / (2 * channels));
}

/** Decodes `[start, end)` to one channel into `out` from `at` on; several channels are mixed down to their mean. */
export function decodeL16(
  channels: number,
  buffer: Uint8Array,
  start: number,
  end: number,
  out: Int16Array,
  at: number,
): void {
  const samples = l16SamplesIn(end - start, channels);
  let from = start;
  if (channels === 1) {
    for (let i = 0; i < samples; i++, from += 2) out[at + i] = (buffer[from]! << 8) | buffer[from + 1]!;
    return;
  }
  for (let i = 0; i < samples; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++, from += 2) {
      sum += ((buffer[from]! << 24) >> 16) | buffer[from + 1]!;
    }
    out[at + i] = Math.round(sum / channels);
  }
}

/** Encodes mono samples into a new payload. */
export function encodeL16(samples: Int16Array): Uint8Array {
  const payload = new Uint8Array(samples.length * 2);
  for (let i = 0; i < samples.length; i++) {
    payload[2 * i] = samples[i]! >> 8;
    payload[2 * i + 1] = samples[i]!;
  }
  return payload;
}
