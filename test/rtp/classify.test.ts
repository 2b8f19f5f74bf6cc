import { expect, test } from 'vitest';
import { classifyDatagram, type DatagramKind } from '../../src/rtp/classify.ts';

const classify = (...octets: number[]) => classifyDatagram(Uint8Array.from(octets), 0, octets.length);

/** Neighbours of the same kind put together: `[first, last, kind]`. */
function ranges(kindOf: (octet: number) => DatagramKind): [number, number, DatagramKind][] {
  const found: [number, number, DatagramKind][] = [];
  for (let octet = 0; octet < 256; octet++) {
    const kind = kindOf(octet);
    const last = found.at(-1);
    if (last?.[2] === kind) last[1] = octet;
    else found.push([octet, octet, kind]);
  }
  return found;
}

test('first octet (RFC 7983 §7)', () => {
  expect(ranges((first) => classify(first, 0))).toEqual([
    [0, 3, 'stun'],
    [4, 15, 'noise'],
    [16, 19, 'zrtp'],
    [20, 63, 'dtls'],
    [64, 79, 'turn'],
    [80, 127, 'noise'],
    [128, 191, 'rtp'],
    [192, 255, 'noise'],
  ]);
});

test('second octet (RFC 5761 §4)', () => {
  expect(ranges((second) => classify(0x80, second))).toEqual([
    [0, 191, 'rtp'],
    [192, 223, 'rtcp'],
    [224, 255, 'rtp'],
  ]);
});

test('the second octet tells RTCP for every first octet of version 2, and for no other', () => {
  expect(ranges((first) => classify(first, 200)).filter(([, , kind]) => kind === 'rtcp')).toEqual([[128, 191, 'rtcp']]);
});

test.each([
  ['STUN binding request', [0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42], 'stun'],
  ['ZRTP hello', [0x10, 0x00, 0x00, 0x01, 0x5a, 0x52, 0x54, 0x50], 'zrtp'],
  ['DTLS client hello', [0x16, 0xfe, 0xff], 'dtls'],
  ['TURN channel data', [0x40, 0x00, 0x00, 0x04], 'turn'],
  ['RTP, PCMU with marker', [0x80, 0x80], 'rtp'],
  ['RTP, payload type 127 with marker', [0x80, 0xff], 'rtp'],
  ['RTCP sender report', [0x80, 200], 'rtcp'],
  ['RTCP extended report', [0x80, 207], 'rtcp'],
  ['CRLF keepalive', [0x0d, 0x0a, 0x0d, 0x0a], 'noise'],
  ['T.38 or a scan', [0xff, 0xff], 'noise'],
  ['one octet', [0x80], 'noise'],
  ['nothing', [], 'noise'],
] as const)('%s', (_name, octets, kind) => {
  expect(classify(...octets)).toBe(kind);
});

test('looks at the datagram only, not at the buffer around it', () => {
  const buffer = Uint8Array.of(0x80, 0x00, 0x16, 0xfe, 0x80, 200, 0x00);
  expect(classifyDatagram(buffer, 2, 4)).toBe('dtls');
  expect(classifyDatagram(buffer, 4, 7)).toBe('rtcp');
  expect(classifyDatagram(buffer, 4, 5)).toBe('noise');
  expect(classifyDatagram(buffer, 4, 4)).toBe('noise');
});
