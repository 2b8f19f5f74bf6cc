// Keys and packets for the tests of this folder.
import { createHash } from 'node:crypto';
import { writeRtpHeader } from '../../../src/rtp/packet.ts';
import type { SrtpContext } from '../../../src/rtp/srtp/context.ts';
import type { SrtpMasterKey } from '../../../src/rtp/srtp/master-key.ts';
import type { SrtpReception } from '../../../src/rtp/srtp/reception.ts';
import { MAX_OVERHEAD_OCTETS, type SrtpSender } from '../../../src/rtp/srtp/sender.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../../src/rtp/srtp/suites.ts';

export const SUITES = Object.keys(SRTP_SUITES) as SrtpSuite[];

/** Reproducible key material that differs by `name`. */
export function masterKey(
  suite: SrtpSuite,
  name: string,
  more: Pick<SrtpMasterKey, 'mki' | 'lifetime' | 'parameters'> = {},
): SrtpMasterKey {
  const { key, salt } = SRTP_SUITES[suite];
  const material = createHash('sha512').update(`${suite} ${name}`).digest();
  return { suite, masterKey: material.subarray(0, key), masterSalt: material.subarray(key, key + salt), ...more };
}

export interface RtpOptions {
  ssrc?: number;
  payload?: Buffer;
}

/** An RTP packet of 172 octets that can be told from any other. */
export function rtp(sequenceNumber: number, { ssrc = 0xcafe_babe, payload }: RtpOptions = {}): Buffer {
  const body = payload ?? Buffer.alloc(160, (sequenceNumber * 31) & 0xff);
  const header = Buffer.alloc(12);
  writeRtpHeader(header, 0, { marker: false, payloadType: 8, sequenceNumber, rtpTime: sequenceNumber * 160, ssrc });
  return Buffer.concat([header, body]);
}

/** A sender report of an empty session. */
export function rtcp(ssrc = 0xcafe_babe): Buffer {
  const report = Buffer.alloc(28, 0x5a);
  report.set([0x80, 200, 0, 6]);
  report.writeUInt32BE(ssrc, 4);
  return report;
}

export function protectRtp(sender: SrtpSender, packet: Buffer): Buffer {
  const into = Buffer.alloc(packet.length + MAX_OVERHEAD_OCTETS);
  const octets = sender.protectRtp(packet, 0, packet.length, into);
  if (typeof octets !== 'number') throw new Error(octets);
  return Buffer.from(into.subarray(0, octets));
}

export function protectRtcp(sender: SrtpSender, packet: Buffer): Buffer {
  const into = Buffer.alloc(packet.length + MAX_OVERHEAD_OCTETS);
  const octets = sender.protectRtcp(packet, 0, packet.length, into);
  if (typeof octets !== 'number') throw new Error(octets);
  return Buffer.from(into.subarray(0, octets));
}

/** The plain packet, or why there is none. The packet stands in the middle of a larger buffer, as datagrams do. */
export function unprotectRtp(context: SrtpContext | SrtpReception, packet: Buffer): Buffer | string {
  const buffer = Buffer.concat([Buffer.alloc(5, 0xee), packet, Buffer.alloc(3, 0xee)]);
  const into = Buffer.alloc(packet.length, 0xdd);
  const octets = context.unprotectRtp(buffer, 5, 5 + packet.length, into);
  return typeof octets === 'number' ? into.subarray(0, octets) : octets;
}

export function unprotectRtcp(context: SrtpContext | SrtpReception, packet: Buffer): Buffer | string {
  const buffer = Buffer.concat([Buffer.alloc(7, 0xee), packet, Buffer.alloc(3, 0xee)]);
  const into = Buffer.alloc(packet.length, 0xdd);
  const octets = context.unprotectRtcp(buffer, 7, 7 + packet.length, into);
  return typeof octets === 'number' ? into.subarray(0, octets) : octets;
}

/** Takes the sender to the rollover counter `roc`; the packets in between go nowhere. */
export function advanceTo(sender: SrtpSender, roc: number, ssrc?: number): void {
  const options = ssrc === undefined ? {} : { ssrc };
  for (let index = 0; index < roc * 65_536; index += 30_000) protectRtp(sender, rtp(index & 0xffff, options));
  protectRtp(sender, rtp(65_535, options));
  if (roc > 0) protectRtp(sender, rtp(0, options));
}
