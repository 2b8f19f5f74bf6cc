// What the load generator says and the verification listens for: a tone of one second that repeats for ever, its first
// 20 ms louder. The tone tells whose it is, the loud part when it was, and silence what is missing.

export const RATE_HZ = 8000;
export const PACKET_MS = 20;
export const PACKET_SAMPLES = (RATE_HZ * PACKET_MS) / 1000;
export const PACKETS_PER_SECOND = 1000 / PACKET_MS;
/** Of full scale. */
export const SOFT = 0.2;
export const LOUD = 0.8;

const VOICES = 40;

/** Whole Hz, so that a second ends where it began. Both parties of a call differ, and so do calls beside each other. */
export function toneHz(call: number, party: 0 | 1): number {
  return party === 0 ? 400 + 10 * (call % VOICES) : 1000 + 20 * (call % VOICES);
}

/** The µ-law (G.711) payloads of one second. */
export function payloads(frequencyHz: number): Buffer[] {
  return Array.from({ length: PACKETS_PER_SECOND }, (_, packet) =>
    Buffer.from(
      Array.from({ length: PACKET_SAMPLES }, (_, sample) => {
        const amplitude = packet === 0 ? LOUD : SOFT;
        const at = packet * PACKET_SAMPLES + sample;
        return muLaw(Math.round(32_767 * amplitude * Math.sin((2 * Math.PI * frequencyHz * at) / RATE_HZ)));
      }),
    ),
  );
}

/** One sample of 16 bits as G.711 µ-law. */
export function muLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(32_635, Math.abs(sample)) + 132;
  const exponent = 24 - Math.clz32(magnitude);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 15)) & 0xff;
}
