// What SRTP costs a stream: CPU per packet from datagram to journal, beside the same packets plain. Without sockets.
import { randomBytes } from 'node:crypto';
import { MediaStream } from '../../src/capture/stream.ts';
import { JournalWriter } from '../../src/journal/writer.ts';
import type { StreamSrtp } from '../../src/recording/media.ts';
import { writeRtpHeader } from '../../src/rtp/packet.ts';
import { writeMasterKey } from '../../src/rtp/srtp/master-key-text.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS } from '../../src/rtp/srtp/sender.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/rtp/srtp/suites.ts';

const RTP_OCTETS = 172;
const PACKETS = 20_000;
const ROUNDS = 5;
const PEER = { host: '192.0.2.1', port: 30_000 };

export interface SrtpStreamBench {
  plainUs: number;
  suites: { suite: SrtpSuite; us: number; ratio: number }[];
}

export function benchSrtpStream(): SrtpStreamBench {
  const plain = Array.from({ length: PACKETS }, (_, n) => plainPacket(n));
  const plainUs = packetUs(plain, undefined);
  const suites = (Object.keys(SRTP_SUITES) as SrtpSuite[]).map((suite) => {
    const { key, salt } = SRTP_SUITES[suite];
    const master = { suite, masterKey: randomBytes(key), masterSalt: randomBytes(salt) };
    const sender = createSrtpSender(master);
    const into = Buffer.alloc(RTP_OCTETS + MAX_OVERHEAD_OCTETS);
    const packets = plain.map((packet) => {
      const octets = sender.protectRtp(packet, 0, packet.length, into);
      if (typeof octets !== 'number') throw new Error(octets);
      return Buffer.from(into.subarray(0, octets));
    });
    const us = packetUs(packets, { receiving: [writeMasterKey(master)], sending: null, plainToo: false });
    return { suite, us, ratio: us / plainUs };
  });
  return { plainUs, suites };
}

/** The best of some rounds. */
function packetUs(packets: Buffer[], srtp: StreamSrtp | undefined): number {
  let bestUs = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const writer = new JournalWriter();
    writer.beginSection();
    const format = { payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, channels: 1, fmtp: null };
    const stream = new MediaStream({
      spec: { streamId: 's0', label: null, formats: [format], receiving: true, ...(srtp && { srtp }) },
      address: { rtpPort: 40_000, rtcpPort: 40_001 },
      localHost: '192.0.2.2',
      writer,
      takeoverMs: 2000,
      reports: null,
    });
    stream.begin();
    let spare: Buffer = Buffer.allocUnsafeSlow(1 << 20);
    const before = process.cpuUsage();
    for (let n = 0; n < packets.length; n++) {
      const packet = packets[n]!;
      stream.datagram(packet, 0, packet.length, PEER, 1000 + n * 20);
      if (n % 1000 === 999) spare = writer.take(spare).buffer;
    }
    const { user, system } = process.cpuUsage(before);
    bestUs = Math.min(bestUs, (user + system) / packets.length);
    if (stream.packets !== packets.length) throw new Error(`${stream.packets} of ${packets.length} were taken`);
  }
  return bestUs;
}

function plainPacket(sequenceNumber: number): Buffer {
  const packet = randomBytes(RTP_OCTETS);
  writeRtpHeader(packet, 0, {
    marker: false,
    payloadType: 0,
    sequenceNumber,
    rtpTime: sequenceNumber * 160,
    ssrc: 0xcafebabe,
  });
  return packet;
}
