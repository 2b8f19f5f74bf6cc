// Datagrams for media ports, numbered so that their order can be read from the journal.
import { writeRtpHeader } from '../../src/rtp/packet.ts';

export interface RtpPlan {
  seq: number;
  ssrc?: number;
  rtpTime?: number;
  payloadType?: number;
  /** Payload octets; their content is the sequence number's low octet. */
  octets?: number;
}

export function rtp({ seq, ssrc = 0xca110000, rtpTime = seq * 160, payloadType = 0, octets = 160 }: RtpPlan): Buffer {
  const datagram = Buffer.alloc(12 + octets, seq & 0xff);
  writeRtpHeader(datagram, 0, { marker: false, payloadType, sequenceNumber: seq, rtpTime, ssrc });
  return datagram;
}

export function sequenceNumber(octets: Uint8Array): number {
  return (octets[2]! << 8) | octets[3]!;
}

export interface SenderReport {
  ssrc: number;
  ntpSeconds?: number;
  ntpFraction?: number;
}

/** RFC 3550 §6.4.1, without report blocks. */
export function senderReport({ ssrc, ntpSeconds = 0, ntpFraction = 0 }: SenderReport): Buffer {
  const datagram = Buffer.alloc(28);
  datagram.writeUInt16BE(0x80c8, 0);
  datagram.writeUInt16BE(6, 2);
  datagram.writeUInt32BE(ssrc, 4);
  datagram.writeUInt32BE(ntpSeconds, 8);
  datagram.writeUInt32BE(ntpFraction, 12);
  return datagram;
}

/** A binding request (RFC 8489 §5). */
export const STUN = Buffer.from('000100002112a442000102030405060708090a0b', 'hex');
/** The beginning of a client hello (RFC 6347 §4.3.1). */
export const DTLS = Buffer.from('16feff0000000000000000000001', 'hex');
export const ZRTP = Buffer.from('1000123451525450ca110000', 'hex');
export const TURN_CHANNEL = Buffer.from('4000000461626364', 'hex');
