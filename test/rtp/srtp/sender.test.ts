import { expect, test } from 'vitest';
import { createSrtpContext } from '../../../src/rtp/srtp/context.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS } from '../../../src/rtp/srtp/sender.ts';
import { masterKey, protectRtcp, protectRtp, rtcp, rtp, unprotectRtp } from './packets.ts';

const CM = 'AES_CM_128_HMAC_SHA1_80';

test('the SRTCP index rises with every packet, whatever its SSRC, and says that it is encrypted', () => {
  const sender = createSrtpSender(masterKey(CM, 'a'));
  const words = [1, 1, 2].map((ssrc) => protectRtcp(sender, rtcp(ssrc)).readUInt32BE(28));
  expect(words).toEqual([0x8000_0001, 0x8000_0002, 0x8000_0003]);
});

test('the rollover counter follows the numbers; a late packet keeps the one it had', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key], { rocSearch: 1 });
  for (const sequenceNumber of [65_534, 0, 65_535, 1, 20_000]) {
    expect(unprotectRtp(context, protectRtp(sender, rtp(sequenceNumber)))).toEqual(rtp(sequenceNumber));
  }
  expect(unprotectRtp(context, protectRtp(sender, rtp(65_000))), 'authentic, but too old').toBe('srtpReplay');
  expect(unprotectRtp(context, protectRtp(sender, rtp(33_000)))).toEqual(rtp(33_000));
});

test('RFC 3711 9.2: a key is not used beyond its lifetime', () => {
  const into = Buffer.alloc(172 + MAX_OVERHEAD_OCTETS);
  const sender = createSrtpSender(masterKey(CM, 'a', { lifetime: 2 }));
  const packet = rtp(1);
  const report = rtcp();
  const outcomes = [1, 2, 3].map(() => [
    sender.protectRtp(packet, 0, packet.length, into),
    sender.protectRtcp(report, 0, report.length, into),
  ]);
  expect(outcomes).toEqual([
    [182, 42],
    [182, 42],
    ['srtpKeyUsedUp', 'srtpKeyUsedUp'],
  ]);
});

test('what is no packet, or does not fit, is refused', () => {
  const sender = createSrtpSender(masterKey(CM, 'a'));
  const into = Buffer.alloc(181);
  expect(sender.protectRtp(rtp(1), 0, 11, into)).toBe('srtpTooShort');
  expect(sender.protectRtcp(rtcp(), 0, 7, into)).toBe('srtpTooShort');
  expect(sender.protectRtp(rtp(1), 0, 172, into)).toBe('srtpTooLarge');
  expect(sender.protectRtcp(rtcp(), 0, 28, Buffer.alloc(41))).toBe('srtpTooLarge');
  expect(() => createSrtpSender({ ...masterKey(CM, 'a'), masterSalt: Buffer.alloc(12) })).toThrow(RangeError);
});
