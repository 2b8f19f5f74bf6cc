import { describe, expect, test } from 'vitest';
import { CLIENT_CODECS } from '../../src/client/codec.ts';
import type { EncodedLoop } from '../../src/client/encoded-loop.ts';
import { freshRandom, seededRandom } from '../../src/client/random.ts';
import { isDtmf, RtpStream } from '../../src/client/rtp-stream.ts';
import { writeSenderReport } from '../../src/client/sender-report.ts';
import { RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import { readRtcp } from '../../src/rtp/rtcp.ts';
import { dtmfDigit, readTelephoneEvent, TelephoneEvent } from '../../src/rtp/telephone-event.ts';

/** Two packets, of ones and of twos. */
const loop: EncodedLoop = {
  codec: CLIENT_CODECS.pcmu,
  packetOctets: 160,
  packetCount: 2,
  octets: new Uint8Array(320).fill(1, 0, 160).fill(2, 160),
};

function packetAt(stream: RtpStream, slot: number) {
  const memory = new Uint8Array(stream.maxPacketOctets);
  const length = stream.write(slot, memory);
  const header = new RtpHeader();
  expect(readRtpHeader(memory, 0, length, header)).toBeNull();
  const { marker, payloadType, sequenceNumber, rtpTime, ssrc } = header;
  return { marker, payloadType, sequenceNumber, rtpTime, ssrc, payload: memory.subarray(header.payloadStart, length) };
}

describe('audio packets', () => {
  test('loop, with one sequence number and 160 timestamp units per slot, the first with a marker', () => {
    const stream = new RtpStream(loop, seededRandom(1));
    const packets = [0, 1, 2, 3].map((slot) => packetAt(stream, slot));
    const [first] = packets;
    expect(
      packets.map(({ marker, payloadType, sequenceNumber, rtpTime, ssrc, payload }) => ({
        marker,
        payloadType,
        sequence: (sequenceNumber - first!.sequenceNumber) & 0xffff,
        time: (rtpTime - first!.rtpTime) >>> 0,
        sameSsrc: ssrc === stream.ssrc,
        octets: [payload.length, payload[0], payload.at(-1)],
      })),
    ).toEqual([
      { marker: true, payloadType: 0, sequence: 0, time: 0, sameSsrc: true, octets: [160, 1, 1] },
      { marker: false, payloadType: 0, sequence: 1, time: 160, sameSsrc: true, octets: [160, 2, 2] },
      { marker: false, payloadType: 0, sequence: 2, time: 320, sameSsrc: true, octets: [160, 1, 1] },
      { marker: false, payloadType: 0, sequence: 3, time: 480, sameSsrc: true, octets: [160, 2, 2] },
    ]);
  });

  test('wrap around at 16 and 32 bits', () => {
    const ends = { fraction: () => 0, bits: (count: number) => 2 ** count - 1 };
    const stream = new RtpStream(loop, ends);
    expect(packetAt(stream, 0)).toMatchObject({ sequenceNumber: 65535, rtpTime: 4294967295, ssrc: 4294967295 });
    expect(packetAt(stream, 1)).toMatchObject({ sequenceNumber: 0, rtpTime: 159 });
  });

  test('start where the seed says; other seeds start elsewhere', () => {
    const start = (seed: number) => packetAt(new RtpStream(loop, seededRandom(seed)), 0);
    expect(start(5)).toEqual(start(5));
    expect(new Set([0, 1, 2, 3, 4].map((seed) => start(seed).ssrc)).size).toBe(5);
    expect(new RtpStream(loop, freshRandom()).ssrc).not.toBe(new RtpStream(loop, freshRandom()).ssrc);
  });
});

describe('DTMF (RFC 4733)', () => {
  const eventOf = (payload: Uint8Array) => {
    const event = new TelephoneEvent();
    expect(readTelephoneEvent(payload, 0, payload.length, event)).toBe(true);
    return { digit: dtmfDigit(event.event), end: event.end, duration: event.duration };
  };

  test('one timestamp per digit, growing duration, three end packets, audio again after it', () => {
    const stream = new RtpStream(loop, seededRandom(1));
    const before = packetAt(stream, 4);
    expect(stream.playDtmf('#', 5, 60)).toBe(13);
    const packets = [5, 6, 7, 8, 9].map((slot) => packetAt(stream, slot));
    expect(packets.map(({ payload }) => eventOf(payload))).toEqual([
      { digit: '#', end: false, duration: 160 },
      { digit: '#', end: false, duration: 320 },
      { digit: '#', end: true, duration: 480 },
      { digit: '#', end: true, duration: 480 },
      { digit: '#', end: true, duration: 480 },
    ]);
    expect(packets.map(({ payloadType, marker }) => [payloadType, marker])).toEqual([
      [101, true],
      [101, false],
      [101, false],
      [101, false],
      [101, false],
    ]);
    expect(new Set(packets.map(({ rtpTime }) => (rtpTime - before.rtpTime) >>> 0))).toEqual(new Set([160]));
    expect(packets.map(({ sequenceNumber }) => (sequenceNumber - before.sequenceNumber) & 0xffff)).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect(packetAt(stream, 10)).toMatchObject({ payloadType: 0, marker: true });
    expect((packetAt(stream, 11).rtpTime - before.rtpTime) >>> 0).toBe(7 * 160);
  });

  test('digits wait for each other, also across calls', () => {
    const stream = new RtpStream(loop, seededRandom(1));
    const afterTwo = stream.playDtmf('1a', 0, 40);
    expect(afterTwo).toBe(14);
    expect(stream.playDtmf('9', 3, 40)).toBe(21);
    const digits: string[] = [];
    for (let slot = 0; slot < 21; slot++) {
      const { payloadType, payload } = packetAt(stream, slot);
      digits.push(payloadType === 101 ? eventOf(payload).digit! : '.');
    }
    expect(digits.join('')).toBe('1111...AAAA...9999...');
  });

  test('refuses what no phone has', () => {
    const stream = new RtpStream(loop, seededRandom(1));
    expect(() => stream.playDtmf('12x', 0)).toThrow(RangeError);
    expect([isDtmf('12x'), isDtmf('0159*#abCD')]).toEqual([false, true]);
    expect(packetAt(stream, 0).payloadType).toBe(0);
  });
});

test('a sender report is read back by the RTCP reader (RFC 3550 §6.4.1)', () => {
  const report = {
    ssrc: 0xfedcba98,
    unixMs: Date.UTC(2026, 10, 21, 1, 2, 3, 500),
    rtpTimestamp: 0xf0000000,
    packets: 250,
    octets: 40_000,
    cname: 'party-1',
  };
  const packet = writeSenderReport(report);
  expect(packet.length % 4).toBe(0);
  expect(readRtcp(packet, 0, packet.length)).toEqual([
    {
      type: 'sr',
      ssrc: 0xfedcba98,
      ntpSeconds: report.unixMs / 1000 - 0.5 + 2_208_988_800,
      ntpFraction: 0x8000_0000,
      rtpTime: 0xf0000000,
      packetCount: 250,
      octetCount: 40_000,
      reports: [],
    },
    { type: 'sdes', chunks: [{ ssrc: 0xfedcba98, items: [{ type: 1, text: 'party-1' }] }] },
  ]);
});
