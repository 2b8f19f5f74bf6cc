// Where the parts of a protected packet begin that do not depend on the key (RFC 3711 §3.1, §3.4).
import { RTP_HEADER_OCTETS } from '../packet.ts';

/** Header and SSRC of every RTCP packet: stays readable. */
export const RTCP_PREFIX_OCTETS = 8;
/** No datagram is longer. */
export const MAX_PACKET_OCTETS = 65_535;

const EXTENSION_BIT = 0x10;
const CSRC_COUNT_MASK = 0x0f;

/** One packet, refilled for every one. Offsets are the buffer's. */
export class PacketView {
  buffer: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Where the part begins that is encrypted. */
  payloadStart = 0;
  ssrc = 0;
  /** RTP only. */
  sequenceNumber = 0;

  /** False if the datagram is too short to have the header that it announces. Trusts nothing else of it. */
  readRtp(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start < RTP_HEADER_OCTETS) return false;
    let payloadStart = start + RTP_HEADER_OCTETS + (buffer[start]! & CSRC_COUNT_MASK) * 4;
    if ((buffer[start]! & EXTENSION_BIT) !== 0) {
      if (payloadStart + 4 > end) return false;
      payloadStart += 4 + ((buffer[payloadStart + 2]! << 8) | buffer[payloadStart + 3]!) * 4;
    }
    if (payloadStart > end) return false;
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.payloadStart = payloadStart;
    this.sequenceNumber = (buffer[start + 2]! << 8) | buffer[start + 3]!;
    this.ssrc = readUint32(buffer, start + 8);
    return true;
  }

  readRtcp(buffer: Uint8Array, start: number, end: number): boolean {
    if (end - start < RTCP_PREFIX_OCTETS) return false;
    this.buffer = buffer;
    this.start = start;
    this.end = end;
    this.payloadStart = start + RTCP_PREFIX_OCTETS;
    this.ssrc = readUint32(buffer, start + 4);
    return true;
  }
}

export function readUint32(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0;
}

export function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

/** Copies `from[start, end)` to `into[at, …)`. */
export function copyOctets(from: Uint8Array, start: number, end: number, into: Uint8Array, at: number): void {
  // Headers are short: a loop is quicker than the view that set() needs, and allocates nothing.
  if (end - start > 64) into.set(from.subarray(start, end), at);
  else for (let source = start, target = at; source < end; source++, target++) into[target] = from[source]!;
}
