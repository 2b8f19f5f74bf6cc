// Run by hot-path.test.ts: takes the packets of a recorded call, again and again, the way that every packet takes, and says
// how many octets of the heap each one cost. The young generation is so large that nothing is collected meanwhile.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinuxReceiver } from '../../src/capture/linux/linux-receiver.ts';
import { MediaStream } from '../../src/capture/stream.ts';
import { JournalWriter } from '../../src/journal/writer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readPcap } from '../support/pcap.ts';
import { sendingSockets } from '../support/sending-sockets.ts';
import { PCMU } from '../support/synthetic-journal.ts';

const CAPTURE = join(import.meta.dirname, '../fixtures/opensips/udp-basic/udp-basic.pcap');
/** Between two looks at the socket; fits its buffer. */
const BURST = 200;
const SPARE_OCTETS = 1 << 20;

/** A stream with its statistics and its journal, which is emptied as the worker does. */
function recordedStream() {
  const writer = new JournalWriter(SPARE_OCTETS);
  const stream = new MediaStream({
    spec: { streamId: 's0', label: '0', formats: [PCMU], receiving: true },
    address: { rtpPort: 12_000, rtcpPort: 12_001 },
    localHost: '127.0.0.1',
    writer,
    takeoverMs: 2000,
    reports: null,
  });
  writer.beginSection();
  stream.begin();
  let spare: Buffer = Buffer.allocUnsafeSlow(SPARE_OCTETS);
  const drain = (): void => {
    spare = writer.take(spare).buffer;
  };
  return { stream, drain };
}

/** The RTP of one stream, in memory that the kernel may read. */
function recordedPackets(): Buffer[] {
  const datagrams = readPcap(readFileSync(CAPTURE));
  const isRtp = (payload: Buffer) => payload.length > 100 && payload.length < 300 && payload[0] === 0x80;
  const first = datagrams.find(({ payload }) => isRtp(payload))!;
  return datagrams
    .filter(({ payload, destination }) => isRtp(payload) && destination.port === first.destination.port)
    .map(({ payload }) => Buffer.from(Uint8Array.from(payload).buffer));
}

/** The next in a row without end. */
function number(packet: Buffer, sequenceNumber: number): void {
  packet[2] = sequenceNumber >>> 8;
  packet[3] = sequenceNumber;
  const time = sequenceNumber * 160;
  packet[4] = time >>> 24;
  packet[5] = time >>> 16;
  packet[6] = time >>> 8;
  packet[7] = time;
}

const packets = recordedPackets();

/** The stream alone, as a receiver calls it. */
function streamAlone(rounds: number) {
  const { stream, drain } = recordedStream();
  const source = { host: '10.0.0.1', port: 4000 };
  const nowMs = systemClock.nowMs();
  let sent = 0;
  const round = (): void => {
    for (let i = 0; i < BURST; i++) {
      const packet = packets[sent % packets.length]!;
      number(packet, sent);
      stream.datagram(packet, 0, packet.length, source, nowMs + sent * 20.001);
      sent++;
    }
    drain();
  };
  return { ...allocated(rounds, round), recorded: () => stream.packets, sent: () => sent };
}

/** Socket, kernel and receiver too. */
function throughTheKernel(rounds: number) {
  const receiver = createLinuxReceiver(systemClock);
  const { stream, drain } = recordedStream();
  const port = receiver.openNow('127.0.0.1', 0, stream.rtpSink);
  const sockets = sendingSockets();
  const descriptor = sockets.connect(port.port);
  const addresses = packets.map((packet) => sockets.addressOf(packet.buffer as ArrayBuffer));
  let sent = 0;
  const round = (): void => {
    for (let i = 0; i < BURST; i++) {
      const at = sent % packets.length;
      number(packets[at]!, sent);
      sockets.send(descriptor, addresses[at]!, packets[at]!.length);
      sent++;
    }
    receiver.handOver();
    drain();
  };
  const result = allocated(rounds, round);
  void receiver.close();
  return { ...result, recorded: () => stream.packets, sent: () => sent };
}

function allocated(rounds: number, round: () => void): { octetsPerPacket: number; packets: number } {
  // For compilation to settle.
  for (let i = 0; i < rounds / 2; i++) round();
  gc!();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < rounds; i++) round();
  const octets = process.memoryUsage().heapUsed - before;
  return { octetsPerPacket: octets / (rounds * BURST), packets: rounds * BURST };
}

const [which, rounds] = process.argv.slice(2);
const { recorded, sent, ...result } =
  which === 'stream' ? streamAlone(Number(rounds)) : throughTheKernel(Number(rounds));
process.stdout.write(JSON.stringify({ ...result, lost: sent() - recorded() }));
