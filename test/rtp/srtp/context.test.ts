import { describe, expect, test } from 'vitest';
import { createSrtpContext, MAX_MASTER_KEYS } from '../../../src/rtp/srtp/context.ts';
import { createSrtpSender } from '../../../src/rtp/srtp/sender.ts';
import { MAX_SSRCS } from '../../../src/rtp/srtp/source-table.ts';
import { octets } from './hex.ts';
import { masterKey, protectRtcp, protectRtp, rtcp, rtp, SUITES, unprotectRtcp, unprotectRtp } from './packets.ts';

const CM = 'AES_CM_128_HMAC_SHA1_80';
const GCM = 'AEAD_AES_128_GCM';

describe('reference packets of libsrtp (test/srtp_driver.c, srtp_validate…)', () => {
  const plainRtp = octets('800f1234decafbad cafebabe abababab abababab abababab abababab');
  const plainRtcp = octets('81c8000bcafebabe abababab abababab abababab abababab');

  test.each([
    {
      suite: CM,
      key: 'e1f97a0d3e018be0d64fa32c06de4139',
      salt: '0ec675ad498afeebb6960b3aabe6',
      srtp: '800f1234decafbad cafebabe4e55dc4c e79978d88ca4d215 949d2402b78d6acc 99ea179b8dbb',
      srtcp: '81c8000bcafebabe 7128035be487b9bd bef89041f977a5a8 80000001993e08cd 54d6c1230798',
    },
    {
      suite: 'AES_256_CM_HMAC_SHA1_80',
      key: 'f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6',
      salt: '3b04803de51ee7c96423ab5b78d2',
      srtp: '800f1234decafbad cafebabef1d9de17 ff251ff1aa007774 b0b4b40da08d9d9a 5b3a55d8873b',
      srtcp: null,
    },
    {
      suite: GCM,
      key: '000102030405060708090a0b0c0d0e0f',
      salt: 'a0a1a2a3a4a5a6a7a8a9aaab',
      srtp: `800f1234decafbad cafebabec5002ede 04cfdd2eb91159e0 880aa06ed2976826 f796b201df3131a1
        27e8a392`,
      srtcp: `81c8000bcafebabe c98b8b5df0392a55 852b6c21ac8e7025 c52c6fbea2b3b446 ea31123ba88ce61e
        80000001`,
    },
  ] as const)('$suite', ({ suite, key, salt, srtp, srtcp }) => {
    const master = { suite, masterKey: octets(key), masterSalt: octets(salt) };
    const sender = createSrtpSender(master);
    const context = createSrtpContext([master]);
    expect(protectRtp(sender, plainRtp)).toEqual(octets(srtp));
    expect(unprotectRtp(context, octets(srtp))).toEqual(plainRtp);
    if (srtcp === null) return;
    expect(protectRtcp(sender, plainRtcp)).toEqual(octets(srtcp));
    expect(unprotectRtcp(context, octets(srtcp))).toEqual(plainRtcp);
  });
});

describe.each(SUITES)('%s', (suite) => {
  test('RTP and RTCP come out as they went in, with CSRCs, extension and padding', () => {
    const key = masterKey(suite, 'a');
    const sender = createSrtpSender(key);
    const context = createSrtpContext([key]);
    const odd = octets(`b2 88 0001 00000064 cafebabe 11111111 22222222 bede0001 10ff0000 0102030405 000003`);
    const empty = rtp(2, { payload: Buffer.alloc(0) });
    for (const packet of [odd, empty, rtp(3)]) {
      const sent = protectRtp(sender, packet);
      expect(unprotectRtp(context, sent)).toEqual(packet);
    }
    expect(protectRtp(sender, odd).subarray(0, 28), 'header, CSRCs and extension stay readable').toEqual(
      odd.subarray(0, 28),
    );
    expect(protectRtp(sender, rtp(4)).subarray(12, 172)).not.toEqual(rtp(4).subarray(12));
    for (let n = 0; n < 3; n++) expect(unprotectRtcp(context, protectRtcp(sender, rtcp()))).toEqual(rtcp());
    expect(context.suite).toBe(suite);
  });

  test('another key, a changed octet, a second time: nothing comes out', () => {
    const sender = createSrtpSender(masterKey(suite, 'a'));
    const context = createSrtpContext([masterKey(suite, 'a')]);
    const stranger = createSrtpContext([masterKey(suite, 'b')]);
    const sent = protectRtp(sender, rtp(1));
    const report = protectRtcp(sender, rtcp());
    expect(unprotectRtp(stranger, sent)).toBe('srtpAuth');
    expect(unprotectRtcp(stranger, report)).toBe('srtpAuth');
    expect(stranger.suite).toBeNull();
    expect(unprotectRtp(context, sent)).toEqual(rtp(1));
    expect(unprotectRtp(context, sent)).toBe('srtpReplay');
    expect(unprotectRtcp(context, report)).toEqual(rtcp());
    expect(unprotectRtcp(context, report)).toBe('srtpReplay');
    const another = protectRtp(sender, rtp(2));
    for (let at = 0; at < another.length; at++) {
      const wrong = Buffer.from(another);
      wrong[at] = wrong[at]! ^ 0x01;
      expect(unprotectRtp(context, wrong)).toBeTypeOf('string');
    }
    expect(unprotectRtp(context, another)).toEqual(rtp(2));
  });

  test('too short for what the suite adds, or for its own header', () => {
    const sender = createSrtpSender(masterKey(suite, 'a'));
    const context = createSrtpContext([masterKey(suite, 'a')]);
    const sent = protectRtp(sender, rtp(1, { payload: Buffer.alloc(0) }));
    const report = protectRtcp(sender, rtcp().subarray(0, 8));
    for (let octets = 0; octets < sent.length; octets++) {
      expect(unprotectRtp(context, sent.subarray(0, octets))).toBe('srtpTooShort');
    }
    for (let octets = 0; octets < report.length; octets++) {
      expect(unprotectRtcp(context, report.subarray(0, octets))).toBe('srtpTooShort');
    }
    const csrcs = Buffer.from(sent);
    csrcs[0] = 0x8f;
    expect(unprotectRtp(context, csrcs)).toBe('srtpTooShort');
    expect(unprotectRtp(context, sent)).toEqual(rtp(1, { payload: Buffer.alloc(0) }));
    expect(unprotectRtcp(context, report)).toEqual(rtcp().subarray(0, 8));
  });

  test('the sequence number wraps, and packets change places over the wrap', () => {
    const key = masterKey(suite, 'a');
    const sender = createSrtpSender(key);
    const context = createSrtpContext([key]);
    const sent = [65_533, 65_534, 65_535, 0, 1, 2].map((sequenceNumber) => protectRtp(sender, rtp(sequenceNumber)));
    for (const [at, sequenceNumber, roc] of [
      [0, 65_533, 0],
      [3, 0, 1],
      [2, 65_535, 1],
      [5, 2, 1],
      [1, 65_534, 1],
      [4, 1, 1],
    ] as const) {
      expect(unprotectRtp(context, sent[at]!)).toEqual(rtp(sequenceNumber));
      expect(context.rolloverCounter(0xcafe_babe)).toBe(roc);
    }
    expect(sent.map((packet) => unprotectRtp(context, packet))).toEqual(sent.map(() => 'srtpReplay'));
  });
});

test('SSRCs have counters and windows of their own', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key]);
  for (const sequenceNumber of [65_535, 0]) {
    for (const ssrc of [1, 2, 0xffff_ffff]) {
      const packet = rtp(sequenceNumber, { ssrc });
      expect(unprotectRtp(context, protectRtp(sender, packet))).toEqual(packet);
    }
  }
  expect(unprotectRtp(context, protectRtp(sender, rtp(9, { ssrc: 3 })))).toEqual(rtp(9, { ssrc: 3 }));
  expect([1, 2, 0xffff_ffff, 3, 4].map((ssrc) => context.rolloverCounter(ssrc))).toEqual([1, 1, 1, 0, null]);
});

test('only so many SSRCs are remembered; the one that was heard first gives way and may come back', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key]);
  for (const sequenceNumber of [65_535, 0]) unprotectRtp(context, protectRtp(sender, rtp(sequenceNumber, { ssrc: 0 })));
  const again = protectRtp(sender, rtp(1, { ssrc: 0 }));
  for (let ssrc = 1; ssrc <= MAX_SSRCS; ssrc++) {
    const own = createSrtpSender(key);
    expect(unprotectRtp(context, protectRtp(own, rtp(7, { ssrc })))).toEqual(rtp(7, { ssrc }));
  }
  expect(context.rolloverCounter(0)).toBeNull();
  expect(context.rolloverCounter(MAX_SSRCS)).toBe(0);
  expect(unprotectRtp(context, again), 'found again by its rollover counter').toEqual(rtp(1, { ssrc: 0 }));
  expect(context.rolloverCounter(0)).toBe(1);
});

test('forged packets take nobody’s place', () => {
  const key = masterKey(CM, 'a');
  const sender = createSrtpSender(key);
  const context = createSrtpContext([key]);
  unprotectRtp(context, protectRtp(sender, rtp(1)));
  const forger = createSrtpSender(masterKey(CM, 'forger'));
  for (let ssrc = 1; ssrc <= 2 * MAX_SSRCS; ssrc++) {
    expect(unprotectRtp(context, protectRtp(forger, rtp(1, { ssrc })))).toBe('srtpAuth');
    expect(context.rolloverCounter(ssrc)).toBeNull();
  }
  expect(context.rolloverCounter(0xcafe_babe)).toBe(0);
});

describe('session parameters', () => {
  test('UNENCRYPTED_SRTP and UNENCRYPTED_SRTCP: authenticated, readable', () => {
    const key = masterKey(CM, 'a', { parameters: { unencryptedRtp: true, unencryptedRtcp: true } });
    const sender = createSrtpSender(key);
    const context = createSrtpContext([key]);
    const sent = protectRtp(sender, rtp(1));
    const report = protectRtcp(sender, rtcp());
    expect(sent.subarray(0, 172)).toEqual(rtp(1));
    expect(report.subarray(0, 32)).toEqual(Buffer.concat([rtcp(), octets('00000001')]));
    const forged = Buffer.from(sent);
    forged[50] = forged[50]! ^ 1;
    expect(unprotectRtp(context, forged)).toBe('srtpAuth');
    expect(unprotectRtp(context, sent)).toEqual(rtp(1));
    expect(unprotectRtcp(context, report)).toEqual(rtcp());
  });

  test('the E bit decides for each RTCP packet, whatever was agreed', () => {
    const sender = createSrtpSender(masterKey(GCM, 'a', { parameters: { unencryptedRtcp: true } }));
    const context = createSrtpContext([masterKey(GCM, 'a')]);
    expect(unprotectRtcp(context, protectRtcp(sender, rtcp()))).toEqual(rtcp());
  });

  test('UNAUTHENTICATED_SRTP: no tag on RTP, so anything opens; replays and RTCP are still refused', () => {
    const key = masterKey(CM, 'a', { parameters: { unauthenticatedRtp: true } });
    const sender = createSrtpSender(key);
    const context = createSrtpContext([key]);
    const sent = protectRtp(sender, rtp(1));
    expect(sent.length).toBe(172);
    expect(unprotectRtp(context, sent)).toEqual(rtp(1));
    expect(unprotectRtp(context, sent)).toBe('srtpReplay');
    expect(unprotectRtp(context, protectRtp(sender, rtp(2)))).toEqual(rtp(2));
    expect(unprotectRtp(context, protectRtp(sender, rtp(65_000))), 'from before the first').toBe('srtpAuth');
    const report = protectRtcp(sender, rtcp());
    report[12] = report[12]! ^ 1;
    expect(unprotectRtcp(context, report)).toBe('srtpAuth');
  });

  test('RFC 7714 suites encrypt and authenticate whatever is asked', () => {
    const sender = createSrtpSender(
      masterKey(GCM, 'a', { parameters: { unencryptedRtp: true, unauthenticatedRtp: true } }),
    );
    const sent = protectRtp(sender, rtp(1));
    expect(sent.length).toBe(172 + 16);
    expect(unprotectRtp(createSrtpContext([masterKey(GCM, 'a')]), sent)).toEqual(rtp(1));
  });

  test('KDR: new session keys every so many packets, also for packets that come late over the change', () => {
    const key = masterKey(CM, 'a', { parameters: { keyDerivationRate: 16 } });
    const sender = createSrtpSender(key);
    const context = createSrtpContext([key]);
    const sent = Array.from({ length: 64 }, (_, n) => protectRtp(sender, rtp(n)));
    const order = sent.map((_, n) => (n % 16 === 15 ? n + 1 : n > 0 && n % 16 === 0 ? n - 1 : n)).filter((n) => n < 64);
    for (const n of order) expect(unprotectRtp(context, sent[n]!), `packet ${n}`).toEqual(rtp(n));
    for (let n = 0; n < 40; n++) expect(unprotectRtcp(context, protectRtcp(sender, rtcp()))).toEqual(rtcp());

    const once = createSrtpContext([masterKey(CM, 'a')]);
    expect(unprotectRtp(once, sent[0]!), 'the first derivation is the same as without KDR').toEqual(rtp(0));
    expect(unprotectRtp(once, sent[16]!)).toBe('srtpAuth');
  });
});

describe('master key identifiers', () => {
  test('one of several master keys, chosen by the packet; the index goes on', () => {
    const first = masterKey(CM, 'first', { mki: octets('00000001') });
    const second = masterKey(CM, 'second', { mki: octets('00000002') });
    const context = createSrtpContext([first, second]);
    const [before, after] = [createSrtpSender(first), createSrtpSender(second)];
    for (const sequenceNumber of [65_534, 65_535, 0, 1]) {
      protectRtp(after, rtp(sequenceNumber));
      expect(unprotectRtp(context, protectRtp(before, rtp(sequenceNumber)))).toEqual(rtp(sequenceNumber));
    }
    const late = protectRtp(before, rtp(2));
    expect(late.subarray(-14, -10)).toEqual(octets('00000001'));
    expect(unprotectRtp(context, protectRtp(after, rtp(3)))).toEqual(rtp(3));
    expect(unprotectRtp(context, late)).toEqual(rtp(2));
    expect(unprotectRtp(context, protectRtp(after, rtp(4)))).toEqual(rtp(4));
    expect(unprotectRtp(context, protectRtp(before, rtp(4))), 'one window for both keys').toBe('srtpReplay');
    expect(unprotectRtcp(context, protectRtcp(before, rtcp()))).toEqual(rtcp());
    protectRtcp(after, rtcp());
    expect(unprotectRtcp(context, protectRtcp(after, rtcp()))).toEqual(rtcp());
  });

  test.each([CM, GCM] as const)('%s: an identifier of any length, at its place; another is refused', (suite) => {
    for (const length of [1, 4, 32, 128]) {
      const key = masterKey(suite, 'a', { mki: Buffer.alloc(length, 0x42) });
      const sender = createSrtpSender(key);
      const context = createSrtpContext([key]);
      const sent = protectRtp(sender, rtp(1));
      const report = protectRtcp(sender, rtcp());
      expect(unprotectRtp(context, sent)).toEqual(rtp(1));
      expect(unprotectRtcp(context, report)).toEqual(rtcp());
      const [mkiAt, reportMkiAt] = suite === GCM ? [sent.length - 1, report.length - 1] : [172, 32];
      sent[mkiAt] = 0x43;
      report[reportMkiAt] = 0x43;
      expect(unprotectRtp(context, sent)).toBe('srtpMki');
      expect(unprotectRtcp(context, report)).toBe('srtpMki');
      expect(unprotectRtp(createSrtpContext([key]), sent)).toBe('srtpMki');
    }
  });
});

describe('several keys without identifier: we do not know which crypto line the sender’s peer has chosen', () => {
  const lines = [
    masterKey('AEAD_AES_256_GCM', 'line 1'),
    masterKey('AES_256_CM_HMAC_SHA1_80', 'line 2'),
    masterKey('AES_CM_128_HMAC_SHA1_80', 'line 3'),
    // Some phones repeat one key under two suites.
    { ...masterKey('AES_CM_128_HMAC_SHA1_80', 'line 3'), suite: 'AES_CM_128_HMAC_SHA1_32' as const },
  ];

  test.each(lines.map((line, n) => [n + 1, line] as const))('line %i is found by its first packet', (_, line) => {
    const sender = createSrtpSender(line);
    const context = createSrtpContext(lines);
    for (let n = 0; n < 3; n++) expect(unprotectRtp(context, protectRtp(sender, rtp(n)))).toEqual(rtp(n));
    expect(context.suite).toBe(line.suite);
    expect(unprotectRtcp(context, protectRtcp(sender, rtcp()))).toEqual(rtcp());
    expect(unprotectRtp(context, protectRtp(sender, rtp(9, { ssrc: 5 })))).toEqual(rtp(9, { ssrc: 5 }));
  });

  test('by an RTCP packet just as well', () => {
    const context = createSrtpContext(lines);
    expect(unprotectRtcp(context, protectRtcp(createSrtpSender(lines[2]!), rtcp()))).toEqual(rtcp());
    expect(context.suite).toBe('AES_CM_128_HMAC_SHA1_80');
  });

  test('a key that proves nothing is taken only when no other fits', () => {
    const proof = masterKey(CM, 'proof');
    const noProof = masterKey(CM, 'no proof', { parameters: { unauthenticatedRtp: true } });
    const proven = createSrtpContext([noProof, proof]);
    expect(unprotectRtp(proven, protectRtp(createSrtpSender(proof), rtp(1)))).toEqual(rtp(1));
    const other = protectRtp(createSrtpSender(noProof), rtp(5, { ssrc: 6 }));
    expect(unprotectRtp(proven, other), 'the other key is in use').toBe('srtpAuth');
    const unproven = createSrtpContext([noProof, proof]);
    expect(unprotectRtp(unproven, other)).toEqual(rtp(5, { ssrc: 6 }));
  });
});

test('a packet longer than the room for it', () => {
  const key = masterKey(CM, 'a');
  const context = createSrtpContext([key]);
  const sent = protectRtp(createSrtpSender(key), rtp(1));
  expect(context.unprotectRtp(sent, 0, sent.length, Buffer.alloc(sent.length - 1))).toBe('srtpTooLarge');
  expect(context.unprotectRtcp(sent, 0, sent.length, Buffer.alloc(10))).toBe('srtpTooLarge');
  const huge = Buffer.alloc(70_000, 0x80);
  expect(context.unprotectRtp(huge, 0, huge.length, Buffer.alloc(70_000))).toBe('srtpTooLarge');
});

test('keys that cannot be used are refused without being shown', () => {
  const good = masterKey(CM, 'a');
  const secret = Buffer.from('squeamish ossifrage');
  for (const keys of [
    [],
    Array.from({ length: MAX_MASTER_KEYS + 1 }, () => good),
    [{ ...good, masterKey: secret }],
    [{ ...good, masterSalt: secret }],
    [{ ...good, mki: Buffer.alloc(129) }],
    [{ ...good, parameters: { keyDerivationRate: 3 } }],
    [{ ...good, parameters: { keyDerivationRate: 2 ** 25 } }],
    [{ ...good, suite: 'NULL_HMAC_SHA1_80' as typeof CM }],
  ]) {
    expect(() => createSrtpContext(keys)).toThrow(RangeError);
    expect(() => createSrtpContext(keys)).not.toThrow(/squeamish|7371/);
  }
});
