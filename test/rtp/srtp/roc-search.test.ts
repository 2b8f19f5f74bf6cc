// Joining a stream whose rollover counter nobody tells us, and finding it again after a pause.
import { expect, test } from 'vitest';
import { createSrtpContext } from '../../../src/rtp/srtp/context.ts';
import { createSrtpSender } from '../../../src/rtp/srtp/sender.ts';
import { advanceTo, masterKey, protectRtp, rtp, unprotectRtp } from './packets.ts';

const CM = 'AES_CM_128_HMAC_SHA1_80';
const SSRC = 0xcafe_babe;

test.each([
  [CM, 1],
  [CM, 3],
  [CM, 255],
  ['AES_CM_128_HMAC_SHA1_32', 17],
  ['AEAD_AES_128_GCM', 40],
] as const)('%s: the first packet that we hear has rollover counter %i', (suite, roc) => {
  const key = masterKey(suite, 'a');
  const sender = createSrtpSender(key);
  advanceTo(sender, roc);
  const context = createSrtpContext([key]);
  expect(unprotectRtp(context, protectRtp(sender, rtp(1000)))).toEqual(rtp(1000));
  expect(context.rolloverCounter(SSRC)).toBe(roc);
  expect(unprotectRtp(context, protectRtp(sender, rtp(1001)))).toEqual(rtp(1001));
});

test('the first packet stands at the wrap, and the one before it comes after it', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  advanceTo(sender, 5);
  for (const sequenceNumber of [30_000, 60_000]) protectRtp(sender, rtp(sequenceNumber));
  const before = protectRtp(sender, rtp(65_535));
  const after = protectRtp(sender, rtp(0));
  const context = createSrtpContext([key]);
  expect(unprotectRtp(context, after)).toEqual(rtp(0));
  expect(context.rolloverCounter(SSRC)).toBe(6);
  expect(unprotectRtp(context, before)).toEqual(rtp(65_535));
  expect(unprotectRtp(context, protectRtp(sender, rtp(1)))).toEqual(rtp(1));
});

test('with several crypto lines both are unknown, and both are found', () => {
  const lines = ['1', '2', '3', '4'].map((name) => masterKey(CM, name));
  const sender = createSrtpSender(lines[2]!);
  advanceTo(sender, 9);
  const context = createSrtpContext(lines);
  expect(unprotectRtp(context, protectRtp(sender, rtp(1)))).toEqual(rtp(1));
  expect(context.rolloverCounter(SSRC)).toBe(9);
});

test('the search has an end', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  advanceTo(sender, 4);
  const packet = protectRtp(sender, rtp(1));
  expect(unprotectRtp(createSrtpContext([key], { rocSearch: 4 }), packet), '0 to 3').toBe('srtpAuth');
  expect(unprotectRtp(createSrtpContext([key], { rocSearch: 5 }), packet), '0 to 4').toEqual(rtp(1));
  const many = Array.from({ length: 32 }, (_, n) => masterKey(CM, `${n}`));
  const last = createSrtpSender(many[31]!);
  advanceTo(last, 32);
  expect(unprotectRtp(createSrtpContext(many), protectRtp(last, rtp(1))), '32 keys leave 32 counters').toBe('srtpAuth');
});

test('a search that found nothing is repeated less and less often, but never given up', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  advanceTo(sender, 2);
  const forger = createSrtpSender(masterKey(CM, 'forger'));
  const context = createSrtpContext([key]);
  const late = (n: number) => unprotectRtp(context, protectRtp(sender, rtp(n)));
  // Searches run at failures 1, 3, 6, 11, 20, 37, 70, 135, 200, …
  for (let n = 0; n < 135; n++) expect(unprotectRtp(context, protectRtp(forger, rtp(n, { ssrc: 1 })))).toBe('srtpAuth');
  let waited = 0;
  while (waited < 200 && late(waited) === 'srtpAuth') waited++;
  expect(waited).toBe(64);
  expect(late(waited + 1), 'from now on without a search').toEqual(rtp(waited + 1));

  const second = createSrtpSender(key);
  advanceTo(second, 2, 2);
  for (let n = 0; n < 2; n++) expect(unprotectRtp(context, protectRtp(forger, rtp(n, { ssrc: 3 })))).toBe('srtpAuth');
  const found = unprotectRtp(context, protectRtp(second, rtp(1, { ssrc: 2 })));
  expect(found, 'a success makes the pauses short again').toEqual(rtp(1, { ssrc: 2 }));
});

test('a pause of more than 32768 packets: the stream is found again where it has got to', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key]);
  const old = protectRtp(sender, rtp(50_000));
  expect(unprotectRtp(context, old)).toEqual(rtp(50_000));
  // The nearest index to 50000 with sequence number 40000 lies behind it; the true one is 65536 ahead of that.
  for (const sequenceNumber of [10_000, 40_000]) protectRtp(sender, rtp(sequenceNumber));
  expect(unprotectRtp(context, protectRtp(sender, rtp(40_001)))).toEqual(rtp(40_001));
  expect(context.rolloverCounter(SSRC)).toBe(1);
  for (const sequenceNumber of [65_000, 30_000, 60_000, 20_000, 50_000]) protectRtp(sender, rtp(sequenceNumber));
  expect(unprotectRtp(context, protectRtp(sender, rtp(50_001)))).toEqual(rtp(50_001));
  expect(context.rolloverCounter(SSRC)).toBe(3);
  expect(unprotectRtp(context, old), 'only forward: an old packet stays old').toBe('srtpAuth');
});

test('an old packet is not taken for one ahead, nor found by searching', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key]);
  const old = protectRtp(sender, rtp(10));
  for (const sequenceNumber of [11, 30_000, 50_000]) {
    const packet = protectRtp(sender, rtp(sequenceNumber));
    expect(unprotectRtp(context, packet)).toEqual(rtp(sequenceNumber));
  }
  expect(unprotectRtp(context, old)).toBe('srtpAuth');
  expect(unprotectRtp(context, protectRtp(sender, rtp(50_001)))).toEqual(rtp(50_001));
});

test('within one turn of the sequence number nothing need be guessed', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key], { rocSearch: 1 });
  expect(unprotectRtp(context, protectRtp(sender, rtp(100)))).toEqual(rtp(100));
  protectRtp(sender, rtp(30_000));
  // 65000 after 100 looks like the number before the first; there is none before it.
  const ahead = protectRtp(sender, rtp(60_000));
  expect(unprotectRtp(context, ahead)).toBe('srtpAuth');
  expect(unprotectRtp(createSrtpContext([key]), ahead)).toEqual(rtp(60_000));
});
