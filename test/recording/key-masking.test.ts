import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskKeys } from '../../src/recording/key-masking.ts';

const masked = (text: string) => Buffer.from(maskKeys(Buffer.from(text, 'latin1'))).toString('latin1');

describe('keys in SIP messages', () => {
  test.each([
    ['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc+/=\r\n', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:******\r\n'],
    [
      'a=crypto:1 X inline:abc|2^20|1:4;inline:def|2^20|2:4 KDR=1\r\n',
      'a=crypto:1 X inline:***|2^20|1:4;inline:***|2^20|2:4 KDR=1\r\n',
    ],
    ['A=CRYPTO:1 X INLINE:abc\n', 'A=CRYPTO:1 X INLINE:***\n'],
    ['a=crypto:1 X inline:ab=\r\ncd=3D\r\nm=audio', 'a=crypto:1 X inline:***\r\n*****\r\nm=audio'],
    ['a=key-mgmt:mikey AQAFgM0X\r\nb', 'a=key-mgmt:mikey ********\r\nb'],
    ['v=0\r\nk=base64:c2VjcmV0\r\n', 'v=0\r\nk=base64:********\r\n'],
  ])('%j', (text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  test('a message without keys is left as it is, octet for octet', () => {
    const message = Buffer.from('INVITE sip:x SIP/2.0\r\nContent-Disposition: inline\r\n\r\nµ\u0000\xff', 'latin1');
    expect(maskKeys(message)).toBe(message);
  });

  test('no message changes its length, and no key survives', () => {
    const key = fc.stringMatching(/^[A-Za-z0-9+/]{8,40}={0,2}$/);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), key, fc.uint8Array({ maxLength: 60 }), (before, secret, after) => {
        const message = Buffer.concat([before, Buffer.from(`\r\na=crypto:1 X inline:${secret}|2^31\r\n`), after]);
        const result = Buffer.from(maskKeys(message));
        expect(result.length).toBe(message.length);
        expect(result.includes(`inline:${secret}`)).toBe(false);
      }),
    );
  });
});
