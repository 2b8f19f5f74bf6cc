// Packets of one outgoing stream (RFC 3550 §5.1) with DTMF in between (RFC 4733 §2.3). No sockets, no clock.
//
// Time is counted in slots of PACKET_MS since the stream began. Slot n always has sequence number start + n and
// timestamp start + n packets: what a pause or a stall leaves out is a jump at the receiver, as with rtpproxy's copies.
import { RTP_HEADER_OCTETS, type RtpHeaderFields, writeRtpHeader } from '../rtp/packet.ts';
import { dtmfDigit, TELEPHONE_EVENT_OCTETS } from '../rtp/telephone-event.ts';
import { PACKET_MS, packetSamples, TELEPHONE_EVENT_PAYLOAD_TYPE } from './codec.ts';
import type { EncodedLoop } from './encoded-loop.ts';
import type { Random } from './random.ts';

const END_OF_EVENT = 0x80;
const EVENT_VOLUME = 10;
/** The last packet of an event is sent three times (RFC 4733 §2.5.1.4). */
const END_REPEATS = 2;
const GAP_SLOTS = 3;
const DTMF_CODES = 16;
const DTMF_DIGITS = Array.from({ length: DTMF_CODES }, (_, code) => dtmfDigit(code));

/** True if a phone can dial all of that: 0–9, *, #, A–D. */
export function isDtmf(digits: string): boolean {
  return [...digits.toUpperCase()].every((digit) => DTMF_DIGITS.includes(digit));
}

interface DtmfEvent {
  code: number;
  startSlot: number;
  toneSlots: number;
}

export class RtpStream {
  readonly ssrc: number;
  readonly #loop: EncodedLoop;
  readonly #samplesPerPacket: number;
  readonly #firstSequence: number;
  readonly #firstTimestamp: number;
  /** Refilled for every packet. */
  readonly #header: RtpHeaderFields;
  #events: DtmfEvent[] = [];
  #markNext = true;

  constructor(loop: EncodedLoop, random: Random) {
    this.#loop = loop;
    this.#samplesPerPacket = packetSamples(loop.codec);
    this.ssrc = random.bits(32);
    this.#firstSequence = random.bits(16);
    this.#firstTimestamp = random.bits(32);
    this.#header = { marker: false, payloadType: 0, sequenceNumber: 0, rtpTime: 0, ssrc: this.ssrc };
  }

  get codec() {
    return this.#loop.codec;
  }

  get maxPacketOctets(): number {
    return RTP_HEADER_OCTETS + Math.max(TELEPHONE_EVENT_OCTETS, this.#loop.packetOctets);
  }

  /** RTP time at a (fractional) slot, for sender reports. */
  timestampAt(slot: number): number {
    return (this.#firstTimestamp + Math.floor(slot * this.#samplesPerPacket)) >>> 0;
  }

  /** The next packet carries the marker bit: a talkspurt begins (RFC 3551 §4.1). */
  beginTalkspurt(): void {
    this.#markNext = true;
  }

  /**
   * Plays digits from `slot` on, after those already waiting. Returns the slot after the last one's gap.
   * Characters that are no DTMF digit throw a RangeError.
   */
  playDtmf(digits: string, slot: number, toneMs = 100): number {
    const codes = [...digits.toUpperCase()].map((digit) => {
      const code = DTMF_DIGITS.indexOf(digit);
      if (code < 0) throw new RangeError(`not a DTMF digit: ${digit}`);
      return code;
    });
    const toneSlots = Math.max(2, Math.round(toneMs / PACKET_MS));
    const last = this.#events.at(-1);
    let startSlot = last ? Math.max(slot, slotAfter(last)) : slot;
    for (const code of codes) {
      const event = { code, startSlot, toneSlots };
      this.#events.push(event);
      startSlot = slotAfter(event);
    }
    return startSlot;
  }

  /** Writes the slot's packet to the start of `into` (at least maxPacketOctets) and returns its length. Slots only go up. */
  write(slot: number, into: Uint8Array): number {
    while (this.#events.length > 0 && slot > lastSlot(this.#events[0]!)) {
      this.#events.shift();
      this.beginTalkspurt();
    }
    const event = this.#events[0];
    if (event && slot >= event.startSlot) return this.#writeEvent(slot, event, into);
    this.#writeHeader(into, this.#loop.codec.payloadType, this.#markNext, slot, slot);
    this.#markNext = false;
    const { octets, packetOctets, packetCount } = this.#loop;
    const start = (slot % packetCount) * packetOctets;
    into.set(octets.subarray(start, start + packetOctets), RTP_HEADER_OCTETS);
    return RTP_HEADER_OCTETS + packetOctets;
  }

  #writeEvent(slot: number, event: DtmfEvent, into: Uint8Array): number {
    const index = slot - event.startSlot;
    this.#writeHeader(into, TELEPHONE_EVENT_PAYLOAD_TYPE, index === 0, slot, event.startSlot);
    const duration = Math.min(index + 1, event.toneSlots) * this.#samplesPerPacket;
    into[RTP_HEADER_OCTETS] = event.code;
    into[RTP_HEADER_OCTETS + 1] = (index >= event.toneSlots - 1 ? END_OF_EVENT : 0) | EVENT_VOLUME;
    into[RTP_HEADER_OCTETS + 2] = duration >>> 8;
    into[RTP_HEADER_OCTETS + 3] = duration;
    return RTP_HEADER_OCTETS + TELEPHONE_EVENT_OCTETS;
  }

  #writeHeader(into: Uint8Array, payloadType: number, marker: boolean, slot: number, timeSlot: number): void {
    const header = this.#header;
    header.marker = marker;
    header.payloadType = payloadType;
    header.sequenceNumber = this.#firstSequence + slot;
    header.rtpTime = this.timestampAt(timeSlot);
    writeRtpHeader(into, 0, header);
  }
}

function lastSlot(event: DtmfEvent): number {
  return event.startSlot + event.toneSlots - 1 + END_REPEATS;
}

function slotAfter(event: DtmfEvent): number {
  return lastSlot(event) + 1 + GAP_SLOTS;
}
