import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DTLS, rtp, STUN, senderReport, TURN_CHANNEL, ZRTP } from './packets.ts';
import { type Peer, peer, RTP_PORT, type StreamUnderTest, streamFixture, TAKEOVER_MS } from './stream-under-test.ts';

const newStream = streamFixture();
const A = peer('10.0.0.1');
const B = peer('10.0.0.2');
const A_MOVED = peer('10.0.0.1', 31_000);

/** One packet each 20 ms. */
function talk(tested: StreamUnderTest, from: Peer, first: number, count: number, ssrc = 0xa): void {
  for (let seq = first; seq < first + count; seq++) {
    tested.media(rtp({ seq, ssrc }), from);
    tested.clock.advance(20);
  }
}

const numbers = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);

describe('a stream and its journal', () => {
  test('RTP and RTCP stand in it as they came, with their times and addresses', () => {
    const tested = newStream();
    const first = tested.clock.nowMs();
    tested.media(rtp({ seq: 7 }), A);
    tested.clock.advance(20.25);
    tested.control(senderReport({ ssrc: 1 }), peer(A.host, 30_001));
    expect(tested.journalled()).toEqual([
      {
        interfaceName: 's0',
        timeMs: first,
        protocol: 'udp',
        source: '10.0.0.1:30000',
        destination: `192.0.2.9:${RTP_PORT}`,
        payload: rtp({ seq: 7 }).toString('latin1'),
      },
      {
        interfaceName: 's0',
        timeMs: first + 20.25,
        protocol: 'udp',
        source: '10.0.0.1:30001',
        destination: `192.0.2.9:${RTP_PORT + 1}`,
        payload: senderReport({ ssrc: 1 }).toString('latin1'),
      },
    ]);
  });

  test('statistics are what came', () => {
    const tested = newStream();
    const firstPacketMs = tested.clock.nowMs();
    talk(tested, A, 0xfffe, 2);
    talk(tested, A, 0x10000, 3);
    tested.media(rtp({ seq: 2, ssrc: 0xa }), A);
    tested.clock.advance(20);
    tested.media(rtp({ seq: 5, ssrc: 0xa }), A);
    tested.control(senderReport({ ssrc: 0xa }), A);
    expect(tested.stream.statistics()).toEqual({
      packets: 6,
      octets: 960,
      lost: 2,
      duplicates: 1,
      reordered: 0,
      jitterMs: expect.any(Number),
      ssrcs: [0xa],
      payloadTypes: { 0: 6 },
      firstPacketMs,
      lastPacketMs: firstPacketMs + 120,
      rtcpPackets: 1,
      sources: ['10.0.0.1:30000'],
      drops: {},
    });
    expect(tested.journalled()).toHaveLength(8);
  });

  test('an SSRC that changes with each packet: all are kept, 32 are named', () => {
    const tested = newStream();
    for (let seq = 0; seq < 500; seq++) tested.media(rtp({ seq, ssrc: 1000 + seq }), A);
    const { packets, ssrcs, lost } = tested.stream.statistics();
    expect({ packets, ssrcs, lost }).toEqual({ packets: 500, ssrcs: numbers(1000, 32), lost: 0 });
    expect(tested.sequence()).toEqual(numbers(0, 500));
  });

  test('two SSRCs that alternate lose nothing', () => {
    const tested = newStream();
    for (let seq = 0; seq < 100; seq++) {
      tested.media(rtp({ seq, ssrc: 1 }), A);
      tested.media(rtp({ seq: 9000 + seq, ssrc: 2 }), A);
    }
    expect(tested.stream.statistics()).toMatchObject({ packets: 200, lost: 0, duplicates: 0, drops: {} });
  });

  test('numbers and timestamps that jump backwards are kept', () => {
    const tested = newStream();
    for (const seq of [60_000, 60_001, 5, 6, 40_000, 7]) {
      tested.media(rtp({ seq, rtpTime: 0xffffffff - seq * 1000 }), A);
    }
    expect(tested.sequence()).toEqual([60_000, 60_001, 5, 6, 40_000, 7]);
    expect(tested.stream.statistics().packets).toBe(6);
  });
});

describe('drop reasons', () => {
  const cutHeader = rtp({ seq: 1, octets: 0 });
  cutHeader[0] = 0x8f;
  test.each([
    ['stun', STUN],
    ['dtls', DTLS],
    ['zrtp', ZRTP],
    ['turn', TURN_CHANNEL],
    ['noise', Buffer.from('\r\n\r\n')],
    ['noise', Buffer.alloc(0)],
    ['noise', Buffer.from([0xff, 0xff, 0xff])],
    ['rtpTooShort', rtp({ seq: 1 }).subarray(0, 11)],
    ['rtpHeaderCut', cutHeader],
    ['tooLarge', rtp({ seq: 1, octets: 16_373 })],
    ['rtcpInvalid', Buffer.from('80c80006ca11', 'hex')],
  ])('%s on the RTP port', (reason, octets) => {
    const tested = newStream();
    tested.media(octets, A);
    expect(tested.stream.statistics()).toMatchObject({ packets: 0, rtcpPackets: 0, drops: { [reason]: 1 } });
    expect(tested.stream.dropped).toBe(1);
    expect(tested.stream.seen).toBe(1);
    expect(tested.journalled()).toEqual([]);
  });

  test.each([
    ['stun', STUN],
    ['noise', Buffer.alloc(1)],
    ['rtcpInvalid', rtp({ seq: 1 })],
    ['rtcpInvalid', Buffer.from('80c8ffffca110000', 'hex')],
    ['tooLarge', Buffer.concat([senderReport({ ssrc: 1 }), Buffer.alloc(16_384)])],
  ])('%s on the RTCP port', (reason, octets) => {
    const tested = newStream();
    tested.control(octets, A);
    expect(tested.stream.statistics()).toMatchObject({ rtcpPackets: 0, drops: { [reason]: 1 } });
    expect(tested.journalled()).toEqual([]);
  });

  test('the largest packet that is kept', () => {
    const tested = newStream();
    tested.media(rtp({ seq: 1, octets: 16_372 }), A);
    expect(tested.stream.statistics()).toMatchObject({ packets: 1, octets: 16_372, drops: {} });
    expect(tested.journalled()[0]!.payload).toHaveLength(16_384);
  });

  test('journalBehind: nothing more once the buffer is full, everything again when it is written', () => {
    const tested = newStream();
    tested.writer.limitOctets = 2000;
    talk(tested, A, 0, 20);
    tested.control(senderReport({ ssrc: 1 }), A);
    const { packets, rtcpPackets, drops } = tested.stream.statistics();
    expect(packets).toBeLessThan(12);
    expect({ rtcpPackets, drops }).toEqual({ rtcpPackets: 0, drops: { journalBehind: 21 - packets } });
    expect(tested.writer.octets).toBeLessThan(2300);
    expect(tested.sequence()).toEqual(numbers(0, packets));
    talk(tested, A, 20, 2);
    expect(tested.sequence()).toEqual([20, 21]);
  });

  test('inactive: dropped and counted on both ports, taken again at once afterwards, without loss in between', () => {
    const tested = newStream({ receiving: false });
    talk(tested, A, 0, 3);
    tested.control(senderReport({ ssrc: 1 }), A);
    expect(tested.stream.statistics()).toMatchObject({ packets: 0, drops: { inactive: 4 }, sources: [] });
    tested.stream.update({ receiving: true }, tested.clock.nowMs());
    talk(tested, A, 3, 3);
    tested.stream.update({ receiving: false }, tested.clock.nowMs());
    talk(tested, A, 6, 100);
    tested.stream.update({ receiving: true }, tested.clock.nowMs());
    talk(tested, A, 106, 2);
    expect(tested.sequence()).toEqual([3, 4, 5, 106, 107]);
    expect(tested.stream.statistics()).toMatchObject({ packets: 5, lost: 0, drops: { inactive: 104 } });
  });

  test('resting: discarded without being counted, and no update wakes it', () => {
    const tested = newStream();
    talk(tested, A, 0, 1);
    tested.stream.rest();
    tested.stream.update({ receiving: true }, tested.clock.nowMs());
    talk(tested, A, 1, 5);
    tested.control(senderReport({ ssrc: 1 }), A);
    expect(tested.sequence()).toEqual([0]);
    expect(tested.stream.statistics()).toMatchObject({ packets: 1, rtcpPackets: 0, drops: {} });
  });
});

describe('whose media is taken', () => {
  test('the first valid sender; what is no RTP teaches nothing', () => {
    const tested = newStream();
    tested.media(STUN, B);
    tested.media(rtp({ seq: 1 }).subarray(0, 11), B);
    talk(tested, A, 0, 3);
    talk(tested, B, 500, 3);
    expect(tested.sequence()).toEqual([0, 1, 2]);
    expect(tested.stream.statistics()).toMatchObject({
      sources: ['10.0.0.1:30000'],
      drops: { otherSource: 3, stun: 1, rtpTooShort: 1 },
    });
  });

  test('the same sender as another object is the same sender', () => {
    const tested = newStream();
    for (let seq = 0; seq < 5; seq++) tested.media(rtp({ seq }), { ...A });
    expect(tested.stream.statistics()).toMatchObject({ packets: 5, sources: ['10.0.0.1:30000'], drops: {} });
  });

  test('single spoofed packets never take over, however quiet it is', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    for (let i = 0; i < 20; i++) {
      tested.clock.advance(TAKEOVER_MS);
      tested.media(rtp({ seq: 7000 + i * 13, ssrc: 0xb }), peer('10.6.6.6', 1000 + i));
    }
    talk(tested, A, 3, 2);
    tested.stream.rest();
    expect(tested.sequence()).toEqual([0, 1, 2, 3, 4]);
    expect(tested.stream.statistics()).toMatchObject({ sources: ['10.0.0.1:30000'], drops: { otherSource: 20 } });
  });

  test('an interloper beside the held sender never takes over, and nothing of his is recorded', () => {
    const tested = newStream();
    for (let seq = 0; seq < 200; seq++) {
      tested.media(rtp({ seq, ssrc: 0xa }), A);
      tested.media(rtp({ seq: 30_000 + seq, ssrc: 0xb }), B);
      tested.clock.advance(20);
    }
    tested.stream.rest();
    expect(tested.sequence()).toEqual(numbers(0, 200));
    expect(tested.stream.statistics()).toMatchObject({ packets: 200, ssrcs: [0xa], drops: { otherSource: 200 } });
  });

  test('a sender who goes on where another fell silent: taken over, and nothing of his is lost', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    const movedMs = tested.clock.nowMs();
    talk(tested, B, 500, 110, 0xb);
    const journalled = tested.journalled();
    expect(journalled.map(({ payload }) => (payload.charCodeAt(2) << 8) | payload.charCodeAt(3))).toEqual([
      ...numbers(0, 3),
      ...numbers(500, 110),
    ]);
    // Kept packets have their own times and address.
    expect(journalled.slice(3).map(({ timeMs }) => Math.round(timeMs - movedMs))).toEqual(
      numbers(0, 110).map((i) => i * 20),
    );
    expect(new Set(journalled.slice(3).map(({ source }) => source))).toEqual(new Set(['10.0.0.2:30000']));
    expect(tested.stream.statistics()).toMatchObject({
      packets: 113,
      sources: ['10.0.0.1:30000', '10.0.0.2:30000'],
      drops: {},
    });
  });

  test('a takeover needs the silence: just before, the packets wait', () => {
    const tested = newStream();
    talk(tested, A, 0, 2);
    tested.clock.advance(TAKEOVER_MS - 20 - 61);
    talk(tested, B, 500, 3, 0xb);
    expect(tested.sequence()).toEqual([0, 1]);
    expect(tested.stream.statistics().drops).toEqual({ otherSource: 3 });
    tested.clock.advance(1);
    tested.media(rtp({ seq: 503, ssrc: 0xb }), B);
    expect(tested.sequence()).toEqual([500, 501, 502, 503]);
    expect(tested.stream.statistics().drops).toEqual({});
  });

  test('and it needs a run: numbers that do not continue prove nothing', () => {
    const tested = newStream();
    talk(tested, A, 0, 2);
    tested.clock.advance(TAKEOVER_MS);
    for (let i = 0; i < 30; i++) {
      tested.media(rtp({ seq: 100 + i * 2, ssrc: 0xb }), B);
      tested.clock.advance(20);
    }
    expect(tested.sequence()).toEqual([0, 1]);
    talk(tested, B, 200, 3, 0xb);
    expect(tested.stream.statistics()).toMatchObject({ packets: 35, drops: {} });
  });

  test('an interloper who sends more than the held sender does not win when that one changes its SSRC', () => {
    const tested = newStream();
    talk(tested, A, 0, 2);
    for (let seq = 2; seq < 62; seq++) {
      tested.media(rtp({ seq, ssrc: seq < 30 ? 0xa : 0xaa }), A);
      for (let i = 0; i < 5; i++) {
        tested.clock.advance(4);
        tested.media(rtp({ seq: 5 * seq + i, ssrc: 0xb }), B);
      }
    }
    expect(tested.sequence()).toEqual(numbers(0, 62));
    expect(tested.stream.statistics()).toMatchObject({ sources: ['10.0.0.1:30000'], drops: { otherSource: 300 } });
  });

  test('nor when its SSRC changes with every packet', () => {
    const tested = newStream();
    for (let seq = 0; seq < 60; seq++) {
      tested.media(rtp({ seq, ssrc: 1000 + seq }), A);
      tested.clock.advance(10);
      tested.media(rtp({ seq, ssrc: 0xb }), B);
      tested.clock.advance(10);
    }
    expect(tested.stream.statistics().sources).toEqual(['10.0.0.1:30000']);
  });

  test('a stray that came first makes room for three packets in a row, which are not lost', () => {
    const tested = newStream();
    tested.media(rtp({ seq: 9, ssrc: 0xc }), B);
    tested.clock.advance(20);
    talk(tested, A, 500, 2);
    expect(tested.sequence()).toEqual([9]);
    talk(tested, A, 502, 2);
    tested.media(rtp({ seq: 10, ssrc: 0xc }), B);
    expect(tested.sequence()).toEqual(numbers(500, 4));
    expect(tested.stream.statistics()).toMatchObject({
      sources: ['10.0.0.2:30000', '10.0.0.1:30000'],
      drops: { otherSource: 1 },
    });
  });

  test('after the silence the held SSRC is proof enough: the same phone behind a new port', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    tested.clock.advance(TAKEOVER_MS);
    tested.media(rtp({ seq: 3, ssrc: 0xa }), A_MOVED);
    expect(tested.sequence()).toEqual([0, 1, 2, 3]);
  });

  test('the held sender comes back before the takeover: the candidate is nobody again', () => {
    const tested = newStream();
    talk(tested, A, 0, 2);
    talk(tested, B, 500, 50, 0xb);
    talk(tested, A, 2, 1);
    talk(tested, B, 550, 50, 0xb);
    talk(tested, A, 3, 1);
    expect(tested.sequence()).toEqual([0, 1, 2, 3]);
    expect(tested.stream.statistics().drops).toEqual({ otherSource: 100 });
  });

  test.each([
    ['update', (tested: StreamUnderTest) => tested.stream.update({ formats: [] }, tested.clock.nowMs())],
    [
      'resume',
      (tested: StreamUnderTest) => {
        tested.stream.update({ receiving: false }, tested.clock.nowMs());
        tested.clock.advance(10);
        tested.stream.update({ receiving: true }, tested.clock.nowMs());
      },
    ],
  ])(
    'after an %s a new port is taken at once, and a new host when the old one has been silent for 200 ms',
    (_, renegotiate) => {
      const tested = newStream();
      talk(tested, A, 0, 3);
      renegotiate(tested);
      tested.media(rtp({ seq: 3, ssrc: 0xa }), A_MOVED);
      expect(tested.sequence()).toEqual([0, 1, 2, 3]);
      renegotiate(tested);
      talk(tested, B, 900, 10, 0xb);
      expect(tested.sequence()).toEqual([]);
      talk(tested, B, 910, 2, 0xb);
      expect(tested.sequence()).toEqual(numbers(900, 12));
      expect(tested.stream.statistics()).toMatchObject({
        sources: ['10.0.0.1:30000', '10.0.0.1:31000', '10.0.0.2:30000'],
        drops: {},
      });
    },
  );

  test('a stranger who is first after a re-negotiation does not win against one who talks on', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    for (let seq = 3; seq < 30; seq++) {
      tested.stream.update({ formats: [] }, tested.clock.nowMs());
      for (let i = 0; i < 5; i++) {
        tested.clock.advance(4);
        tested.media(rtp({ seq: 5 * seq + i, ssrc: 0xb }), B);
      }
      tested.media(rtp({ seq, ssrc: 0xa }), A);
    }
    expect(tested.sequence()).toEqual(numbers(0, 30));
  });

  test('another port of the same host, taken after a re-negotiation, makes room for the one who talks on', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    tested.stream.update({ formats: [] }, tested.clock.nowMs());
    talk(tested, A_MOVED, 700, 1);
    talk(tested, A, 3, 2);
    talk(tested, A_MOVED, 701, 5);
    talk(tested, A, 5, 2);
    expect(tested.sequence()).toEqual([0, 1, 2, 700, 3, 4, 5, 6]);
    expect(tested.stream.statistics().drops).toEqual({ otherSource: 5 });
  });

  test('who took over from one who was only silent makes room for him at once, however much he sends', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    tested.clock.advance(TAKEOVER_MS);
    talk(tested, B, 500, 5, 0xb);
    expect(tested.sequence()).toEqual([0, 1, 2, ...numbers(500, 5)]);
    for (let seq = 3; seq < 30; seq++) {
      tested.media(rtp({ seq, ssrc: 0xa }), A);
      talk(tested, B, 505 + 5 * seq, 5, 0xb);
    }
    expect(tested.sequence()).toEqual(numbers(3, 27));
  });

  test('a stranger who waits to take over does not keep out another port of the held host', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    talk(tested, B, 500, 3, 0xb);
    for (let seq = 3; seq < 120; seq++) {
      talk(tested, A_MOVED, seq, 1);
      talk(tested, B, 500 + seq, 1, 0xb);
    }
    expect(tested.sequence()).toEqual(numbers(0, 120));
    expect(tested.stream.statistics().drops).toEqual({ otherSource: 120 });
  });

  test('who moved just before the re-negotiation loses nothing', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    talk(tested, B, 500, 5, 0xb);
    tested.stream.update({ formats: [] }, tested.clock.nowMs());
    talk(tested, B, 505, 5, 0xb);
    expect(tested.sequence()).toEqual([0, 1, 2, ...numbers(500, 10)]);
  });

  test('at the end a proven candidate is taken, one who talked beside the held sender is not', () => {
    const tested = newStream();
    talk(tested, A, 0, 3);
    talk(tested, B, 500, 10, 0xb);
    tested.stream.rest();
    expect(tested.sequence()).toEqual([0, 1, 2, ...numbers(500, 10)]);
    expect(tested.stream.statistics()).toMatchObject({ packets: 13, drops: {} });
    const other = newStream();
    talk(other, A, 0, 2);
    talk(other, B, 500, 10, 0xb);
    talk(other, A, 2, 1);
    other.stream.rest();
    expect(other.sequence()).toEqual([0, 1, 2]);
    expect(other.stream.statistics().drops).toEqual({ otherSource: 10 });
  });

  test('what is kept of a candidate is bounded', () => {
    const tested = newStream();
    talk(tested, A, 0, 2);
    for (let seq = 0; seq < 3000; seq++) tested.media(rtp({ seq, ssrc: 0xb }), B);
    tested.clock.advance(TAKEOVER_MS);
    tested.media(rtp({ seq: 3000, ssrc: 0xb }), B);
    expect(tested.sequence()).toEqual([0, 1, ...numbers(0, 1024), 3000]);
    expect(tested.stream.statistics().drops).toEqual({ otherSource: 3000 - 1024 });
  });

  test('RTCP is taken from the host that sends the media, from any of its ports', () => {
    const tested = newStream();
    tested.control(senderReport({ ssrc: 1 }), B);
    talk(tested, A, 0, 1);
    tested.control(senderReport({ ssrc: 2 }), peer(A.host, 30_001));
    tested.control(senderReport({ ssrc: 3 }), B);
    tested.media(senderReport({ ssrc: 4 }), A);
    tested.media(senderReport({ ssrc: 5 }), B);
    const rtcp = tested.journalled().filter(({ payload }) => payload.charCodeAt(1) === 200);
    expect(rtcp.map(({ source, destination, payload }) => [source, destination, payload.charCodeAt(7)])).toEqual([
      ['10.0.0.2:30000', `192.0.2.9:${RTP_PORT + 1}`, 1],
      ['10.0.0.1:30001', `192.0.2.9:${RTP_PORT + 1}`, 2],
      ['10.0.0.1:30000', `192.0.2.9:${RTP_PORT}`, 4],
    ]);
    expect(tested.stream.statistics()).toMatchObject({ rtcpPackets: 3, drops: { otherSource: 2 } });
  });
});

describe('anything from anyone', () => {
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.record({ seq: fc.nat(0xffff), ssrc: fc.constantFrom(1, 2, 3), octets: fc.nat(40) }).map(rtp),
    fc
      .tuple(fc.constantFrom(0x80, 0x90, 0xa0, 0xbf, 0x8f), fc.uint8Array({ minLength: 12, maxLength: 40 }))
      .map(([first, octets]) => Buffer.from([first, ...octets.subarray(1)])),
    fc.constantFrom(STUN, DTLS, ZRTP, TURN_CHANNEL, senderReport({ ssrc: 9 })),
  );
  const source = fc.constantFrom(
    A,
    A_MOVED,
    B,
    peer('2001:db8::1'),
    peer('::ffff:10.0.0.1', 65_535),
    peer('10.0.0.9', 1),
  );
  const step = fc.oneof(
    { weight: 12, arbitrary: fc.record({ datagram, source, control: fc.boolean(), laterMs: fc.nat(900) }) },
    { weight: 1, arbitrary: fc.record({ receiving: fc.boolean() }) },
  );

  test('nothing throws, every datagram is journalled or counted, never both', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tested = newStream({ reports: true });
        let sent = 0;
        for (const one of steps) {
          if ('receiving' in one) {
            tested.stream.update(one, tested.clock.nowMs());
            continue;
          }
          sent++;
          if (one.control) tested.control(one.datagram, one.source);
          else tested.media(one.datagram, one.source);
          tested.clock.advance(one.laterMs);
          tested.stream.reportIfDue(tested.clock.nowMs());
        }
        tested.stream.rest();
        const { packets, duplicates, rtcpPackets, drops } = tested.stream.statistics();
        const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
        expect(packets + duplicates + rtcpPackets + dropped).toBe(sent);
        expect(Object.values(drops).every((count) => count > 0)).toBe(true);
        expect(tested.journalled()).toHaveLength(packets + duplicates + rtcpPackets);
      }),
      { numRuns: 150 },
    );
  });
});
