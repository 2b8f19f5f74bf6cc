// What each packet of a stream means, with the rate that its payload really has.
import type { PayloadMeaning, PayloadTypes } from './payload-types.ts';
import { USUAL_RATE_HZ } from './rate-block.ts';
import type { RatePart } from './rate-finder.ts';

/** For one pass: must be shown every packet of the stream, in order. */
export class RatedPayloads {
  readonly #payloads: PayloadTypes;
  readonly #parts: readonly RatePart[];
  #packet = 0;
  #next = 0;
  /** By payload type, of the part that runs. */
  readonly #meanings = new Map<number, PayloadMeaning>();

  constructor(payloads: PayloadTypes, parts: readonly RatePart[]) {
    this.#payloads = payloads;
    this.#parts = parts;
  }

  /** Of the next packet. */
  next(header: { payloadType: number; payloadStart: number; payloadEnd: number }, unixMs: number): PayloadMeaning {
    const { payloadType } = header;
    if (this.#parts.length === 0) return this.#payloads.of(payloadType, unixMs);
    const isCounted = header.payloadEnd > header.payloadStart && this.#payloads.g711Table(payloadType) !== null;
    if (!isCounted) return this.#payloads.of(payloadType);
    const packet = this.#packet++;
    while (this.#next < this.#parts.length && this.#parts[this.#next]!.firstPacket <= packet) {
      this.#next++;
      this.#meanings.clear();
    }
    const known = this.#meanings.get(payloadType);
    if (known !== undefined) return known;
    const meaning = this.#meaningIn(this.#parts[this.#next - 1], payloadType);
    this.#meanings.set(payloadType, meaning);
    return meaning;
  }

  #meaningIn(part: RatePart | undefined, payloadType: number): PayloadMeaning {
    if (part === undefined || part.rateHz === null || part.rateHz === USUAL_RATE_HZ) {
      return this.#payloads.of(payloadType);
    }
    const channels = part.layout === 'stereo' ? 2 : 1;
    return this.#payloads.g711At(payloadType, part.rateHz / channels, channels);
  }
}
