import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AesCounterMode } from '../../../src/rtp/srtp/aes-cm.ts';
import { MAX_PACKET_OCTETS } from '../../../src/rtp/srtp/packet-view.ts';
import { octets } from './hex.ts';

/** What it makes of zeros. */
function keyStream(cipher: AesCounterMode, length: number, ssrc = 0, high = 0, low = 0): Buffer {
  const into = Buffer.alloc(length);
  cipher.apply(Buffer.alloc(length), 0, length, into, 0, ssrc, high, low);
  return into;
}

test.each([
  {
    source: 'RFC 3711 B.2',
    key: '2B7E151628AED2A6ABF7158809CF4F3C',
    expected: 'E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0',
  },
  {
    source: 'RFC 6188 7.1',
    key: '57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98',
    expected: '92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31',
  },
  {
    source: 'RFC 6188 7.3',
    key: 'eab234764e517b2d3d160d587d8c86219740f65f99b6bcf7',
    expected: '35096cba4610028dc1b57503804ce37c 5de986291dcce161d5165ec4568f5c9a 474a40c77894bc17180202272a4c264d',
  },
])('$source: the first three blocks of the key stream', ({ key, expected }) => {
  const cipher = new AesCounterMode(octets(key), octets('F0F1F2F3F4F5F6F7F8F9FAFBFCFD'));
  expect(keyStream(cipher, 48)).toEqual(octets(expected));
  expect(keyStream(cipher, 21), 'a part of a block').toEqual(octets(expected).subarray(0, 21));
});

test('agrees with the counter mode of node:crypto for every SSRC, index and length', () => {
  const key = octets('2B7E151628AED2A6ABF7158809CF4F3C');
  const salt = octets('F0F1F2F3F4F5F6F7F8F9FAFBFCFD');
  const cipher = new AesCounterMode(key, salt);
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
  const lengths = fc.oneof(
    fc.integer({ min: 1, max: 300 }),
    fc.constantFrom(16, 160, 4096, 4097, 40_000, MAX_PACKET_OCTETS),
  );
  fc.assert(
    fc.property(uint32, uint32, fc.integer({ min: 0, max: 0xffff }), lengths, (ssrc, high, low, length) => {
      const block = Buffer.alloc(16);
      block.writeUInt32BE(ssrc, 4);
      block.writeUInt32BE(high, 8);
      block.writeUInt16BE(low, 12);
      salt.forEach((octet, at) => {
        block[at] = block[at]! ^ octet;
      });
      const expected = createCipheriv('aes-128-ctr', key, block).update(Buffer.alloc(length));
      expect(keyStream(cipher, length, ssrc, high, low).equals(expected)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('writes nothing but the octets asked for', () => {
  const cipher = new AesCounterMode(octets('2B7E151628AED2A6ABF7158809CF4F3C'), Buffer.alloc(14));
  const into = Buffer.alloc(12, 0xaa);
  cipher.apply(Buffer.alloc(20), 4, 8, into, 3, 1, 2, 3);
  expect(into.subarray(0, 3)).toEqual(Buffer.alloc(3, 0xaa));
  expect(into.subarray(7)).toEqual(Buffer.alloc(5, 0xaa));
  const untouched = Buffer.alloc(4, 0xaa);
  cipher.apply(Buffer.alloc(4), 2, 2, untouched, 0, 1, 2, 3);
  expect(untouched).toEqual(Buffer.alloc(4, 0xaa));
});
