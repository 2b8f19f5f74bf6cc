// RTCP compound packets: reader for SR, RR, SDES, BYE and APP (RFC 3550 §6), tolerant, never throws.

//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |V=2|P| RC / SC |      PT       |  length in 32-bit words - 1   |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
export const RTCP_SR = 200;
export const RTCP_RR = 201;
export const RTCP_SDES = 202;
export const RTCP_BYE = 203;
export const RTCP_APP = 204;

export const RTCP_HEADER_OCTETS = 4;
export const REPORT_BLOCK_OCTETS = 24;
export const SENDER_INFO_OCTETS = 20;
export const SDES_CNAME = 1;

/** Packets and SDES items read from one datagram; more are left unread. */
const MAX_PACKETS = 64;
const MAX_ITEMS = 256;

/** A report block (§6.4.1), fields as on the wire. */
export interface ReportBlock {
  ssrc: number;
  /** Of 256, since the last report. */
  fractionLost: number;
  /** Signed 24 bits. */
  cumulativeLost: number;
  extendedHighestSequence: number;
  /** Timestamp units. */
  jitter: number;
  /** Middle 32 bits of the NTP time of the last SR, 0 without. */
  lastSr: number;
  /** Since then, in 1/65536 s. */
  delaySinceLastSr: number;
}

export interface SdesChunk {
  ssrc: number;
  items: { type: number; text: string }[];
}

export type RtcpPacket =
  | {
      type: 'sr';
      ssrc: number;
      /** Seconds since 1900, and their fraction in 1/2^32 s. */
      ntpSeconds: number;
      ntpFraction: number;
      rtpTime: number;
      packetCount: number;
      octetCount: number;
      reports: ReportBlock[];
    }
  | { type: 'rr'; ssrc: number; reports: ReportBlock[] }
  | { type: 'sdes'; chunks: SdesChunk[] }
  | { type: 'bye'; ssrcs: number[]; reason: string | null }
  | { type: 'app'; ssrc: number; subtype: number; name: string; dataStart: number; dataEnd: number }
  /** RTPFB, PSFB, XR and the like. */
  | { type: 'other'; packetType: number; start: number; end: number };

/**
 * True if the first packet of the datagram has a sound RTCP header. Laxer than A.2: reduced-size packets (RFC 5506)
 * and encrypted ones (RFC 3711 §3.4) pass, since both are to be kept. Allocates nothing.
 */
export function looksLikeRtcp(buffer: Uint8Array, start: number, end: number): boolean {
  if (end - start < RTCP_HEADER_OCTETS) return false;
  const packetType = buffer[start + 1]!;
  if (buffer[start]! >>> 6 !== 2 || packetType < 192 || packetType > 223) return false;
  const length = (((buffer[start + 2]! << 8) | buffer[start + 3]!) + 1) * 4;
  return start + length <= end;
}

/** True if the lengths of a compound packet's parts fill the datagram exactly: nothing of it is encrypted. */
export function isWholeRtcp(buffer: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (looksLikeRtcp(buffer, at, end)) at += (((buffer[at + 2]! << 8) | buffer[at + 3]!) + 1) * 4;
  return at === end && end > start;
}

/** Reads what can be read of a compound packet; it ends at the first packet that makes no sense. Offsets are the buffer's. */
export function readRtcp(buffer: Uint8Array, start: number, end: number): RtcpPacket[] {
  const packets: RtcpPacket[] = [];
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  let at = start;
  while (looksLikeRtcp(buffer, at, end) && packets.length < MAX_PACKETS) {
    const next = at + (view.getUint16(at + 2) + 1) * 4;
    let packetEnd = next;
    if ((buffer[at]! & 0x20) !== 0) {
      const padding = buffer[next - 1]!;
      if (padding > 0 && padding % 4 === 0 && next - padding >= at + RTCP_HEADER_OCTETS) packetEnd = next - padding;
    }
    const packet = readPacket(buffer, view, at, packetEnd);
    if (packet !== null) packets.push(packet);
    at = next;
  }
  return packets;
}

function readPacket(buffer: Uint8Array, view: DataView, start: number, end: number): RtcpPacket | null {
  const count = buffer[start]! & 0x1f;
  const packetType = buffer[start + 1]!;
  const body = start + RTCP_HEADER_OCTETS;
  switch (packetType) {
    case RTCP_SR:
      if (body + 4 + SENDER_INFO_OCTETS > end) return null;
      return {
        type: 'sr',
        ssrc: view.getUint32(body),
        ntpSeconds: view.getUint32(body + 4),
        ntpFraction: view.getUint32(body + 8),
        rtpTime: view.getUint32(body + 12),
        packetCount: view.getUint32(body + 16),
        octetCount: view.getUint32(body + 20),
        reports: readReports(view, body + 4 + SENDER_INFO_OCTETS, end, count),
      };
    case RTCP_RR:
      if (body + 4 > end) return null;
      return { type: 'rr', ssrc: view.getUint32(body), reports: readReports(view, body + 4, end, count) };
    case RTCP_SDES:
      return { type: 'sdes', chunks: readChunks(buffer, view, body, end, count) };
    case RTCP_BYE:
      return readBye(buffer, view, body, end, count);
    case RTCP_APP:
      if (body + 8 > end) return null;
      return {
        type: 'app',
        ssrc: view.getUint32(body),
        subtype: count,
        name: Buffer.from(buffer.subarray(body + 4, body + 8)).toString('latin1'),
        dataStart: body + 8,
        dataEnd: end,
      };
    default:
      return { type: 'other', packetType, start, end };
  }
}

function readReports(view: DataView, start: number, end: number, count: number): ReportBlock[] {
  const reports: ReportBlock[] = [];
  for (let at = start; reports.length < count && at + REPORT_BLOCK_OCTETS <= end; at += REPORT_BLOCK_OCTETS) {
    const lossWord = view.getInt32(at + 4);
    reports.push({
      ssrc: view.getUint32(at),
      fractionLost: lossWord >>> 24,
      cumulativeLost: (lossWord << 8) >> 8,
      extendedHighestSequence: view.getUint32(at + 8),
      jitter: view.getUint32(at + 12),
      lastSr: view.getUint32(at + 16),
      delaySinceLastSr: view.getUint32(at + 20),
    });
  }
  return reports;
}

function readChunks(buffer: Uint8Array, view: DataView, start: number, end: number, count: number): SdesChunk[] {
  const chunks: SdesChunk[] = [];
  let at = start;
  let items = 0;
  while (chunks.length < count && at + 4 <= end) {
    const chunk: SdesChunk = { ssrc: view.getUint32(at), items: [] };
    chunks.push(chunk);
    at += 4;
    // Items are type, length, text; a null octet ends the list and pads it to a 32-bit boundary (§6.5).
    while (at < end && buffer[at] !== 0) {
      if (at + 2 > end || at + 2 + buffer[at + 1]! > end || ++items > MAX_ITEMS) return chunks;
      const textEnd = at + 2 + buffer[at + 1]!;
      chunk.items.push({ type: buffer[at]!, text: text(buffer, at + 2, textEnd) });
      at = textEnd;
    }
    at = start + ((at - start) & ~3) + 4;
  }
  return chunks;
}

function readBye(buffer: Uint8Array, view: DataView, start: number, end: number, count: number): RtcpPacket {
  const ssrcs: number[] = [];
  let at = start;
  while (ssrcs.length < count && at + 4 <= end) {
    ssrcs.push(view.getUint32(at));
    at += 4;
  }
  let reason: string | null = null;
  if (at < end && buffer[at]! > 0 && at + 1 + buffer[at]! <= end) reason = text(buffer, at + 1, at + 1 + buffer[at]!);
  return { type: 'bye', ssrcs, reason };
}

function text(buffer: Uint8Array, start: number, end: number): string {
  return Buffer.from(buffer.buffer, buffer.byteOffset + start, end - start).toString('utf8');
}
