// Octets per second of a few seconds of packets, under jitter, bursts, loss and gaps (mod_oreka; placement 'arrival').

const MAX_PACKETS = 256;
/** A block is full with both: 2.56 s of G.711 at 8 kHz, longer when the packets are. */
const ENOUGH_OCTETS = 20_480;
const ENOUGH_PACKETS = 48;
/** Spans over which the rate is taken, at least so long: 160 ms and 640 ms of G.711 at 8 kHz. */
const SHORT_SPAN = { octets: 1280, packets: 4 };
const LONG_SPAN = { octets: 5120, packets: 16 };
/** For talk in pieces too short for those: 60 ms, and neighbours. They may confirm the usual rate, never another. */
const SCRAP_SPANS = [
  { octets: 480, packets: 1 },
  { octets: 1, packets: 1 },
];
/** Spans that a verdict needs. */
const MIN_SPANS = 12;
/** Of the spans that many must agree. */
const MAJORITY = 0.5;
const TOLERANCE = 0.15;
/** An interval between neighbours is a gap from here on, and from 2.5 usual intervals on. */
const GAP_MS = 60;
const GAP_INTERVALS = 2.5;
/** A larger jump of the sequence number is a restart. */
const MAX_JUMP = 100;

/** Rates that a resampler chosen for another codec can give; further ones are not told. */
export const PAYLOAD_RATES_HZ = [4000, 8000, 16_000, 24_000, 32_000, 48_000] as const;
/** Rates above need more evidence. */
const COMMON_MAX_HZ = 16_000;
/** What mod_oreka means to send. */
export const USUAL_RATE_HZ = 8000;

/**
 * Holds packets until it is full. Of every span of so many octets the rate is taken, and the class of rates that most
 * spans fall into wins. Long spans see through bursts, which only move time about; short spans that hold no gap see
 * through gaps, which only add time. So a low rate is believed from gapless short spans only, and where one of the two
 * says 8 kHz, it is 8 kHz.
 */
export class RateBlock {
  packets = 0;
  octets = 0;
  /** Known after `rateHz`. */
  longestIntervalMs = 0;

  readonly #sequences = new Float64Array(MAX_PACKETS);
  readonly #arrivalsMs = new Float64Array(MAX_PACKETS);
  readonly #sizes = new Float64Array(MAX_PACKETS);
  readonly #totals = new Float64Array(MAX_PACKETS);
  readonly #intervalsMs = new Float64Array(MAX_PACKETS);
  readonly #votes = new Uint16Array(PAYLOAD_RATES_HZ.length);
  #lastSequence = 0;

  get isFull(): boolean {
    return this.packets === MAX_PACKETS || (this.packets >= ENOUGH_PACKETS && this.octets >= ENOUGH_OCTETS);
  }

  clear(): void {
    this.packets = 0;
    this.octets = 0;
  }

  /** True if the sequence number belongs to the ones held; an empty block takes any. */
  continues(sequenceNumber: number): boolean {
    return this.packets === 0 || Math.abs(stepTo(sequenceNumber, this.#lastSequence)) <= MAX_JUMP;
  }

  /** Takes a packet in, in its order; a duplicate is left out. Not when full. */
  add(sequenceNumber: number, octets: number, arrivalMs: number): void {
    const sequences = this.#sequences;
    const sequence =
      this.packets === 0 ? sequenceNumber : this.#lastSequence + stepTo(sequenceNumber, this.#lastSequence);
    let at = this.packets;
    while (at > 0 && sequences[at - 1]! > sequence) at--;
    if (at > 0 && sequences[at - 1] === sequence) return;
    if (at < this.packets) {
      sequences.copyWithin(at + 1, at, this.packets);
      this.#arrivalsMs.copyWithin(at + 1, at, this.packets);
      this.#sizes.copyWithin(at + 1, at, this.packets);
    }
    sequences[at] = sequence;
    this.#arrivalsMs[at] = arrivalMs;
    this.#sizes[at] = octets;
    this.packets++;
    this.octets += octets;
    this.#lastSequence = sequences[this.packets - 1]!;
  }

  /** One of PAYLOAD_RATES_HZ, null when it cannot be told. */
  rateHz(): number | null {
    const count = this.packets;
    if (count < 2) return null;
    const gapMs = this.#measure();
    const short = this.#vote(SHORT_SPAN, gapMs);
    const long = this.#vote(LONG_SPAN, Number.POSITIVE_INFINITY);
    if (short === null) {
      if (long !== null && long >= USUAL_RATE_HZ && long <= COMMON_MAX_HZ) return long;
      return SCRAP_SPANS.some((span) => this.#vote(span, gapMs) === USUAL_RATE_HZ) ? USUAL_RATE_HZ : null;
    }
    // Rare enough that both have to say so.
    if (Math.max(short, long ?? 0) > COMMON_MAX_HZ) return short === long ? short : null;
    const lowered = gapMs < this.longestIntervalMs && long !== null && long < short;
    if (long === null || long === short || lowered) return short;
    return short === USUAL_RATE_HZ || long === USUAL_RATE_HZ ? USUAL_RATE_HZ : null;
  }

  /** Octets up to each packet, lost ones counted, and the interval that counts as a gap. */
  #measure(): number {
    const count = this.packets;
    let total = 0;
    this.longestIntervalMs = 0;
    for (let i = 0; i < count; i++) {
      const step = i === 0 ? 1 : this.#sequences[i]! - this.#sequences[i - 1]!;
      total += step * this.#sizes[i]!;
      this.#totals[i] = total;
      if (i === 0) continue;
      const intervalMs = (this.#arrivalsMs[i]! - this.#arrivalsMs[i - 1]!) / step;
      this.#intervalsMs[i - 1] = intervalMs;
      if (intervalMs > this.longestIntervalMs) this.longestIntervalMs = intervalMs;
    }
    const usual = this.#intervalsMs.subarray(0, count - 1).sort()[(count - 1) >> 1]!;
    return Math.max(GAP_MS, GAP_INTERVALS * usual);
  }

  #vote(span: typeof SHORT_SPAN, gapMs: number): number | null {
    const totals = this.#totals;
    const arrivals = this.#arrivalsMs;
    this.#votes.fill(0);
    let spans = 0;
    let last = 0;
    // The last packet that came behind a gap.
    let gapAt = 0;
    for (let start = 0; start < this.packets; start++) {
      while (last - start < span.packets || totals[last]! - totals[start]! < span.octets) {
        last++;
        if (last === this.packets) break;
        const step = this.#sequences[last]! - this.#sequences[last - 1]!;
        if ((arrivals[last]! - arrivals[last - 1]!) / step > gapMs) gapAt = last;
      }
      if (last === this.packets) break;
      if (gapAt > start) continue;
      spans++;
      this.#voteFor(((totals[last]! - totals[start]!) * 1000) / (arrivals[last]! - arrivals[start]!));
    }
    if (spans < MIN_SPANS) return null;
    for (let i = 0; i < this.#votes.length; i++) {
      if (this.#votes[i]! > spans * MAJORITY) return PAYLOAD_RATES_HZ[i]!;
    }
    return null;
  }

  #voteFor(octetsPerSecond: number): void {
    for (let i = 0; i < PAYLOAD_RATES_HZ.length; i++) {
      const ratio = octetsPerSecond / PAYLOAD_RATES_HZ[i]!;
      if (ratio > 1 - TOLERANCE && ratio < 1 + TOLERANCE) this.#votes[i]!++;
    }
  }
}

function stepTo(sequenceNumber: number, last: number): number {
  return ((sequenceNumber - last) << 16) >> 16;
}
