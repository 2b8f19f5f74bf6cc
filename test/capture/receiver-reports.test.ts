import { describe, expect, test } from 'vitest';
import { type RtcpPacket, readRtcp } from '../../src/rtp/rtcp.ts';
import { rtp, senderReport } from './packets.ts';
import { peer, REPORT_INTERVAL_MS, type StreamUnderTest, streamFixture } from './stream-under-test.ts';

const newStream = streamFixture();
const A = peer('10.0.0.1');
const A_RTCP = peer('10.0.0.1', 35_555);

function reading(octets: Uint8Array): RtcpPacket[] {
  return readRtcp(octets, 0, octets.length);
}

/** Lets the interval pass and asks. */
function nextReport(tested: StreamUnderTest) {
  tested.clock.advance(REPORT_INTERVAL_MS);
  const report = tested.stream.reportIfDue(tested.clock.nowMs());
  return report && { ...report, octets: Buffer.from(report.octets) };
}

describe('receiver reports', () => {
  test('what they say about loss and about the last sender report', () => {
    const tested = newStream({ reports: true });
    for (const seq of [0xfffe, 0xffff, 0x10001]) tested.media(rtp({ seq, ssrc: 0xca110000, rtpTime: 0 }), A);
    // §6.4.1's example of NTP times: 0xb44db705 s, 0x20000000 of a second.
    tested.control(
      senderReport({ ssrc: 0xca110000, ntpSeconds: 0xb44db705, ntpFraction: 0x20000000 }),
      peer(A.host, 30_001),
    );
    const report = nextReport(tested);
    expect(report).toEqual({ octets: expect.any(Buffer), fromRtpPort: false, host: '10.0.0.1', port: 30_001 });
    const [rr, sdes, ...more] = reading(report!.octets);
    expect(rr).toEqual({
      type: 'rr',
      ssrc: expect.any(Number),
      reports: [
        {
          ssrc: 0xca110000,
          fractionLost: 64,
          cumulativeLost: 1,
          extendedHighestSequence: 0x10001,
          jitter: 0,
          lastSr: 0xb7052000,
          delaySinceLastSr: 5 * 65_536,
        },
      ],
    });
    const { ssrc } = rr as { ssrc: number };
    expect(sdes).toEqual({ type: 'sdes', chunks: [{ ssrc, items: [{ type: 1, text: 'recorder@example' }] }] });
    expect(more).toEqual([]);
  });

  test('they go to where RTCP comes from, by the port it comes to', () => {
    const tested = newStream({ reports: true });
    let seq = 0;
    const next = () => {
      tested.media(rtp({ seq: seq++ }), A);
      const { host, port, fromRtpPort } = nextReport(tested)!;
      return { host, port, fromRtpPort };
    };
    expect(next()).toEqual({ host: A.host, port: 30_001, fromRtpPort: false });
    tested.control(senderReport({ ssrc: 1 }), A_RTCP);
    expect(next()).toEqual({ ...A_RTCP, fromRtpPort: false });
    // Multiplexed (RFC 5761).
    tested.media(senderReport({ ssrc: 1 }), A);
    expect(next()).toEqual({ ...A, fromRtpPort: true });
  });

  test('RTCP of another host than the media does not draw them to itself', () => {
    const tested = newStream({ reports: true });
    tested.control(senderReport({ ssrc: 1 }), peer('10.6.6.6'));
    tested.media(rtp({ seq: 0 }), A);
    tested.control(senderReport({ ssrc: 1 }), peer('10.6.6.6'));
    expect(nextReport(tested)).toMatchObject({ host: A.host, port: 30_001 });
  });

  test('none while nobody sends, none when nothing new came, none while inactive', () => {
    const tested = newStream({ reports: true });
    expect(nextReport(tested)).toBeNull();
    tested.media(rtp({ seq: 0 }), A);
    expect(nextReport(tested)).not.toBeNull();
    expect(nextReport(tested)).toBeNull();
    tested.media(rtp({ seq: 1 }), A);
    tested.stream.update({ receiving: false }, tested.clock.nowMs());
    expect(nextReport(tested)).toBeNull();
  });

  test('not before they are due', () => {
    const tested = newStream({ reports: true });
    tested.media(rtp({ seq: 0 }), A);
    tested.clock.advance(REPORT_INTERVAL_MS - 1);
    expect(tested.stream.reportIfDue(tested.clock.nowMs())).toBeNull();
    tested.clock.advance(1);
    expect(tested.stream.reportIfDue(tested.clock.nowMs())).not.toBeNull();
    expect(tested.stream.reportIfDue(tested.clock.nowMs())).toBeNull();
  });

  test('an SSRC for each packet: 31 blocks at most, and every later report has room', () => {
    const tested = newStream({ reports: true });
    for (let round = 0; round < 3; round++) {
      for (let seq = 0; seq < 100; seq++) {
        tested.media(rtp({ seq, ssrc: round * 1000 + seq + 1 }), A);
        tested.control(senderReport({ ssrc: round * 1000 + seq + 1 }), A);
      }
      const [rr, sdes] = reading(nextReport(tested)!.octets);
      expect((rr as { reports: unknown[] }).reports.length).toBeLessThanOrEqual(31);
      expect(sdes?.type).toBe('sdes');
    }
  });

  test('switched off', () => {
    const tested = newStream();
    tested.media(rtp({ seq: 0 }), A);
    expect(nextReport(tested)).toBeNull();
  });
});
