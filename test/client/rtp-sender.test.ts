import { describe, expect, test } from 'vitest';
import { CLIENT_CODECS } from '../../src/client/codec.ts';
import { MediaTicker } from '../../src/client/media-ticker.ts';
import { seededRandom } from '../../src/client/random.ts';
import { type Impairment, RtpSender } from '../../src/client/rtp-sender.ts';
import { RtpStream } from '../../src/client/rtp-stream.ts';
import { RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import { readRtcp } from '../../src/rtp/rtcp.ts';
import { ManualClock } from '../support/manual-clock.ts';

interface Sent {
  atMs: number;
  sequence: number;
  time: number;
  marker: boolean;
}

function setUp(options: { impairment?: Partial<Impairment>; reportIntervalMs?: number } = {}) {
  const clock = new ManualClock();
  const beganMs = clock.nowMs();
  const ticker = new MediaTicker(clock);
  const sender = (seed: number) => {
    const octets = new Uint8Array(160);
    const loop = { codec: CLIENT_CODECS.pcmu, packetOctets: 160, packetCount: 1, octets };
    const stream = new RtpStream(loop, seededRandom(seed));
    const sent: Sent[] = [];
    const reports: Buffer[] = [];
    let first: RtpHeader | null = null;
    const sink = {
      sendRtp(packet: Uint8Array) {
        const header = new RtpHeader();
        expect(readRtpHeader(packet, 0, packet.length, header)).toBeNull();
        first ??= header;
        sent.push({
          atMs: clock.nowMs() - beganMs,
          sequence: (header.sequenceNumber - first.sequenceNumber) & 0xffff,
          time: (header.rtpTime - first.rtpTime) >>> 0,
          marker: header.marker,
        });
      },
      sendRtcp: (packet: Uint8Array) => reports.push(Buffer.from(packet)),
    };
    const impairment = options.impairment
      ? { loss: 0, reorder: 0, duplicate: 0, random: seededRandom(9), ...options.impairment }
      : null;
    const reportIntervalMs = options.reportIntervalMs ?? null;
    const paced = new RtpSender({ stream, sink, ticker, clock, impairment, reportIntervalMs });
    return { sender: paced, stream, sent, reports };
  };
  return { clock, ticker, beganMs, ...sender(1), another: () => sender(2) };
}

describe('pacing', () => {
  test('a packet every 20 ms, none too early, none too many, for a minute', () => {
    const { clock, sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    clock.advance(59_990);
    expect(sent).toHaveLength(3000);
    expect(sender.packetsSent).toBe(3000);
    expect(sender.payloadOctets).toBe(480_000);
    expect(sender.startedMs).toBe(beganMs + 1);
    sent.forEach(({ atMs, sequence, time }, slot) => {
      expect({ sequence, time }).toEqual({ sequence: slot, time: slot * 160 });
      expect(atMs).toBeGreaterThanOrEqual(slot * 20);
      expect(atMs).toBeLessThanOrEqual(slot * 20 + 1);
    });
  });

  test('late timers do not add up: every wake is 7 ms late, the 500th packet is too, not more', () => {
    const { sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    for (let slot = 0; slot < 500; slot++) sender.run(beganMs + slot * 20 + 7);
    expect(sent).toHaveLength(500);
    expect(sender.nextDueMs).toBe(beganMs + 500 * 20);
  });

  test('a stall is caught up at once', () => {
    const { sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    sender.run(beganMs);
    sender.run(beganMs + 600);
    expect(sent.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 31 }, (_, slot) => slot));
    expect(sender.packetsSkipped).toBe(0);
  });

  test('a stall of more than a second is not: its packets are missing, counted, and the timestamps are right', () => {
    const { sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    sender.run(beganMs);
    sender.run(beganMs + 10_000);
    sender.run(beganMs + 10_020);
    expect(sent.map(({ sequence, time }) => [sequence, time])).toEqual([
      [0, 0],
      [500, 80_000],
      [501, 80_160],
    ]);
    expect(sender.packetsSkipped).toBe(499);
    expect(sender.packetsSent).toBe(3);
  });

  test('a pause leaves a hole: sequence and timestamp jump, the marker says that speech begins', () => {
    const { clock, ticker, sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    clock.advance(95);
    sender.pause();
    sender.pause();
    expect(ticker.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(1000);
    expect(sent).toHaveLength(5);
    sender.resume();
    sender.resume();
    clock.advance(20);
    expect(sent.slice(4)).toEqual([
      { atMs: 80, sequence: 4, time: 640, marker: false },
      { atMs: 1100, sequence: 55, time: 8800, marker: true },
    ]);
  });

  test('streams that share a beginning are aligned, however late one of them starts', () => {
    const { clock, sender, sent, beganMs, another } = setUp();
    const late = another();
    sender.start(beganMs);
    clock.advance(47);
    late.sender.start(beganMs);
    clock.advance(60);
    expect(late.sent[0]!.atMs).toBe(48);
    expect(late.sent.slice(1).map(({ atMs }) => atMs)).toEqual(sent.slice(3).map(({ atMs }) => atMs));
  });

  test('stop is for good', () => {
    const { clock, sender, sent, beganMs } = setUp();
    sender.start(beganMs);
    clock.advance(10);
    sender.stop();
    sender.resume();
    sender.start(beganMs);
    clock.advance(100);
    expect(sent).toHaveLength(1);
    expect(sender.state).toBe('stopped');
  });

  test('one timer serves all streams', () => {
    const { clock, ticker, sender, beganMs, another } = setUp();
    sender.start(beganMs);
    for (let index = 1; index <= 50; index++) another().sender.start(beganMs + index * 0.37);
    expect(ticker.size).toBe(51);
    clock.advance(1000);
    expect(clock.pendingTimers).toBe(1);
  });
});

describe('simulated trouble', () => {
  test('loss: about as many as asked for are withheld, the others keep their numbers', () => {
    const { clock, sender, sent, beganMs } = setUp({ impairment: { loss: 0.1 } });
    sender.start(beganMs);
    clock.advance(19_990);
    expect(sender.packetsSent + sender.packetsWithheld).toBe(1000);
    expect(sender.packetsWithheld).toBeGreaterThan(70);
    expect(sender.packetsWithheld).toBeLessThan(130);
    expect(new Set(sent.map(({ sequence }) => sequence)).size).toBe(sender.packetsSent);
  });

  test('reordering swaps neighbours, duplication repeats, nothing is lost', () => {
    const { clock, sender, sent, beganMs } = setUp({ impairment: { reorder: 0.2, duplicate: 0.1 } });
    sender.start(beganMs);
    clock.advance(19_990);
    sender.stop();
    const sequences = sent.map(({ sequence }) => sequence);
    const unique = [...new Set(sequences)].sort((a, b) => a - b);
    expect(unique).toHaveLength(1000);
    expect(sequences.length - unique.length).toBeGreaterThan(50);
    const swaps = sequences.filter((sequence, index) => sequence < (sequences[index - 1] ?? -1)).length;
    expect(swaps).toBeGreaterThan(100);
  });
});

test('sender reports come at their interval and count what was sent', () => {
  const { clock, sender, stream, reports, beganMs } = setUp({ reportIntervalMs: 5000 });
  sender.start(beganMs);
  clock.advance(10_010);
  const read = reports.map((report) => readRtcp(report, 0, report.length)[0]);
  expect(read).toMatchObject([
    { type: 'sr', ssrc: stream.ssrc, packetCount: 251, octetCount: 251 * 160 },
    { type: 'sr', ssrc: stream.ssrc, packetCount: 501, octetCount: 501 * 160 },
  ]);
  const [first, second] = read;
  if (first?.type !== 'sr' || second?.type !== 'sr') throw new Error('no sender reports');
  expect(second.ntpSeconds - first.ntpSeconds).toBe(5);
  expect((second.rtpTime - first.rtpTime) >>> 0).toBe(40_000);
});
