// What an RTP stream did: counted per SSRC and summed up per stream (RFC 3550 §6.4, A.3, A.8).
import { InterarrivalJitter } from './jitter.ts';
import type { RtpHeader } from './packet.ts';
import { SequenceTracker, type SequenceVerdict } from './sequence.ts';
import { STATIC_PAYLOAD_TYPES } from './static-payload-types.ts';

/** SSRCs told apart per stream. Further ones take over the oldest one's place, its counts go into the sums. */
export const MAX_SSRCS = 32;

/** The part of a payload format that matters for counting. */
export interface RtpClock {
  payloadType: number;
  encoding: string;
  clockRateHz: number;
}

export interface RtpStatistics {
  /** Without duplicates. */
  packets: number;
  /** Payload octets in them. */
  octets: number;
  lost: number;
  duplicates: number;
  reordered: number;
  /** Of the SSRC heard last. */
  jitterMs: number;
  /** In the order of appearance, at most MAX_SSRCS. */
  ssrcs: number[];
  /** Packets, without duplicates, by payload type number. */
  payloadTypes: Record<number, number>;
  firstPacketMs: number | null;
  lastPacketMs: number | null;
}

/** One synchronisation source. */
export class SsrcStatistics {
  readonly sequence = new SequenceTracker();
  readonly jitter = new InterarrivalJitter();
  /** The SSRC as a signed number, which costs no object; compared for every packet. */
  signedSsrc: number;

  constructor(ssrc: number) {
    this.signedSsrc = ssrc | 0;
  }

  get ssrc(): number {
    return this.signedSsrc >>> 0;
  }
}

/** Counts one stream. `observe` allocates only for an SSRC not seen before. */
export class RtpStatisticsCounter {
  octets = 0;
  firstPacketMs: number | null = null;
  /** Times are Unix ms; 0 before the first packet. */
  lastPacketMs = 0;

  readonly #bySsrc = new Map<number, SsrcStatistics>();
  readonly #ssrcs: number[] = [];
  readonly #packetsByType = new Map<number, number>();
  /** What the description says; 0 is left out of jitter. */
  readonly #clockRateHz = new Map<number, number>();
  #current: SsrcStatistics | null = null;
  // The payload type in use now: maps are only touched when it changes.
  #payloadType = -1;
  #typePackets = 0;
  #typeClockRateHz = 0;
  // Sums of SSRCs whose place was taken.
  #packets = 0;
  #lost = 0;
  #duplicates = 0;
  #reordered = 0;

  constructor(clocks: readonly RtpClock[] = []) {
    this.setClocks(clocks);
  }

  /**
   * Sets the clock rates for jitter. Payload types missing here keep the rate they had, or that of RFC 3551.
   * Telephone events are left out of jitter: their timestamp stands still while the event lasts (RFC 4733 §2.2).
   */
  setClocks(clocks: readonly RtpClock[]): void {
    for (const { payloadType, encoding, clockRateHz } of clocks) {
      const counted = encoding.toUpperCase() !== 'TELEPHONE-EVENT' && clockRateHz > 0;
      if (payloadType >= 0 && payloadType < 128) this.#clockRateHz.set(payloadType, counted ? clockRateHz : 0);
    }
    this.#typeClockRateHz = this.#rateOf(this.#payloadType);
  }

  /** Takes note of a packet that belongs to this stream. `arrivalMs` is Unix ms with a fraction. */
  observe(header: RtpHeader, arrivalMs: number): SequenceVerdict {
    const current = this.#current;
    const source = current !== null && current.signedSsrc === (header.ssrc | 0) ? current : this.#switchTo(header.ssrc);
    const verdict = source.sequence.update(header.sequenceNumber);
    if (this.firstPacketMs === null) this.firstPacketMs = arrivalMs;
    this.lastPacketMs = arrivalMs;
    if (verdict === 'duplicate') return verdict;
    this.octets += header.payloadEnd - header.payloadStart;
    if (header.payloadType !== this.#payloadType) this.#switchType(header.payloadType);
    this.#typePackets++;
    if (verdict === 'restart') source.jitter.breakOff();
    // The timestamp of a far-away number belongs to another run, or to nobody.
    if (verdict !== 'jump') source.jitter.update(arrivalMs, header.rtpTime, this.#typeClockRateHz);
    return verdict;
  }

  /** The stream goes on after a pause: what the sender counted meanwhile is neither loss nor jitter. */
  resynchronise(): void {
    for (const source of this.#bySsrc.values()) {
      source.sequence.resynchronise();
      source.jitter.breakOff();
    }
  }

  /** The SSRCs being told apart, for receiver reports. Valid until the next packet. */
  sources(): Iterable<SsrcStatistics> {
    return this.#bySsrc.values();
  }

  /** SSRC of the packet observed last, -1 before the first. */
  get currentSsrc(): number {
    return this.#current === null ? -1 : this.#current.ssrc;
  }

  /** True once that SSRC has sent packets in sequence (A.1). */
  get currentTrusted(): boolean {
    return this.#current?.sequence.trusted ?? false;
  }

  get packets(): number {
    let packets = this.#packets;
    for (const source of this.#bySsrc.values()) packets += source.sequence.packets;
    return packets;
  }

  summary(): RtpStatistics {
    let lost = this.#lost;
    let duplicates = this.#duplicates;
    let reordered = this.#reordered;
    for (const { sequence } of this.#bySsrc.values()) {
      lost += sequence.lost;
      duplicates += sequence.duplicates;
      reordered += sequence.reordered;
    }
    this.#switchType(this.#payloadType);
    const payloadTypes = Object.fromEntries([...this.#packetsByType].filter(([, count]) => count > 0));
    return {
      packets: this.packets,
      octets: this.octets,
      lost,
      duplicates,
      reordered,
      jitterMs: this.#current?.jitter.ms ?? 0,
      ssrcs: [...this.#ssrcs],
      payloadTypes,
      firstPacketMs: this.firstPacketMs,
      lastPacketMs: this.firstPacketMs === null ? null : this.lastPacketMs,
    };
  }

  #switchType(payloadType: number): void {
    const previous = this.#payloadType;
    if (previous >= 0) {
      this.#packetsByType.set(previous, (this.#packetsByType.get(previous) ?? 0) + this.#typePackets);
    }
    this.#typePackets = 0;
    this.#payloadType = payloadType;
    this.#typeClockRateHz = this.#rateOf(payloadType);
  }

  #rateOf(payloadType: number): number {
    return this.#clockRateHz.get(payloadType) ?? STATIC_PAYLOAD_TYPES.get(payloadType)?.clockRateHz ?? 0;
  }

  #switchTo(ssrc: number): SsrcStatistics {
    let source = this.#bySsrc.get(ssrc);
    if (source === undefined) {
      if (this.#ssrcs.length < MAX_SSRCS) this.#ssrcs.push(ssrc);
      source = this.#bySsrc.size < MAX_SSRCS ? new SsrcStatistics(ssrc) : this.#takeOldest(ssrc);
      this.#bySsrc.set(ssrc, source);
    }
    this.#current = source;
    return source;
  }

  // A sender that invents SSRCs must not cost memory.
  #takeOldest(ssrc: number): SsrcStatistics {
    const [oldest] = this.#bySsrc.values();
    const source = oldest!;
    this.#bySsrc.delete(source.ssrc);
    this.#packets += source.sequence.packets;
    this.#lost += source.sequence.lost;
    this.#duplicates += source.sequence.duplicates;
    this.#reordered += source.sequence.reordered;
    source.signedSsrc = ssrc | 0;
    source.sequence.reset();
    source.jitter.reset();
    return source;
  }
}
