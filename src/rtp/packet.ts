// RTP fixed header, CSRC list, extension and padding: reader and writer (RFC 3550 §5.1, §5.3.1).

//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                           timestamp                           |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |           synchronization source (SSRC) identifier            |
//   +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//   |            contributing source (CSRC) identifiers, CC of them |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |  extension profile, if X      |  length in 32-bit words       |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                     extension, payload …                      |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                … padding, if P        | number of padding octets
export const RTP_VERSION = 2;
export const RTP_HEADER_OCTETS = 12;

const SEQUENCE_OFFSET = 2;
const TIMESTAMP_OFFSET = 4;
const SSRC_OFFSET = 8;
const CSRC_OFFSET = 12;

const PADDING_BIT = 0x20;
const EXTENSION_BIT = 0x10;
const CSRC_COUNT_MASK = 0x0f;
const MARKER_BIT = 0x80;
const PAYLOAD_TYPE_MASK = 0x7f;

/** Why bytes could not be read as RTP. Counted, never thrown. */
export type RtpDropReason =
  /** Shorter than the fixed header. */
  | 'rtpTooShort'
  /** The version is not 2. */
  | 'notRtp'
  /** The CSRC list or the extension reaches beyond the datagram. */
  | 'rtpHeaderCut';

/**
 * One header, refilled for every packet. Offsets count from the beginning of the buffer that was read,
 * so they are valid as long as that buffer's content is.
 */
export class RtpHeader {
  marker = false;
  payloadType = 0;
  sequenceNumber = 0;
  /** Media clock, 32 bits, units of the payload type's clock rate. */
  rtpTime = 0;
  ssrc = 0;
  csrcCount = 0;
  /** Profile field of the header extension (0xBEDE: RFC 8285 one-byte headers), -1 without one. */
  extensionProfile = -1;
  extensionStart = 0;
  extensionEnd = 0;
  payloadStart = 0;
  payloadEnd = 0;
  /**
   * False if the padding count makes no sense (0, or more than there is). The octets then count as payload: the
   * packet is kept, because an encrypted padding count (RFC 3711 §3.1) looks the same.
   */
  paddingValid = true;
}

/**
 * Reads the header of the datagram in `buffer[start, end)` into `into`. Allocates nothing.
 * @returns null if it is RTP, otherwise why not; `into` is then undefined.
 */
export function readRtpHeader(buffer: Uint8Array, start: number, end: number, into: RtpHeader): RtpDropReason | null {
  if (end - start < RTP_HEADER_OCTETS) return 'rtpTooShort';
  const first = buffer[start]!;
  if (first >>> 6 !== RTP_VERSION) return 'notRtp';
  const second = buffer[start + 1]!;

  const csrcCount = first & CSRC_COUNT_MASK;
  let payloadStart = start + CSRC_OFFSET + csrcCount * 4;
  if (payloadStart > end) return 'rtpHeaderCut';

  into.extensionProfile = -1;
  into.extensionStart = payloadStart;
  into.extensionEnd = payloadStart;
  if ((first & EXTENSION_BIT) !== 0) {
    if (payloadStart + 4 > end) return 'rtpHeaderCut';
    into.extensionProfile = (buffer[payloadStart]! << 8) | buffer[payloadStart + 1]!;
    const words = (buffer[payloadStart + 2]! << 8) | buffer[payloadStart + 3]!;
    into.extensionStart = payloadStart + 4;
    payloadStart += 4 + words * 4;
    if (payloadStart > end) return 'rtpHeaderCut';
    into.extensionEnd = payloadStart;
  }

  let payloadEnd = end;
  into.paddingValid = true;
  if ((first & PADDING_BIT) !== 0) {
    const padding = end > payloadStart ? buffer[end - 1]! : 0;
    if (padding === 0 || payloadStart + padding > end) into.paddingValid = false;
    else payloadEnd = end - padding;
  }

  into.csrcCount = csrcCount;
  into.marker = (second & MARKER_BIT) !== 0;
  into.payloadType = second & PAYLOAD_TYPE_MASK;
  into.sequenceNumber = (buffer[start + SEQUENCE_OFFSET]! << 8) | buffer[start + SEQUENCE_OFFSET + 1]!;
  into.rtpTime = readUint32(buffer, start + TIMESTAMP_OFFSET);
  into.ssrc = readUint32(buffer, start + SSRC_OFFSET);
  into.payloadStart = payloadStart;
  into.payloadEnd = payloadEnd;
  return null;
}

/** What a sender chooses. Numbers are taken modulo their field's width. */
export interface RtpHeaderFields {
  marker: boolean;
  payloadType: number;
  sequenceNumber: number;
  rtpTime: number;
  ssrc: number;
}

/**
 * Writes a header without CSRC list, extension or padding at `start`.
 * @returns the offset behind it, where the payload goes. The buffer must have RTP_HEADER_OCTETS left.
 */
export function writeRtpHeader(into: Uint8Array, start: number, fields: RtpHeaderFields): number {
  into[start] = RTP_VERSION << 6;
  into[start + 1] = (fields.marker ? MARKER_BIT : 0) | (fields.payloadType & PAYLOAD_TYPE_MASK);
  into[start + SEQUENCE_OFFSET] = fields.sequenceNumber >>> 8;
  into[start + SEQUENCE_OFFSET + 1] = fields.sequenceNumber;
  writeUint32(into, start + TIMESTAMP_OFFSET, fields.rtpTime);
  writeUint32(into, start + SSRC_OFFSET, fields.ssrc);
  return start + RTP_HEADER_OCTETS;
}

function readUint32(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0;
}

function writeUint32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
