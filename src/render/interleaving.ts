// Whether a payload at twice the usual rate is one channel or two interleaved ones (mod_oreka on stereo channels).

/** Far enough from 1 that neither a tone nor noise decides by chance. */
const CLEARLY_LESS = 0.6;
const ALIKE = 0.8;
/** Every so many packets one is looked at. */
const SAMPLED_PACKETS = 4;

export type Layout = 'mono' | 'stereo' | 'unknown';

/**
 * Sums three kinds of steps over the samples x of a payload:
 *
 *   within   |x[2i+1] − x[2i]|     left to right at one instant, if there are two channels
 *   across   |x[2i+2] − x[2i+1]|   right to the next left
 *   double   |x[i+2] − x[i]|       the step of one channel, if there are two
 *
 * One channel: `within` and `across` are alike, and two steps lead further than one. Two similar channels: `within` is
 * clearly less than `across`. Two that differ: `double` is clearly less than either.
 *
 * Limits: one channel whose sound lies above a third of the payload's rate all the time (5.3 kHz of 16 kHz) looks like
 * two; silence and noise tell nothing ('unknown'); two channels that were low-pass filtered as if they were one
 * (a 48 kHz stereo channel brought to 16,000 samples per second) are a mix at the full rate and rightly look like one.
 */
export class Interleaving {
  #within = 0;
  #across = 0;
  #double = 0;
  #packets = 0;

  /** Looks at a payload. @param table code to sample */
  observe(table: Int16Array, buffer: Uint8Array, start: number, end: number): void {
    if (this.#packets++ % SAMPLED_PACKETS !== 0) return;
    for (let i = start; i + 3 < end; i += 2) {
      const left = table[buffer[i]!]!;
      const right = table[buffer[i + 1]!]!;
      const nextLeft = table[buffer[i + 2]!]!;
      this.#within += Math.abs(right - left);
      this.#across += Math.abs(nextLeft - right);
      this.#double += (Math.abs(nextLeft - left) + Math.abs(table[buffer[i + 3]!]! - right)) / 2;
    }
  }

  /** Takes over what another one has seen, and empties it. */
  take(other: Interleaving): void {
    this.#within += other.#within;
    this.#across += other.#across;
    this.#double += other.#double;
    other.#within = other.#across = other.#double = 0;
  }

  layout(): Layout {
    const within = this.#within / this.#across;
    const double = this.#double / Math.min(this.#within, this.#across);
    if (within < CLEARLY_LESS || double < CLEARLY_LESS) return 'stereo';
    return within > ALIKE && within < 1 / ALIKE && double > 1 / ALIKE ? 'mono' : 'unknown';
  }
}
