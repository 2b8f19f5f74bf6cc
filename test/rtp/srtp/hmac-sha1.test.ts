import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HmacSha1 } from '../../../src/rtp/srtp/hmac-sha1.ts';
import { octets } from './hex.ts';

test.each([
  ['1', '0b'.repeat(20), '4869205468657265', 'b617318655057264e28bc0b6fb378c8ef146be00'],
  [
    '2',
    '4a656665',
    '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
    'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  ],
  ['3', 'aa'.repeat(20), 'dd'.repeat(50), '125d7342b9ac11cd91a39af48aa17b4f63f175d3'],
])('RFC 2202 3, test case %s', (_, key, message, digest) => {
  const buffer = Buffer.concat([octets(message), Buffer.alloc(20)]);
  new HmacSha1(octets(key)).signRtcp(buffer, 0, octets(message).length, octets(message).length, 20);
  expect(buffer.subarray(-20)).toEqual(octets(digest));
});

test('RFC 3711 4.2: the rollover counter is appended to what is authenticated, not to what is sent', () => {
  const bytes = (max: number) => fc.uint8Array({ minLength: 0, maxLength: max });
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      bytes(2000),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.constantFrom(4, 10),
      (key, message, roc, tagOctets) => {
        const counter = Buffer.alloc(4);
        counter.writeUInt32BE(roc);
        const expected = createHmac('sha1', key).update(message).update(counter).digest().subarray(0, tagOctets);
        const buffer = Buffer.concat([message, Buffer.alloc(tagOctets)]);
        const hmac = new HmacSha1(key);
        hmac.signRtp(buffer, 0, message.length, roc, message.length, tagOctets);
        expect(buffer.subarray(message.length)).toEqual(expected);
        expect(hmac.verifyRtp(buffer, 0, message.length, roc, message.length, tagOctets)).toBe(true);
        expect(hmac.verifyRtp(buffer, 0, message.length, (roc + 1) >>> 0, message.length, tagOctets)).toBe(false);
      },
    ),
    { numRuns: 200 },
  );
});

test('every octet of the tag counts', () => {
  const hmac = new HmacSha1(Buffer.alloc(20, 7));
  const buffer = Buffer.alloc(30);
  hmac.signRtcp(buffer, 0, 20, 20, 10);
  for (let at = 20; at < 30; at++) {
    const wrong = Buffer.from(buffer);
    wrong[at] = wrong[at]! ^ 0x80;
    expect(hmac.verifyRtcp(wrong, 0, 20, 20, 10)).toBe(false);
  }
  expect(hmac.verifyRtcp(buffer, 0, 20, 20, 10)).toBe(true);
});
