// A MediaStream without sockets: the test plays its ports, and reads back what it wrote into the journal.
import { ReceiverReports } from '../../src/capture/receiver-reports.ts';
import { MediaStream } from '../../src/capture/stream.ts';
import { JournalWriter } from '../../src/journal/writer.ts';
import type { StreamSrtp } from '../../src/recording/media.ts';
import { journalFile, type ReadPacket, takeAll } from '../journal/read-journal.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { PCMU } from '../support/synthetic-journal.ts';

export const TAKEOVER_MS = 2000;
export const RTP_PORT = 12_000;
export const REPORT_INTERVAL_MS = 5000;

export interface Peer {
  host: string;
  port: number;
}

export function peer(host: string, port = 30_000): Peer {
  return { host, port };
}

export interface StreamUnderTest {
  clock: ManualClock;
  writer: JournalWriter;
  stream: MediaStream;
  /** To the RTP port, now. */
  media(octets: Uint8Array, source: Peer): void;
  /** To the RTCP port, now. */
  control(octets: Uint8Array, source: Peer): void;
  /** All packets journalled since the last time. */
  journalled(): ReadPacket[];
  /** Their sequence numbers. */
  sequence(): number[];
}

/** To be called once per test file, outside of tests. */
export function streamFixture(): (options?: {
  receiving?: boolean;
  reports?: boolean;
  srtp?: StreamSrtp;
}) => StreamUnderTest {
  const file = journalFile();
  return ({ receiving = true, reports = false, srtp } = {}) => {
    const clock = new ManualClock();
    const writer = new JournalWriter();
    const stream = new MediaStream({
      spec: { streamId: 's0', label: '1', formats: [PCMU], receiving, ...(srtp && { srtp }) },
      address: { rtpPort: RTP_PORT, rtcpPort: RTP_PORT + 1 },
      localHost: '192.0.2.9',
      writer,
      takeoverMs: TAKEOVER_MS,
      reports: reports ? new ReceiverReports(REPORT_INTERVAL_MS, 'recorder@example', clock.nowMs(), () => 0.5) : null,
    });
    writer.beginSection();
    stream.begin();
    const octets: Buffer[] = [];
    let read = 0;
    // In the middle of a larger buffer, as receivers hand them out, and overwritten afterwards.
    const around = Buffer.alloc(70_000);
    const deliver = (sink: typeof stream.rtpSink, datagram: Uint8Array, source: Peer) => {
      around.set(datagram, 7);
      sink.datagram(around, 7, 7 + datagram.length, source, clock.nowMs());
      around.fill(0xee, 7, 7 + datagram.length);
    };
    const journalled = () => {
      octets.push(takeAll(writer));
      const { packets, skippedOctets } = file.read(Buffer.concat(octets));
      if (skippedOctets > 0) throw new Error(`${skippedOctets} octets of the journal make no sense`);
      const more = packets.slice(read);
      read = packets.length;
      return more;
    };
    return {
      clock,
      writer,
      stream,
      media: (datagram, source) => deliver(stream.rtpSink, datagram, source),
      control: (datagram, source) => deliver(stream.rtcpSink, datagram, source),
      journalled,
      sequence: () => journalled().map(({ payload }) => (payload.charCodeAt(2) << 8) | payload.charCodeAt(3)),
    };
  };
}
