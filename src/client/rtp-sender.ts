// Paces one stream's packets against the monotonic clock and hands them to a sink. Drift-free: slot n is due at start + n × 20 ms.
//
//   idle ──start──▶ sending ◀──resume── paused        stop: from anywhere, for good
//                      └──────pause───────▲
import type { Clock } from '../lib/clock.ts';
import { RTP_HEADER_OCTETS } from '../rtp/packet.ts';
import { PACKET_MS } from './codec.ts';
import type { MediaTicker, Paced } from './media-ticker.ts';
import type { Random } from './random.ts';
import type { RtpStream } from './rtp-stream.ts';
import { writeSenderReport } from './sender-report.ts';

/** Where packets go. A packet's memory is reused RING_PACKETS later. */
export interface PacketSink {
  sendRtp(packet: Uint8Array): void;
  sendRtcp(packet: Uint8Array): void;
}

/** Probabilities per packet, for tests of the receiver. */
export interface Impairment {
  loss: number;
  /** The packet is sent after the following one. */
  reorder: number;
  duplicate: number;
  random: Random;
}

export interface RtpSenderOptions {
  stream: RtpStream;
  sink: PacketSink;
  ticker: MediaTicker;
  clock: Clock;
  impairment: Impairment | null;
  /** Sends sender reports at this interval; null sends none. */
  reportIntervalMs: number | null;
}

/** A stall longer than this is not caught up: the packets are missing at the receiver, with the right gap. */
const MAX_CATCH_UP_MS = 1000;
/** The kernel may take a packet later than we hand it over; by then the ring has not come round. */
const RING_PACKETS = 64;

export class RtpSender implements Paced {
  /** Packets handed to the sink, duplicates included. */
  packetsSent = 0;
  payloadOctets = 0;
  /** Packets that the impairment dropped. */
  packetsWithheld = 0;
  /** Packets that a stall of ours cost. */
  packetsSkipped = 0;
  /** `clock.nowMs` when the first packet left, null before. */
  startedMs: number | null = null;

  nextDueMs = Number.POSITIVE_INFINITY;

  readonly #options: RtpSenderOptions;
  readonly #ring: Uint8Array[];
  #state: 'idle' | 'sending' | 'paused' | 'stopped' = 'idle';
  #beganMs = 0;
  #slot = 0;
  #nextReportMs = Number.POSITIVE_INFINITY;
  #late: Uint8Array | null = null;

  constructor(options: RtpSenderOptions) {
    this.#options = options;
    const octets = options.stream.maxPacketOctets;
    const memory = new Uint8Array(octets * RING_PACKETS);
    this.#ring = Array.from({ length: RING_PACKETS }, (_, index) =>
      memory.subarray(index * octets, (index + 1) * octets),
    );
  }

  get state() {
    return this.#state;
  }

  /**
   * Slot 0 was due at `beganMs` (on the clock): streams that are given the same one stay aligned, however late they start.
   * Only the first call counts.
   */
  start(beganMs: number): void {
    if (this.#state !== 'idle') return;
    this.#beganMs = beganMs;
    if (this.#options.reportIntervalMs !== null) this.#nextReportMs = beganMs + this.#options.reportIntervalMs;
    this.#send(Math.max(0, Math.floor((this.#options.clock.nowMs() - beganMs) / PACKET_MS)));
  }

  /** Idempotent. Time, timestamps and sequence numbers go on. */
  pause(): void {
    if (this.#state !== 'sending') return;
    this.#state = 'paused';
    this.nextDueMs = Number.POSITIVE_INFINITY;
    if (this.#late) this.#hand(this.#late);
    this.#late = null;
    this.#options.ticker.remove(this);
  }

  /** Idempotent. A stream that has never been started stays idle. */
  resume(): void {
    if (this.#state !== 'paused') return;
    this.#options.stream.beginTalkspurt();
    this.#send(Math.max(this.#slot, this.#currentSlot()));
  }

  stop(): void {
    this.pause();
    this.#state = 'stopped';
  }

  /** Puts digits into the stream in place of audio. They are lost if the stream is paused meanwhile. Throws RangeError on a bad digit. */
  playDtmf(digits: string): { durationMs: number } {
    const from = Math.max(this.#slot, this.#currentSlot());
    return { durationMs: (this.#options.stream.playDtmf(digits, from) - from) * PACKET_MS };
  }

  run(nowMs: number): void {
    if (this.#state !== 'sending') return;
    const behindMs = nowMs - this.nextDueMs;
    if (behindMs > MAX_CATCH_UP_MS) {
      const skipped = Math.floor(behindMs / PACKET_MS);
      this.#slot += skipped;
      this.packetsSkipped += skipped;
    }
    while (this.#beganMs + this.#slot * PACKET_MS <= nowMs) {
      this.#emit(this.#slot);
      this.#slot++;
    }
    this.nextDueMs = this.#beganMs + this.#slot * PACKET_MS;
    this.startedMs ??= this.packetsSent > 0 ? nowMs : null;
    if (nowMs >= this.#nextReportMs) this.#report(nowMs);
  }

  #currentSlot(): number {
    return this.#state === 'idle' ? 0 : Math.ceil((this.#options.clock.nowMs() - this.#beganMs) / PACKET_MS);
  }

  #send(slot: number): void {
    this.#state = 'sending';
    this.#slot = slot;
    this.nextDueMs = this.#beganMs + slot * PACKET_MS;
    this.#options.ticker.add(this);
  }

  #emit(slot: number): void {
    const { stream, impairment } = this.#options;
    const memory = this.#ring[slot % RING_PACKETS]!;
    const octets = stream.write(slot, memory);
    const packet = octets === memory.length ? memory : memory.subarray(0, octets);
    if (!impairment) {
      this.#hand(packet);
      return;
    }
    const fate = impairment.random.fraction();
    const again = impairment.random.fraction() < impairment.duplicate;
    if (fate < impairment.loss) {
      this.packetsWithheld++;
      return;
    }
    const late = this.#late;
    this.#late = null;
    if (late === null && fate < impairment.loss + impairment.reorder) {
      this.#late = packet;
      return;
    }
    this.#hand(packet);
    if (again) this.#hand(packet);
    if (late) this.#hand(late);
  }

  #hand(packet: Uint8Array): void {
    this.#options.sink.sendRtp(packet);
    this.packetsSent++;
    this.payloadOctets += packet.length - RTP_HEADER_OCTETS;
  }

  #report(nowMs: number): void {
    const { stream, sink, reportIntervalMs } = this.#options;
    this.#nextReportMs = nowMs + (reportIntervalMs ?? Number.POSITIVE_INFINITY);
    sink.sendRtcp(
      writeSenderReport({
        ssrc: stream.ssrc,
        unixMs: nowMs,
        rtpTimestamp: stream.timestampAt((nowMs - this.#beganMs) / PACKET_MS),
        packets: this.packetsSent,
        octets: this.payloadOctets,
        cname: `sipreel-${stream.ssrc.toString(16)}`,
      }),
    );
  }
}
