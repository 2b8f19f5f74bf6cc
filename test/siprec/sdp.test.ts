import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOffer, refusalOf } from '../../src/siprec/sdp.ts';
import { SDP } from './bodies.ts';

const offer = (...lines: string[]) =>
  readOffer(['v=0', 'o=- 1 0 IN IP4 192.0.2.1', 's=-', 't=0 0', ...lines, ''].join('\r\n'));
const line = (...lines: string[]) => {
  const [first] = offer(...lines).mediaLines;
  if (!first) throw new Error('no m-line');
  return first;
};
const format = (
  payloadType: number,
  encoding: string,
  clockRateHz: number,
  channels = 1,
  fmtp: string | null = null,
) => ({
  payloadType,
  encoding,
  clockRateHz,
  channels,
  fmtp,
});

describe('SDP offers', () => {
  test('m-lines with everything that the answer and the recorder need', () => {
    expect(readOffer(SDP)).toEqual({
      warnings: [],
      mediaLines: [
        {
          index: 0,
          media: 'audio',
          port: 35001,
          protocol: 'RTP/AVP',
          formatTokens: ['0', '101'],
          rtpmaps: new Map([
            ['0', 'PCMU/8000'],
            ['101', 'telephone-event/8000'],
          ]),
          fmtps: new Map([['101', '0-15']]),
          formats: [format(0, 'PCMU', 8000), format(101, 'TELEPHONE-EVENT', 8000, 1, '0-15')],
          label: '0',
          direction: 'sendonly',
          held: false,
          crypto: [],
          hasFingerprint: false,
          preference: null,
        },
        {
          index: 1,
          media: 'audio',
          port: 35002,
          protocol: 'RTP/AVP',
          formatTokens: ['8'],
          rtpmaps: new Map([['8', 'PCMA/8000']]),
          fmtps: new Map(),
          formats: [format(8, 'PCMA', 8000)],
          label: '1',
          direction: 'sendonly',
          held: false,
          crypto: [],
          hasFingerprint: false,
          preference: null,
        },
      ],
    });
  });

  test('RFC 3551: static payload types without rtpmap, an rtpmap that overrides one, dynamic ones with and without', () => {
    expect(
      line(
        'm=audio 4000 RTP/AVP 9 10 18 3 96 97 98 0 abc 999',
        'a=rtpmap:96 opus/48000/2',
        'a=fmtp:96 useinbandfec=1',
        'a=rtpmap:97 L16',
        'a=rtpmap:3 FOO/16000',
      ).formats,
    ).toEqual([
      format(9, 'G722', 8000),
      format(10, 'L16', 44_100, 2),
      format(18, 'G729', 8000),
      format(3, 'FOO', 16_000),
      format(96, 'OPUS', 48_000, 2, 'useinbandfec=1'),
      format(0, 'PCMU', 8000),
    ]);
  });

  test('b= after a=, twice, and session-level attributes pasted into the m-line', () => {
    const { label, direction, formats } = line(
      'm=audio 4000 RTP/AVP 8',
      'a=sendrecv',
      'b=AS:64',
      'b=TIAS:64000',
      'a=rtpmap:8 PCMA/8000',
      'b=AS:64',
      'a=sendonly',
      'a=label:0',
    );
    expect({ label, direction, formats }).toEqual({
      label: '0',
      direction: 'sendonly',
      formats: [format(8, 'PCMA', 8000)],
    });
  });

  test.each([
    '0',
    '00',
    '10',
    '16777227',
    '4294967296',
    '12345678901234567890',
    'a_leg',
    'deadBEEF',
    '1e3',
    '-0',
    'left channel',
    'NaN',
    '0x1f',
  ])('the label %s is an opaque string', (label) => {
    expect(line('m=audio 4000 RTP/AVP 0', `a=label:${label}`).label).toBe(label);
  });

  test('spaces around a label do not belong to it; an empty label is none', () => {
    expect(line('m=audio 4000 RTP/AVP 0', 'a=label: 1 ').label).toBe('1');
    expect(line('m=audio 4000 RTP/AVP 0', 'a=label: ').label).toBe(null);
    expect(line('m=audio 4000 RTP/AVP 0').label).toBe(null);
  });

  test.each([
    ['sendonly', ['m=audio 4000 RTP/AVP 0', 'a=sendonly'], 'sendonly', false],
    ['nothing said', ['m=audio 4000 RTP/AVP 0'], 'sendrecv', false],
    ['inactive', ['m=audio 4000 RTP/AVP 0', 'a=inactive'], 'inactive', true],
    ['recvonly: nothing comes from the client', ['m=audio 4000 RTP/AVP 0', 'a=recvonly'], 'recvonly', true],
    ['session level', ['a=inactive', 'm=audio 4000 RTP/AVP 0'], 'inactive', true],
    ['media level beats session level', ['a=inactive', 'm=audio 4000 RTP/AVP 0', 'a=sendonly'], 'sendonly', false],
    ['RFC 2543 hold', ['c=IN IP4 0.0.0.0', 'm=audio 4000 RTP/AVP 0'], 'sendrecv', true],
    [
      'RFC 2543 hold of one stream',
      ['c=IN IP4 192.0.2.1', 'm=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0'],
      'sendrecv',
      true,
    ],
    ['IPv6', ['c=IN IP6 ::', 'm=audio 4000 RTP/AVP 0'], 'sendrecv', true],
    [
      'sendonly without an address is no hold',
      ['c=IN IP4 0.0.0.0', 'm=audio 4000 RTP/AVP 0', 'a=sendonly'],
      'sendonly',
      false,
    ],
  ])('direction: %s', (_name, lines, direction, held) => {
    const read = line(...lines);
    expect([read.direction, read.held]).toEqual([direction, held]);
  });

  test.each([
    ['m=audio 4000 RTP/AVP 0', null],
    ['m=audio 4000/2 RTP/AVP 0', null],
    ['m=audio 4000 RTP/AVPF 0', null],
    ['m=audio 4000 rtp/avp 0', null],
    ['m=AUDIO 4000 RTP/AVP 0', null],
    ['m=audio 0 RTP/AVP 0', 'port-zero'],
    ['m=audio x RTP/AVP 0', 'port-zero'],
    ['m=audio 4000 RTP/SAVP 0', 'srtp-without-key'],
    ['m=audio 4000 RTP/SAVPF 0', 'srtp-without-key'],
    ['m=audio 4000 UDP/TLS/RTP/SAVP 0', 'dtls-not-supported'],
    ['m=audio 4000 TCP/RTP/AVP 0', 'transport-not-supported'],
    ['m=audio 4000 RTP/AVP', 'no-formats'],
    ['m=video 4000 RTP/AVP 96', 'not-audio'],
    ['m=image 4000 udptl t38', 'not-audio'],
    ['m=application 4000 TCP/BFCP *', 'not-audio'],
    ['m=x-vendor 4000 RTP/AVP 0', 'not-audio'],
    ['m=', 'not-audio'],
  ])('%s: %s', (text, refusal) => {
    expect(refusalOf(line(text))).toBe(refusal);
  });

  test('every m-line counts, also those that make no sense', () => {
    const { mediaLines } = offer(
      'm=audio 4000 RTP/AVP 0',
      'm=???',
      'm=video 4002 RTP/AVP 96',
      'm=audio 4004 RTP/AVP 8',
      'a=label:z',
    );
    expect(mediaLines.map(({ index, media, label }) => [index, media, label])).toEqual([
      [0, 'audio', null],
      [1, '???', null],
      [2, 'video', null],
      [3, 'audio', 'z'],
    ]);
  });

  test('30 m-lines', () => {
    const lines = Array.from({ length: 30 }, (_, i) => [`m=audio ${4000 + 2 * i} RTP/AVP 0`, `a=label:${i}`]).flat();
    expect(offer(...lines).mediaLines.map((each) => each.label)).toEqual(
      Array.from({ length: 30 }, (_, i) => String(i)),
    );
  });

  test('more m-lines than anybody has', () => {
    const { mediaLines, warnings } = offer(...Array.from({ length: 300 }, () => 'm=audio 4000 RTP/AVP 0'));
    expect(mediaLines).toHaveLength(256);
    expect(warnings).toEqual([
      { code: 'sdp-too-many-streams', message: 'The SDP has 300 m-lines; only 256 were read.' },
    ]);
  });

  test('a repeated label', () => {
    expect(offer('m=audio 4000 RTP/AVP 0', 'a=label:1', 'm=audio 4002 RTP/AVP 0', 'a=label:1').warnings).toEqual([
      { code: 'label-repeated', message: 'The label 1 stands on several m-lines; they were kept apart by order.' },
    ]);
  });

  test('no SDP at all', () => {
    for (const text of ['', 'hello', 'v=0\r\n', '\0\0\0'])
      expect(readOffer(text)).toEqual({ mediaLines: [], warnings: [] });
  });

  test('fuzz: mutated offers keep their m-lines, and nothing throws', () => {
    fc.assert(
      fc.property(fc.nat(SDP.length), fc.nat(20), fc.string({ maxLength: 10 }), (at, remove, insert) => {
        const text = SDP.slice(0, at) + insert + SDP.slice(at + remove);
        const { mediaLines } = readOffer(text);
        expect(mediaLines).toHaveLength(text.split(/\r\n|\r|\n/).filter((each) => each.startsWith('m=')).length);
        for (const each of mediaLines) refusalOf(each);
      }),
      { numRuns: 1000 },
    );
  });
});
