import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeSenderReport } from '../../src/client/sender-report.ts';
import { looksLikeRtcp, type ReportBlock, type RtcpPacket, readRtcp } from '../../src/rtp/rtcp.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const read = (octets: Uint8Array) => readRtcp(octets, 0, octets.length);

/** About 0xcafebabe: 64/256 lost of late, 1000 in all, highest 2·65536 + 3, jitter 4, LSR, DLSR of half a second. */
const BLOCK = 'cafebabe 40 0003e8 00020003 00000004 b1c2d3e4 00008000';
const block: ReportBlock = {
  ssrc: 0xcafe_babe,
  fractionLost: 64,
  cumulativeLost: 1000,
  extendedHighestSequence: 131_075,
  jitter: 4,
  lastSr: 0xb1c2_d3e4,
  delaySinceLastSr: 32_768,
};

const SENDER_INFO = 'e5f60718 80000000 89abcdef 00000064 00003e80';
const senderInfo = {
  ntpSeconds: 0xe5f6_0718,
  ntpFraction: 0x8000_0000,
  rtpTime: 0x89ab_cdef,
  packetCount: 100,
  octetCount: 16_000,
};

describe('one packet', () => {
  test.each<[string, string, RtcpPacket]>([
    [
      'SR (§6.4.1)',
      `81 c8 000c 01020304 ${SENDER_INFO} ${BLOCK}`,
      { type: 'sr', ssrc: 0x0102_0304, ...senderInfo, reports: [block] },
    ],
    [
      'SR without blocks',
      `80 c8 0006 01020304 ${SENDER_INFO}`,
      { type: 'sr', ssrc: 0x0102_0304, ...senderInfo, reports: [] },
    ],
    ['RR (§6.4.2)', `81 c9 0007 ffffffff ${BLOCK}`, { type: 'rr', ssrc: 0xffff_ffff, reports: [block] }],
    ['an empty RR', '80 c9 0001 00000001', { type: 'rr', ssrc: 1, reports: [] }],
    [
      'RR with a profile-specific extension behind its blocks',
      `81 c9 0009 00000001 ${BLOCK} 11111111 22222222`,
      { type: 'rr', ssrc: 1, reports: [block] },
    ],
    [
      // "a@b" fills its chunk up to one octet, which is the null.
      'SDES CNAME (§6.5.1)',
      '81 ca 0003 00000007 01 03 614062 00 0000',
      { type: 'sdes', chunks: [{ ssrc: 7, items: [{ type: 1, text: 'a@b' }] }] },
    ],
    [
      'SDES whose items end on a boundary: a whole word of nulls follows',
      '81 ca 0004 00000007 01 02 6162 08 02 6364 00000000',
      {
        type: 'sdes',
        chunks: [
          {
            ssrc: 7,
            items: [
              { type: 1, text: 'ab' },
              { type: 8, text: 'cd' },
            ],
          },
        ],
      },
    ],
    [
      'SDES of two chunks, the first without items, the second in UTF-8',
      '82 ca 0006 00000007 00000000 00000008 02 07 c3a4c3b6c3bc 21 00 0000 0000'.replace(/ 0000$/, ''),
      {
        type: 'sdes',
        chunks: [
          { ssrc: 7, items: [] },
          { ssrc: 8, items: [{ type: 2, text: 'äöü!' }] },
        ],
      },
    ],
    ['SDES of no chunk', '80 ca 0000', { type: 'sdes', chunks: [] }],
    ['BYE (§6.6)', '81 cb 0001 0000000a', { type: 'bye', ssrcs: [10], reason: null }],
    [
      'BYE of two, with a reason',
      '82 cb 0004 0000000a 0000000b 06 6e6f2077 6179 00',
      { type: 'bye', ssrcs: [10, 11], reason: 'no way' },
    ],
    ['BYE of nobody', '80 cb 0000', { type: 'bye', ssrcs: [], reason: null }],
    [
      'APP (§6.7)',
      '85 cc 0003 0000000c 54455354 deadbeef',
      { type: 'app', ssrc: 12, subtype: 5, name: 'TEST', dataStart: 12, dataEnd: 16 },
    ],
    [
      'APP without data',
      '80 cc 0002 0000000c 54455354',
      { type: 'app', ssrc: 12, subtype: 0, name: 'TEST', dataStart: 12, dataEnd: 12 },
    ],
    [
      'transport feedback (RFC 4585 §6.1)',
      '81 cd 0002 00000001 00000002',
      { type: 'other', packetType: 205, start: 0, end: 12 },
    ],
    ['extended report (RFC 3611)', '80 cf 0001 00000001', { type: 'other', packetType: 207, start: 0, end: 8 }],
  ])('%s', (_name, octets, packet) => {
    expect(read(hex(octets))).toEqual([packet]);
  });

  test('cumulative loss is signed, the fraction is not', () => {
    const losses = ['ff ffffff', '80 800000', '00 7fffff'].map((loss) => {
      const [packet] = read(hex(`81 c9 0007 00000001 00000002 ${loss} 00000000 00000000 00000000 00000000`));
      return (
        packet?.type === 'rr' &&
        packet.reports.map(({ fractionLost, cumulativeLost }) => [fractionLost, cumulativeLost])
      );
    });
    expect(losses).toEqual([[[255, -1]], [[128, -8_388_608]], [[0, 8_388_607]]]);
  });

  test('thirty-one blocks', () => {
    const octets = hex(`9f c9 00bb 00000001 ${BLOCK.repeat(31)}`);
    expect(read(octets)).toEqual([{ type: 'rr', ssrc: 1, reports: Array(31).fill(block) }]);
  });
});

describe('compound packets (§6.1)', () => {
  const SR = `80 c8 0006 00000001 ${SENDER_INFO}`;
  const SDES = '81 ca 0003 00000001 01 03 614062 00 0000';
  const BYE = '81 cb 0001 00000001';

  test('SR, SDES, BYE', () => {
    expect(read(hex(SR + SDES + BYE))).toEqual([
      { type: 'sr', ssrc: 1, ...senderInfo, reports: [] },
      { type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'a@b' }] }] },
      { type: 'bye', ssrcs: [1], reason: null },
    ]);
  });

  test('cut at every octet: what is whole is read', () => {
    const octets = hex(SR + SDES + BYE);
    const counts = Array.from({ length: octets.length + 1 }, (_, end) => readRtcp(octets, 0, end).length);
    expect(counts).toEqual([...Array(28).fill(0), ...Array(16).fill(1), ...Array(8).fill(2), 3]);
  });

  test('offsets are those of the buffer, which may itself be a view', () => {
    const memory = new Uint8Array(100).fill(0xff);
    memory.set(hex(`${BYE} 80 cc 0003 0000000c 54455354 deadbeef`), 13);
    const view = memory.subarray(3, 60);
    expect(readRtcp(view, 10, 34)).toEqual([
      { type: 'bye', ssrcs: [1], reason: null },
      { type: 'app', ssrc: 12, subtype: 0, name: 'TEST', dataStart: 30, dataEnd: 34 },
    ]);
  });

  test('padding of the last packet is no content', () => {
    const bye = 'a2 cb 0004 00000001 00000002 00000000 00000008';
    expect(read(hex(SDES + bye))).toEqual([
      { type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'a@b' }] }] },
      { type: 'bye', ssrcs: [1, 2], reason: null },
    ]);
  });

  test.each([0, 3, 20, 255])('a padding count of %i makes no sense and is content', (count) => {
    const app = hex('a0 cc 0003 0000000c 54455354 00000000');
    app[15] = count;
    expect(read(app)).toEqual([{ type: 'app', ssrc: 12, subtype: 0, name: 'TEST', dataStart: 12, dataEnd: 16 }]);
  });

  test('ends where the version is wrong', () => {
    expect(read(hex(`${BYE} 41 cb 0001 00000001 ${BYE}`))).toHaveLength(1);
  });

  test('at most 64 packets', () => {
    expect(read(hex('80 cb 0000'.repeat(100)))).toHaveLength(64);
  });
});

describe('packets that say more than they hold', () => {
  test.each<[string, string, RtcpPacket[]]>([
    [
      'more blocks announced than there are',
      `82 c9 0007 00000001 ${BLOCK}`,
      [{ type: 'rr', ssrc: 1, reports: [block] }],
    ],
    ['half a block', `81 c9 0004 00000001 cafebabe 400003e8 00020003`, [{ type: 'rr', ssrc: 1, reports: [] }]],
    ['SR without room for its sender info', '80 c8 0005 00000001 00000000 00000000 00000000 00000000', []],
    ['RR without SSRC', '80 c9 0000', []],
    ['APP without name', '80 cc 0001 00000001', []],
    [
      'an item longer than its packet',
      '81 ca 0002 00000001 01 ff 6162',
      [{ type: 'sdes', chunks: [{ ssrc: 1, items: [] }] }],
    ],
    [
      'items without the ending null',
      '81 ca 0002 00000001 01 02 6162',
      [{ type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'ab' }] }] }],
    ],
    [
      'an item cut behind its type',
      '81 ca 0002 00000001 01 01 61 01',
      [{ type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'a' }] }] }],
    ],
    [
      'more chunks announced than there are',
      '9f ca 0002 00000001 00000000',
      [{ type: 'sdes', chunks: [{ ssrc: 1, items: [] }] }],
    ],
    ['a reason longer than the packet', '81 cb 0002 00000001 09 616263', [{ type: 'bye', ssrcs: [1], reason: null }]],
    ['more sources announced than there are', '83 cb 0001 00000001', [{ type: 'bye', ssrcs: [1], reason: null }]],
  ])('%s', (_name, octets, packets) => {
    expect(read(hex(octets))).toEqual(packets);
  });

  test('at most 256 items', () => {
    const octets = new Uint8Array(8 + 4 * 400).fill(0);
    octets.set(hex('81 ca 0191 00000001'));
    for (let at = 8; at < octets.length; at += 4) octets.set([1, 2, 0x61, 0x62], at);
    const [packet] = read(octets);
    expect(packet).toEqual({ type: 'sdes', chunks: [{ ssrc: 1, items: Array(256).fill({ type: 1, text: 'ab' }) }] });
  });
});

describe('looksLikeRtcp', () => {
  const looks = (octets: string) => looksLikeRtcp(hex(octets), 0, hex(octets).length);

  test.each([
    ['80 c9 0001 00000001', true],
    // Reduced size (RFC 5506): feedback alone.
    ['81 cd 0002 00000001 00000002', true],
    // SRTCP (RFC 3711 §3.4): index and tag behind the packet.
    ['80 c9 0001 00000001 80000001 aabbccdd', true],
    ['80 c0 0000', true],
    ['80 df 0000', true],
    ['80 bf 0000', false],
    ['80 e0 0000', false],
    ['00 c9 0001 00000001', false],
    ['c0 c9 0001 00000001', false],
    ['80 c9 0002 00000001', false],
    ['80 c9 00', false],
    ['', false],
  ])('%s: %s', (octets, verdict) => {
    expect(looks(octets)).toBe(verdict);
  });

  test('does not look beyond the datagram', () => {
    const buffer = hex('00 80 c9 0001 00000001 00000000');
    expect([looksLikeRtcp(buffer, 1, 9), looksLikeRtcp(buffer, 1, 8), looksLikeRtcp(buffer, 1, 4)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

test('a sender report of our own client is read back', () => {
  const octets = writeSenderReport({
    ssrc: 0xdead_beef,
    unixMs: Date.UTC(2026, 0, 1) + 250,
    rtpTimestamp: 0xffff_0000,
    packets: 7,
    octets: 1120,
    cname: 'probe@192.0.2.1',
  });
  expect(read(octets)).toEqual([
    {
      type: 'sr',
      ssrc: 0xdead_beef,
      // Seconds from 1900 to 1970, and from there on.
      ntpSeconds: 2_208_988_800 + Date.UTC(2026, 0, 1) / 1000,
      ntpFraction: 2 ** 30,
      rtpTime: 0xffff_0000,
      packetCount: 7,
      octetCount: 1120,
      reports: [],
    },
    { type: 'sdes', chunks: [{ ssrc: 0xdead_beef, items: [{ type: 1, text: 'probe@192.0.2.1' }] }] },
  ]);
});

describe('fuzz', () => {
  const whole = hex(
    `81 c8 000c 01020304 ${SENDER_INFO} ${BLOCK} 81 ca 0003 00000007 01 03 614062 00 0000
     82 cb 0004 0000000a 0000000b 06 6e6f2077 6179 00 85 cc 0003 0000000c 54455354 deadbeef`,
  );

  /** Every offset and list has to stay inside the datagram. */
  function check(octets: Uint8Array): void {
    const packets = read(octets);
    expect(packets.length).toBeLessThanOrEqual(64);
    for (const packet of packets) {
      if (packet.type === 'app') expect(packet.dataEnd).toBeLessThanOrEqual(octets.length);
      if (packet.type === 'app') expect(packet.dataStart).toBeLessThanOrEqual(packet.dataEnd);
      if (packet.type === 'other') expect(packet.end).toBeLessThanOrEqual(octets.length);
      if ('reports' in packet) expect(packet.reports.length * 24).toBeLessThanOrEqual(octets.length);
      if (packet.type === 'bye') expect(packet.ssrcs.length * 4).toBeLessThanOrEqual(octets.length);
    }
  }

  test('any octets behind a plausible header', () => {
    const packetType = fc.constantFrom(200, 201, 202, 203, 204, 205, 207);
    fc.assert(
      fc.property(
        fc.integer({ min: 0x80, max: 0xbf }),
        packetType,
        fc.nat(40),
        fc.uint8Array({ maxLength: 200, size: 'max' }),
        (first, type, words, body) => check(Uint8Array.of(first, type, 0, words, ...body)),
      ),
      { numRuns: 2000 },
    );
  });

  test('a compound packet with some octets changed and the end cut', () => {
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 6 }), fc.nat(whole.length), (changes, length) => {
        const octets = whole.slice();
        for (const [at, value] of changes) octets[at] = value;
        check(octets.subarray(0, length));
      }),
      { numRuns: 2000 },
    );
  });
});
