import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  RTP_HEADER_OCTETS,
  type RtpDropReason,
  RtpHeader,
  readRtpHeader,
  writeRtpHeader,
} from '../../src/rtp/packet.ts';
import { readPcap } from '../support/pcap.ts';
import { heapGrowth } from './heap-growth.ts';

/** The header as a plain object, or why there is none. */
function read(octets: Uint8Array, start = 0, end = octets.length): RtpDropReason | RtpHeader {
  const header = new RtpHeader();
  return readRtpHeader(octets, start, end, header) ?? { ...header };
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));

/** V=2, no padding, extension or CSRC; marker; PT 96; 0x1234; 0x89abcdef; 0xfedcba98; four octets. */
const PLAIN = '80 e0 1234 89abcdef fedcba98 01020304';
const plain: RtpHeader = {
  marker: true,
  payloadType: 96,
  sequenceNumber: 0x1234,
  rtpTime: 0x89ab_cdef,
  ssrc: 0xfedc_ba98,
  csrcCount: 0,
  extensionProfile: -1,
  extensionStart: 12,
  extensionEnd: 12,
  payloadStart: 12,
  payloadEnd: 16,
  paddingValid: true,
};

/** Two CSRCs, extension 0xBEDE of two words, payload of three octets, padding of five. */
const FULL = `b2 08 ffff 00000001 00000002  aaaaaaaa bbbbbbbb  bede 0002 10ff 0000 2001 0203  0a0b0c  0000000005`;
const full: RtpHeader = {
  marker: false,
  payloadType: 8,
  sequenceNumber: 0xffff,
  rtpTime: 1,
  ssrc: 2,
  csrcCount: 2,
  extensionProfile: 0xbede,
  extensionStart: 24,
  extensionEnd: 32,
  payloadStart: 32,
  payloadEnd: 35,
  paddingValid: true,
};

describe('header by field (RFC 3550 §5.1)', () => {
  test('without options', () => {
    expect(read(hex(PLAIN))).toEqual(plain);
  });

  test('with CSRC list, extension and padding', () => {
    expect(read(hex(FULL))).toEqual(full);
  });

  test.each([
    ['marker', '80 80 0000 00000000 00000000', { marker: true }],
    ['highest payload type', '80 7f 0000 00000000 00000000', { payloadType: 127 }],
    ['sequence number', '80 00 8001 00000000 00000000', { sequenceNumber: 0x8001 }],
    ['timestamp', '80 00 0000 ffffffff 00000000', { rtpTime: 0xffff_ffff }],
    ['SSRC', '80 00 0000 00000000 80000001', { ssrc: 0x8000_0001 }],
  ])('only %s set', (_field, octets, changed) => {
    const zero = { marker: false, payloadType: 0, sequenceNumber: 0, rtpTime: 0, ssrc: 0 };
    expect(read(hex(octets))).toEqual({ ...plain, ...zero, payloadEnd: 12, ...changed });
  });

  test('fifteen CSRCs', () => {
    const octets = new Uint8Array(12 + 60 + 1);
    octets[0] = 0x8f;
    const after = { csrcCount: 15, extensionStart: 72, extensionEnd: 72, payloadStart: 72, payloadEnd: 73 };
    expect(read(octets)).toMatchObject(after);
    expect(read(octets, 0, 72)).toMatchObject({ ...after, payloadEnd: 72 });
    expect(read(octets, 0, 71)).toBe('rtpHeaderCut');
  });

  test('an extension of no words', () => {
    const octets = hex('90 00 0000 00000000 00000000 1234 0000 77');
    expect(read(octets)).toMatchObject({
      extensionProfile: 0x1234,
      extensionStart: 16,
      extensionEnd: 16,
      payloadStart: 16,
      payloadEnd: 17,
    });
  });

  test.each([0x00, 0x40, 0xc0])('version bits %i are not RTP', (version) => {
    const octets = hex(PLAIN);
    octets[0] = version;
    expect(read(octets)).toBe('notRtp');
  });

  test('nothing of the packet before is left in the refilled header', () => {
    const header = new RtpHeader();
    expect(readRtpHeader(hex(FULL), 0, 40, header)).toBeNull();
    // Now with a padding count that makes no sense.
    expect(readRtpHeader(hex(FULL), 0, 39, header)).toBeNull();
    expect(header.paddingValid).toBe(false);
    expect(readRtpHeader(hex(PLAIN), 0, 16, header)).toBeNull();
    expect({ ...header }).toEqual(plain);
  });
});

describe('padding (RFC 3550 §5.1)', () => {
  const padded = (lastOctet: number) =>
    hex(`a0 00 0000 00000000 00000000 010203 ${Buffer.of(lastOctet).toString('hex')}`);

  test.each([
    [1, 15],
    [3, 13],
    [4, 12],
  ])('of %i octets', (count, payloadEnd) => {
    expect(read(padded(count))).toMatchObject({ payloadStart: 12, payloadEnd, paddingValid: true });
  });

  test.each([0, 5, 255])('a count of %i makes no sense: the octets stay payload', (count) => {
    expect(read(padded(count))).toMatchObject({ payloadStart: 12, payloadEnd: 16, paddingValid: false });
  });

  test('announced, but there is nothing behind the header', () => {
    expect(read(padded(1), 0, 12)).toMatchObject({ payloadStart: 12, payloadEnd: 12, paddingValid: false });
  });

  test('does not reach into the extension', () => {
    const octets = hex('b0 00 0000 00000000 00000000 bede 0001 00000000 0002');
    expect(read(octets)).toMatchObject({ payloadStart: 20, payloadEnd: 20, paddingValid: true });
    octets[21] = 3;
    expect(read(octets)).toMatchObject({ payloadStart: 20, payloadEnd: 22, paddingValid: false });
  });
});

describe('cut and shifted', () => {
  test('at every octet', () => {
    const octets = hex(FULL);
    const verdicts = Array.from({ length: octets.length }, (_, end) => read(octets, 0, end));
    const reasons = verdicts.map((verdict) => (typeof verdict === 'string' ? verdict : 'read'));
    expect(reasons).toEqual([
      ...Array(12).fill('rtpTooShort'),
      // CSRC list to 20, extension header to 24, extension to 32.
      ...Array(20).fill('rtpHeaderCut'),
      ...Array(8).fill('read'),
    ]);
    // The last octet is taken for the count wherever the packet ends.
    expect(
      verdicts.slice(32).map((verdict) => typeof verdict === 'object' && [verdict.payloadEnd, verdict.paddingValid]),
    ).toEqual([
      [32, false],
      [33, false], // 0x0a of 1
      [34, false], // 0x0b of 2
      [35, false], // 0x0c of 3
      [36, false], // 0
      [37, false],
      [38, false],
      [39, false],
    ]);
  });

  test('offsets are those of the buffer', () => {
    const surrounded = new Uint8Array(60).fill(0xff);
    surrounded.set(hex(FULL), 7);
    expect(read(surrounded, 7, 47)).toEqual({
      ...full,
      extensionStart: 31,
      extensionEnd: 39,
      payloadStart: 39,
      payloadEnd: 42,
    });
  });

  test('an extension length beyond the datagram is not followed into the rest of the buffer', () => {
    const octets = new Uint8Array(300_000);
    octets.set(hex('90 00 0000 00000000 00000000 bede ffff'));
    expect(read(octets, 0, 200)).toBe('rtpHeaderCut');
    expect(read(octets)).toMatchObject({ payloadStart: 16 + 4 * 65_535, payloadEnd: 300_000 });
  });
});

describe('properties', () => {
  const fields = fc.record({
    marker: fc.boolean(),
    payloadType: fc.integer({ min: 0, max: 127 }),
    sequenceNumber: fc.integer({ min: 0, max: 0xffff }),
    rtpTime: fc.integer({ min: 0, max: 0xffff_ffff }),
    ssrc: fc.integer({ min: 0, max: 0xffff_ffff }),
  });

  test('what is written is read back', () => {
    fc.assert(
      fc.property(fields, fc.nat(9), fc.nat(20), (written, start, payloadOctets) => {
        const octets = new Uint8Array(40).fill(0xa5);
        expect(writeRtpHeader(octets, start, written)).toBe(start + RTP_HEADER_OCTETS);
        const payloadStart = start + 12;
        expect(read(octets, start, payloadStart + payloadOctets)).toEqual({
          ...plain,
          ...written,
          extensionStart: payloadStart,
          extensionEnd: payloadStart,
          payloadStart,
          payloadEnd: payloadStart + payloadOctets,
        });
        expect(octets.subarray(0, start).every((octet) => octet === 0xa5)).toBe(true);
        expect(octets.subarray(payloadStart).every((octet) => octet === 0xa5)).toBe(true);
      }),
    );
  });

  test('the writer takes numbers modulo their width', () => {
    const octets = new Uint8Array(12);
    const tooLarge = { marker: true, payloadType: 128 + 5, sequenceNumber: 65_536 + 6, rtpTime: 2 ** 32 + 7, ssrc: -1 };
    writeRtpHeader(octets, 0, tooLarge);
    expect(Buffer.from(octets).toString('hex')).toBe('808500060000' + '0007ffffffff');
  });

  test('any octets: either a reason, or offsets in order within the datagram', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120, size: 'max' }), fc.nat(20), (octets, skipped) => {
        const start = Math.min(skipped, octets.length);
        const result = read(octets, start);
        if (typeof result === 'string') {
          const short = octets.length - start < 12;
          expect(result === 'rtpTooShort').toBe(short);
          if (!short) expect(result === 'notRtp').toBe(octets[start]! >> 6 !== 2);
          return;
        }
        const { extensionStart, extensionEnd, payloadStart, payloadEnd, csrcCount } = result;
        const marks = [
          start + 12 + csrcCount * 4,
          extensionStart,
          extensionEnd,
          payloadStart,
          payloadEnd,
          octets.length,
        ];
        expect(marks).toEqual(marks.toSorted((a, b) => a - b));
        expect(extensionEnd).toBe(payloadStart);
      }),
      { numRuns: 2000 },
    );
  });
});

test('a captured call: every packet of the stream, by the figures that tshark gives', () => {
  const file = readFileSync(new URL('../fixtures/opensips/udp-basic/udp-basic.pcap', import.meta.url));
  const headers = readPcap(file)
    .filter(({ destination }) => destination.port === 42_502)
    .map(({ payload }) => read(payload));
  expect(headers).toHaveLength(200);
  const [first] = headers as RtpHeader[];
  headers.forEach((header, index) => {
    expect(header).toEqual({
      ...plain,
      marker: index === 0 && first!.marker,
      payloadType: 0,
      sequenceNumber: (first!.sequenceNumber + index) & 0xffff,
      rtpTime: (first!.rtpTime + index * 160) >>> 0,
      ssrc: 0xca11_0000,
      payloadEnd: 172,
    });
  });
});

test('reading allocates nothing per packet', () => {
  const octets = new Uint8Array(172);
  const header = new RtpHeader();
  // In an array, since a captured variable would be boxed with every change.
  const sum = new Float64Array(1);
  const fields = { marker: false, payloadType: 0, sequenceNumber: 0, rtpTime: 0, ssrc: 0 };
  const grown = heapGrowth(200_000, (index) => {
    fields.sequenceNumber = index;
    writeRtpHeader(octets, 0, fields);
    // Above 2^31 and below in turn.
    octets[4] = octets[8] = index;
    readRtpHeader(octets, 0, 172, header);
    sum[0]! += header.payloadEnd + header.rtpTime + header.ssrc;
  });
  expect(sum[0]).toBeGreaterThan(0);
  // One small object per packet would be 3 MB.
  expect(grown).toBeLessThan(1_500_000);
});
