import { isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatHostPort, formatIpAddress, parseIpAddress } from '../../src/journal/ip-address.ts';

const hexOf = (address: string) => {
  const octets = parseIpAddress(address);
  return octets && Buffer.from(octets).toString('hex');
};
const textOf = (hex: string) => formatIpAddress(Buffer.from(hex, 'hex'), 0, hex.length / 2);

describe('text to octets', () => {
  test.each([
    ['192.0.2.1', 'c0000201'],
    ['0.0.0.0', '00000000'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['2001:db8::8:800:200c:417a', '20010db80000000000080800200c417a'],
    ['2001:DB8:0:0:8:800:200C:417A', '20010db80000000000080800200c417a'],
    ['ff01::101', 'ff010000000000000000000000000101'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:13.1.68.3', '0001000200030004000500060d014403'],
    // IPv4 on a dual-stack socket.
    ['::ffff:192.0.2.1', 'c0000201'],
    ['::ffff:c000:201', 'c0000201'],
    ['fe80::1%eth0', 'fe800000000000000000000000000001'],
    ['::ffff:192.0.2.1%2', 'c0000201'],
  ])('%s (RFC 4291 §2.2)', (address, octets) => {
    expect(hexOf(address)).toBe(octets);
  });

  test.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.1%eth0',
    '1::2::3',
    '[::1]',
    ':::',
    '12345::',
    '::1 ',
  ])('"%s" is no address', (text) => {
    expect(parseIpAddress(text)).toBeNull();
  });
});

describe('octets to text', () => {
  test.each([
    ['c0000201', '192.0.2.1'],
    ['00000000', '0.0.0.0'],
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['00010000000000000000000000000000', '1::'],
    // RFC 5952: no leading zeros (4.1), no single group shortened (4.2.2), the longest run (4.2.3), the first of equals, lower case (4.3).
    ['20010db8000000000000000000000001', '2001:db8::1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010000000000010000000000000001', '2001:0:0:1::1'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['ABCD00EF000100020003000400050006', 'abcd:ef:1:2:3:4:5:6'],
    ['00000000000100020003000400000000', '::1:2:3:4:0:0'],
    ['00010002000300040005000600000000', '1:2:3:4:5:6::'],
    ['00010002000300040005000600070000', '1:2:3:4:5:6:7:0'],
  ])('%s: %s', (octets, text) => {
    expect(textOf(octets)).toBe(text);
  });

  test('from within a buffer', () => {
    expect(formatIpAddress(Uint8Array.of(9, 9, 192, 0, 2, 1, 9), 2, 4)).toBe('192.0.2.1');
  });

  test('any IPv6 address: as the URL standard writes it, and back', () => {
    const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(0xffff) });
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const octets = Buffer.from(groups.flatMap((value) => [value >> 8, value & 255]));
        const text = formatIpAddress(octets, 0, 16);
        expect(isIPv6(text)).toBe(true);
        const long = groups.map((value) => value.toString(16)).join(':');
        expect(`[${text}]`).toBe(new URL(`http://[${long}]/`).hostname);
        const isMapped = octets.subarray(0, 12).toString('hex') === '00000000000000000000ffff';
        expect(hexOf(text)).toBe(octets.subarray(isMapped ? 12 : 0).toString('hex'));
      }),
      { numRuns: 500 },
    );
  });

  test('any IPv4 address, and back', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(textOf(hexOf(address)!)).toBe(address);
      }),
    );
  });
});

test('host and port', () => {
  expect([formatHostPort('192.0.2.1', 5060), formatHostPort('::1', 5060)]).toEqual(['192.0.2.1:5060', '[::1]:5060']);
});
