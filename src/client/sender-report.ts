// RTCP sender report with the CNAME that every compound must carry (RFC 3550 §6.4.1, §6.5.1).
import { RTCP_SDES, RTCP_SR, SDES_CNAME } from '../rtp/rtcp.ts';

/** Seconds between 1900 and 1970. */
const NTP_OFFSET_S = 2_208_988_800;

export interface SenderReport {
  ssrc: number;
  /** Unix ms of the moment that `rtpTimestamp` belongs to. */
  unixMs: number;
  rtpTimestamp: number;
  packets: number;
  /** Payload octets only. */
  octets: number;
  cname: string;
}

export function writeSenderReport(report: SenderReport): Uint8Array {
  const cname = Buffer.from(report.cname).subarray(0, 255);
  // The item list ends in at least one zero octet and fills up to 32 bits.
  const chunkOctets = 4 + Math.ceil((2 + cname.length + 1) / 4) * 4;
  const packet = Buffer.alloc(28 + 4 + chunkOctets);
  packet[0] = 0x80;
  packet[1] = RTCP_SR;
  packet.writeUInt16BE(6, 2);
  packet.writeUInt32BE(report.ssrc, 4);
  const seconds = Math.floor(report.unixMs / 1000);
  packet.writeUInt32BE((seconds + NTP_OFFSET_S) % 0x1_0000_0000, 8);
  packet.writeUInt32BE(Math.floor(((report.unixMs - seconds * 1000) / 1000) * 0x1_0000_0000), 12);
  packet.writeUInt32BE(report.rtpTimestamp, 16);
  packet.writeUInt32BE(report.packets % 0x1_0000_0000, 20);
  packet.writeUInt32BE(report.octets % 0x1_0000_0000, 24);
  packet[28] = 0x81;
  packet[29] = RTCP_SDES;
  packet.writeUInt16BE(chunkOctets / 4, 30);
  packet.writeUInt32BE(report.ssrc, 32);
  packet[36] = SDES_CNAME;
  packet[37] = cname.length;
  cname.copy(packet, 38);
  return packet;
}
