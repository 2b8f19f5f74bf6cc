import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RtpHeader, readRtpHeader, writeRtpHeader } from '../../src/rtp/packet.ts';
import { MAX_SSRCS, type RtpClock, RtpStatisticsCounter, SsrcStatistics } from '../../src/rtp/statistics.ts';
import { readPcap } from '../support/pcap.ts';
import { heapGrowth } from './heap-growth.ts';

const START_MS = Date.UTC(2026, 0, 1, 12);
const PCMU: RtpClock = { payloadType: 0, encoding: 'PCMU', clockRateHz: 8000 };
const WIDE: RtpClock = { payloadType: 97, encoding: 'L16', clockRateHz: 16_000 };
const EVENTS: RtpClock = { payloadType: 101, encoding: 'telephone-event', clockRateHz: 8000 };

interface Packet {
  /** Since START_MS. */
  atMs: number;
  sequenceNumber: number;
  rtpTime?: number;
  ssrc?: number;
  payloadType?: number;
  octets?: number;
}

function headerOf({ sequenceNumber, rtpTime = 0, ssrc = 1, payloadType = 0, octets = 160 }: Packet): RtpHeader {
  return Object.assign(new RtpHeader(), {
    sequenceNumber,
    rtpTime,
    ssrc,
    payloadType,
    payloadStart: 12,
    payloadEnd: 12 + octets,
  });
}

function feed(counter: RtpStatisticsCounter, packets: readonly Packet[]): string[] {
  return packets.map((packet) => counter.observe(headerOf(packet), START_MS + packet.atMs));
}

/** A regular stream of 20 ms. */
function regular(count: number, from: Partial<Packet> & { clockRateHz?: number } = {}): Packet[] {
  const { atMs = 0, sequenceNumber = 100, rtpTime = 0, clockRateHz = 8000, ...rest } = from;
  return Array.from({ length: count }, (_, index) => ({
    ...rest,
    atMs: atMs + index * 20,
    sequenceNumber: (sequenceNumber + index) & 0xffff,
    rtpTime: (rtpTime + (index * clockRateHz) / 50) >>> 0,
  }));
}

describe('summary', () => {
  test('before the first packet', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    const expected = {
      packets: 0,
      octets: 0,
      lost: 0,
      duplicates: 0,
      reordered: 0,
      jitterMs: 0,
      ssrcs: [],
      payloadTypes: {},
      firstPacketMs: null,
      lastPacketMs: null,
    };
    expect(counter.summary()).toEqual(expected);
    expect([counter.packets, counter.currentSsrc, [...counter.sources()].length]).toEqual([0, -1, 0]);
  });

  test('one stream with a loss, a duplicate, a reordered packet and padding', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    const packets = regular(7);
    const [p0, p1, p2, p3, , p5, p6] = packets as [Packet, Packet, Packet, Packet, Packet, Packet, Packet];
    const order = [p0, p1, p3, { ...p2, atMs: 61 }, { ...p2, atMs: 62 }, p5, { ...p6, octets: 80 }];
    expect(feed(counter, order)).toEqual(['first', 'next', 'gap', 'reordered', 'duplicate', 'gap', 'next']);
    const summary = counter.summary();
    expect(summary).toEqual({
      packets: 6,
      octets: 5 * 160 + 80,
      lost: 1,
      duplicates: 1,
      reordered: 1,
      jitterMs: summary.jitterMs,
      ssrcs: [1],
      payloadTypes: { 0: 6 },
      firstPacketMs: START_MS,
      lastPacketMs: START_MS + 120,
    });
    // p2 against p3: 1 ms + 20 ms = 21/16; p5 against p2: 39 - 60 = -21; then one on time.
    const [first, second] = [21 / 16, 21 / 16 + (21 - 21 / 16) / 16];
    expect(first).toBeLessThan(second);
    expect(summary.jitterMs).toBeCloseTo((second * 15) / 16, 6);
    expect(counter.summary()).toEqual(summary);
  });

  test('several SSRCs are counted each for itself and summed up', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    const a = regular(4, { ssrc: 0xffff_fffe });
    const b = regular(4, { ssrc: 0x8000_0000, sequenceNumber: 65_535, atMs: 5 });
    const mixed = [...a, ...b].toSorted((x, y) => x.atMs - y.atMs).filter((packet) => packet !== a[2]);
    expect(feed(counter, mixed)).toEqual(['first', 'first', 'next', 'next', 'next', 'gap', 'next']);
    expect(counter.summary()).toEqual({
      packets: 7,
      octets: 7 * 160,
      lost: 1,
      duplicates: 0,
      reordered: 0,
      jitterMs: 0,
      ssrcs: [0xffff_fffe, 0x8000_0000],
      payloadTypes: { 0: 7 },
      firstPacketMs: START_MS,
      lastPacketMs: START_MS + 65,
    });
    expect(counter.currentSsrc).toBe(0x8000_0000);
    expect([...counter.sources()].map(({ ssrc, sequence }) => [ssrc, sequence.packets])).toEqual([
      [0xffff_fffe, 3],
      [0x8000_0000, 4],
    ]);
  });

  test('packets by payload type, whenever it is asked', () => {
    const counter = new RtpStatisticsCounter([PCMU, EVENTS]);
    const types = [0, 0, 101, 101, 0, 127, 0];
    const packets = types.map((payloadType, index) => ({ atMs: index * 20, sequenceNumber: index, payloadType }));
    feed(counter, packets.slice(0, 3));
    expect(counter.summary().payloadTypes).toEqual({ 0: 2, 101: 1 });
    feed(counter, packets.slice(3));
    expect(counter.summary().payloadTypes).toEqual({ 0: 4, 101: 2, 127: 1 });
  });

  test('a duplicate of another payload type is not counted there', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    feed(counter, [...regular(2), { atMs: 30, sequenceNumber: 101, payloadType: 8 }]);
    expect(counter.summary()).toMatchObject({ packets: 2, octets: 320, duplicates: 1, payloadTypes: { 0: 2 } });
  });
});

describe('jitter', () => {
  const late = (packets: Packet[]) =>
    packets.map((packet, index) => (index === 1 ? { ...packet, atMs: packet.atMs + 10 } : packet));
  /** One packet 10 ms late: 10/16 ms. */
  const ONE_LATE_MS = 0.625;

  test('clock rates come from the session description', () => {
    const counter = new RtpStatisticsCounter([WIDE]);
    feed(counter, late(regular(2, { payloadType: 97, clockRateHz: 16_000 })));
    expect(counter.summary().jitterMs).toBe(ONE_LATE_MS);
  });

  test('or from RFC 3551', () => {
    const counter = new RtpStatisticsCounter();
    feed(counter, late(regular(2, { payloadType: 8 })));
    expect(counter.summary().jitterMs).toBe(ONE_LATE_MS);
  });

  test('the session description wins over RFC 3551', () => {
    const counter = new RtpStatisticsCounter([{ payloadType: 0, encoding: 'PCMU', clockRateHz: 16_000 }]);
    feed(counter, late(regular(2, { clockRateHz: 16_000 })));
    expect(counter.summary().jitterMs).toBe(ONE_LATE_MS);
  });

  test('an unknown payload type has none, in reports neither', () => {
    const counter = new RtpStatisticsCounter();
    feed(counter, late(regular(5, { payloadType: 111 })));
    const [source] = counter.sources();
    expect([counter.summary().jitterMs, source!.jitter.timestampUnits]).toEqual([0, 0]);
  });

  test('a clock rate learnt later counts from then on', () => {
    const counter = new RtpStatisticsCounter();
    const packets = regular(6, { payloadType: 97, clockRateHz: 16_000 });
    feed(counter, packets.slice(0, 3));
    counter.setClocks([WIDE]);
    feed(counter, late(packets.slice(3)).slice(0, 2));
    expect(counter.summary().jitterMs).toBe(ONE_LATE_MS);
  });

  test('a description without a payload type leaves its rate as it was', () => {
    const counter = new RtpStatisticsCounter([WIDE]);
    counter.setClocks([PCMU]);
    feed(counter, late(regular(2, { payloadType: 97, clockRateHz: 16_000 })));
    expect(counter.summary().jitterMs).toBe(ONE_LATE_MS);
  });

  test.each(['telephone-event', 'TELEPHONE-EVENT'])(
    '%s stands still while a key is pressed and is left out',
    (encoding) => {
      const counter = new RtpStatisticsCounter([PCMU, { ...EVENTS, encoding }]);
      const speech = regular(10);
      const packets = speech.map((packet, index) =>
        index >= 3 && index < 7 ? { ...packet, payloadType: 101, rtpTime: 480 } : packet,
      );
      feed(counter, packets);
      expect(counter.summary()).toMatchObject({ packets: 10, jitterMs: 0, payloadTypes: { 0: 6, 101: 4 } });
    },
  );

  test('a restart with another timestamp is no jitter', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    const verdicts = feed(counter, [
      ...late(regular(2)),
      ...regular(3, { atMs: 60, sequenceNumber: 40_000, rtpTime: 3_000_000_000 }),
    ]);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'restart', 'next']);
    expect(counter.summary().jitterMs).toBeCloseTo((ONE_LATE_MS * 15) / 16, 9);
  });

  test('nor is a stray, and the stream is compared across it', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    const stray = { atMs: 21, sequenceNumber: 40_000, rtpTime: 3_000_000_000 };
    const packets = regular(4);
    const verdicts = feed(counter, [...packets.slice(0, 2), stray, ...packets.slice(2)]);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'next', 'next']);
    expect(counter.summary()).toMatchObject({ packets: 5, lost: 0, jitterMs: 0, payloadTypes: { 0: 5 } });
  });

  test('is that of the SSRC heard last', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    feed(counter, late(regular(2, { ssrc: 1 })));
    feed(counter, regular(2, { ssrc: 2, atMs: 40 }));
    expect(counter.summary().jitterMs).toBe(0);
    feed(counter, [{ atMs: 40, sequenceNumber: 102, rtpTime: 320, ssrc: 1 }]);
    expect(counter.summary().jitterMs).toBeCloseTo(ONE_LATE_MS + (10 - ONE_LATE_MS) / 16, 9);
  });

  test('payload types beyond 127 and rates of 0 do no harm', () => {
    const odd = [128, -1, 96].map((payloadType) => ({
      payloadType,
      encoding: 'X',
      clockRateHz: payloadType === 96 ? 0 : 8000,
    }));
    const counter = new RtpStatisticsCounter(odd);
    feed(counter, late(regular(3, { payloadType: 96 })));
    expect(counter.summary().jitterMs).toBe(0);
  });
});

test('after a pause neither the numbers nor the time in between count', () => {
  const counter = new RtpStatisticsCounter([PCMU]);
  feed(counter, [...regular(3, { ssrc: 1 }), ...regular(3, { ssrc: 2 })]);
  counter.resynchronise();
  const after = { atMs: 10_000, sequenceNumber: 1000, rtpTime: 77 };
  expect(feed(counter, regular(2, { ssrc: 2, ...after }))).toEqual(['first', 'next']);
  expect(feed(counter, regular(2, { ssrc: 1, ...after }))).toEqual(['first', 'next']);
  expect(counter.summary()).toMatchObject({ packets: 10, lost: 0, jitterMs: 0, ssrcs: [1, 2] });
});

describe('a sender that invents SSRCs', () => {
  const invented = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ atMs: index, sequenceNumber: 5, ssrc: 1000 + index }));

  test('costs a limited memory, and nothing counted is lost', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    // Each of the first three loses one, doubles one and reorders one.
    for (let ssrc = 1; ssrc <= 3; ssrc++) {
      const numbers = [1, 2, 5, 4, 5];
      feed(
        counter,
        numbers.map((sequenceNumber) => ({ atMs: 0, sequenceNumber, ssrc })),
      );
    }
    feed(counter, invented(500));
    const summary = counter.summary();
    expect(summary).toMatchObject({
      packets: 12 + 500,
      lost: 3,
      duplicates: 3,
      reordered: 3,
      payloadTypes: { 0: 512 },
    });
    expect(summary.ssrcs).toEqual([1, 2, 3, ...Array.from({ length: MAX_SSRCS - 3 }, (_, index) => 1000 + index)]);
    const kept = [...counter.sources()].map(({ ssrc }) => ssrc);
    expect(kept).toEqual(Array.from({ length: MAX_SSRCS }, (_, index) => 1500 - MAX_SSRCS + index));
  });

  test('who takes over a place takes over no jitter', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    feed(counter, [
      { atMs: 0, sequenceNumber: 1, rtpTime: 0, ssrc: 1 },
      { atMs: 500, sequenceNumber: 2, rtpTime: 160, ssrc: 1 },
    ]);
    expect(counter.summary().jitterMs).toBe(30);
    feed(counter, invented(MAX_SSRCS));
    expect(counter.summary().jitterMs).toBe(0);
  });

  test('an SSRC that comes back begins again', () => {
    const counter = new RtpStatisticsCounter([PCMU]);
    feed(counter, regular(3, { ssrc: 1 }));
    feed(counter, invented(MAX_SSRCS));
    expect(feed(counter, [{ atMs: 60, sequenceNumber: 500, ssrc: 1 }])).toEqual(['first']);
    expect(counter.summary()).toMatchObject({ packets: 3 + MAX_SSRCS + 1, lost: 0 });
  });
});

test('an SSRC is unsigned outside', () => {
  expect([
    new SsrcStatistics(0xffff_ffff).ssrc,
    new SsrcStatistics(0x8000_0000).ssrc,
    new SsrcStatistics(7).ssrc,
  ]).toEqual([0xffff_ffff, 0x8000_0000, 7]);
});

test('whatever comes: what is counted adds up', () => {
  const packet = fc.record({
    atMs: fc.nat(10_000),
    sequenceNumber: fc.oneof(fc.nat(20), fc.nat(0xffff)),
    rtpTime: fc.integer({ min: 0, max: 0xffff_ffff }),
    ssrc: fc.integer({ min: 1, max: 40 }),
    payloadType: fc.constantFrom(0, 8, 97, 101),
    octets: fc.nat(200),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 300, size: 'max' }), (packets) => {
      const counter = new RtpStatisticsCounter([PCMU, WIDE, EVENTS]);
      const verdicts = feed(counter, packets);
      const counted = packets.filter((_, index) => verdicts[index] !== 'duplicate');
      const { packets: total, octets, duplicates, payloadTypes, reordered, jitterMs, lost, ssrcs } = counter.summary();
      expect({ total, octets, duplicates, reordered }).toEqual({
        total: counted.length,
        octets: counted.reduce((sum, each) => sum + each.octets, 0),
        duplicates: packets.length - counted.length,
        reordered: verdicts.filter((verdict) => verdict === 'reordered').length,
      });
      expect(Object.values(payloadTypes).reduce((sum, count) => sum + count, 0)).toBe(total);
      expect(jitterMs).toBeGreaterThanOrEqual(0);
      expect(lost).toBeGreaterThanOrEqual(0);
      expect(ssrcs).toEqual([...new Set(packets.map(({ ssrc }) => ssrc))].slice(0, MAX_SSRCS));
    }),
  );
});

describe('captured calls, with the figures that tshark gives (-z rtp,streams)', () => {
  function summaryOf(capture: string, port: number, clocks: RtpClock[]) {
    const file = readFileSync(new URL(`../fixtures/opensips/${capture}/${capture}.pcap`, import.meta.url));
    const counter = new RtpStatisticsCounter(clocks);
    const header = new RtpHeader();
    const arrivals: number[] = [];
    for (const { destination, payload, timeMs } of readPcap(file)) {
      if (destination.port !== port || readRtpHeader(payload, 0, payload.length, header) !== null) continue;
      counter.observe(header, timeMs);
      arrivals.push(timeMs);
    }
    return { summary: counter.summary(), arrivals };
  }

  test('speech', () => {
    const { summary, arrivals } = summaryOf('udp-basic', 42_502, [PCMU]);
    const { jitterMs } = summary;
    expect(summary).toEqual({
      packets: 200,
      octets: 200 * 160,
      lost: 0,
      duplicates: 0,
      reordered: 0,
      jitterMs,
      ssrcs: [0xca11_0000],
      payloadTypes: { 0: 200 },
      firstPacketMs: arrivals[0],
      lastPacketMs: arrivals.at(-1),
    });
    // tshark: never less than 0.011 ms nor more than 0.434.
    expect(jitterMs).toBeGreaterThan(0.011);
    expect(jitterMs).toBeLessThan(0.435);
  });

  test('keys: tshark counts 11 ms of jitter for the standing timestamps, there is less than 1 ms', () => {
    const { summary } = summaryOf('dtmf-rfc4733', 42_102, [PCMU, EVENTS]);
    expect(summary).toMatchObject({ packets: 409, lost: 0, ssrcs: [0xa11c_e001], payloadTypes: { 0: 359, 101: 50 } });
    expect(summary.jitterMs).toBeLessThan(1);
  });
});

test('counting allocates nothing per packet but, at most, a box for the time', () => {
  const counter = new RtpStatisticsCounter([PCMU, EVENTS]);
  const octets = new Uint8Array(172);
  const fields = { marker: false, payloadType: 0, sequenceNumber: 0, rtpTime: 0, ssrc: 0xca11_0000 };
  const header = new RtpHeader();
  const timesMs = new Float64Array(1);
  const grown = heapGrowth(200_000, (index) => {
    fields.sequenceNumber = index;
    fields.rtpTime = (index * 160) | 0;
    fields.payloadType = index % 50 === 0 ? 101 : 0;
    writeRtpHeader(octets, 0, fields);
    readRtpHeader(octets, 0, 172, header);
    timesMs[0] = START_MS + index * 20.25;
    counter.observe(header, timesMs[0]!);
  });
  expect(counter.packets).toBeGreaterThan(399_000);
  // A box is 16 octets, which makes 3.2 MB; the smallest object would be 32.
  expect(grown).toBeLessThan(4_500_000);
});
