// How many SRTP packets of 20 ms of G.711 one core opens per second, by suite, and what a search and a forgery cost.
import { randomBytes } from 'node:crypto';
import { writeRtpHeader } from '../../src/rtp/packet.ts';
import { createSrtpContext, type SrtpContext } from '../../src/rtp/srtp/context.ts';
import type { SrtpMasterKey } from '../../src/rtp/srtp/master-key.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS } from '../../src/rtp/srtp/sender.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/rtp/srtp/suites.ts';

const RTP_OCTETS = 172;
const PACKETS = 20_000;
const ROUNDS = 5;
const FORGERIES = 200;

export interface SrtpBench {
  suite: SrtpSuite;
  packetsPerSecond: number;
  microsecondsPerPacket: number;
  /** A forged packet of an SSRC that is known, without a search. */
  microsecondsPerForgery: number;
  /** One search over all rollover counters that finds nothing. */
  microsecondsPerSearch: number;
}

export function benchSrtp(): SrtpBench[] {
  return (Object.keys(SRTP_SUITES) as SrtpSuite[]).map((suite) => {
    const key = freshKey(suite);
    const packets = protectedPackets(key);
    const into = Buffer.alloc(2048);
    let microsecondsPerPacket = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) {
      const context = createSrtpContext([key]);
      const startedMs = performance.now();
      for (const packet of packets) context.unprotectRtp(packet, 0, packet.length, into);
      const perPacketUs = ((performance.now() - startedMs) * 1000) / PACKETS;
      if (context.suite !== suite) throw new Error('nothing was opened');
      microsecondsPerPacket = Math.min(microsecondsPerPacket, perPacketUs);
    }
    const forged = Buffer.from(packets[0]!);
    forged[20] = forged[20]! ^ 1;
    const known = createSrtpContext([key], { rocSearch: 1 });
    known.unprotectRtp(packets[0]!, 0, packets[0]!.length, into);
    return {
      suite,
      packetsPerSecond: Math.round(1e6 / microsecondsPerPacket),
      microsecondsPerPacket,
      microsecondsPerForgery: timeUs(() => known, forged, into, 20_000),
      microsecondsPerSearch: timeUs(() => createSrtpContext([key]), forged, into, FORGERIES),
    };
  });
}

function timeUs(context: () => SrtpContext, packet: Buffer, into: Buffer, times: number): number {
  const contexts = Array.from({ length: times }, context);
  const startedMs = performance.now();
  for (const each of contexts) each.unprotectRtp(packet, 0, packet.length, into);
  return ((performance.now() - startedMs) * 1000) / times;
}

function freshKey(suite: SrtpSuite): SrtpMasterKey {
  const { key, salt } = SRTP_SUITES[suite];
  return { suite, masterKey: randomBytes(key), masterSalt: randomBytes(salt) };
}

function protectedPackets(key: SrtpMasterKey): Buffer[] {
  const sender = createSrtpSender(key);
  const plain = randomBytes(RTP_OCTETS);
  const into = Buffer.alloc(RTP_OCTETS + MAX_OVERHEAD_OCTETS);
  return Array.from({ length: PACKETS }, (_, n) => {
    writeRtpHeader(plain, 0, { marker: false, payloadType: 0, sequenceNumber: n, rtpTime: n * 160, ssrc: 0xcafebabe });
    const octets = sender.protectRtp(plain, 0, plain.length, into);
    if (typeof octets !== 'number') throw new Error(octets);
    return Buffer.from(into.subarray(0, octets));
  });
}

if (import.meta.main) {
  for (const result of benchSrtp()) {
    console.log(
      `${result.suite.padEnd(24)} ${String(result.packetsPerSecond).padStart(7)} packets/s per core, ` +
        `${result.microsecondsPerPacket.toFixed(2)} µs each; forged ${result.microsecondsPerForgery.toFixed(2)} µs, ` +
        `search in vain ${result.microsecondsPerSearch.toFixed(0)} µs`,
    );
  }
}
