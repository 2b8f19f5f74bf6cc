import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSrtpContext, MAX_MASTER_KEYS } from '../../src/rtp/srtp/context.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS } from '../../src/rtp/srtp/sender.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/rtp/srtp/suites.ts';
import { answerCrypto, type CryptoOffer, chooseCrypto, readCrypto, receivingKeys } from '../../src/siprec/sdes.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
const CM = 'AES_CM_128_HMAC_SHA1_80';
const KEY = 'd0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj';

function read(value: string): CryptoOffer {
  const offer = readCrypto(value);
  if (offer === null) throw new Error('not readable');
  return offer;
}

describe('RFC 4568 examples', () => {
  test('6.1: key, lifetime and MKI', () => {
    expect(readCrypto(`1 ${CM} inline:${KEY}|2^20|1:4`)).toEqual({
      tag: 1,
      suiteName: CM,
      suite: CM,
      keys: [
        {
          suite: CM,
          masterKey: octets('774466766726542b2978473740666235'),
          masterSalt: octets('6a552c5261417d5c7c7030252a23'),
          lifetime: 2 ** 20,
          mki: octets('00000001'),
          parameters: {},
        },
      ],
      parameters: {},
      unknownParameters: [],
    });
  });

  test('6.1: an MKI without lifetime', () => {
    const { keys } = read(`1 ${CM} inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4`);
    expect(keys).toEqual([
      {
        suite: CM,
        masterKey: Uint8Array.from(Buffer.from('aBCdefghiJKLmoPQ')),
        masterSalt: Uint8Array.from(Buffer.from('rsTuVwyz123456')),
        mki: octets('0000042a'),
        parameters: {},
      },
    ]);
  });

  test('4: an MKI of 32 octets', () => {
    const { keys } = read(`1 ${CM} inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32`);
    expect(keys[0]!.mki).toEqual(octets(`${'00'.repeat(31)}01`));
  });

  test('7.1: offer with FEC_ORDER and a suite that we cannot do, answer', () => {
    const offers = [
      `1 ${CM} inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4 FEC_ORDER=FEC_SRTP`,
      '2 F8_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;' +
        'inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4 FEC_ORDER=FEC_SRTP',
    ].map(read);
    expect(offers[1]).toEqual({
      tag: 2,
      suiteName: 'F8_128_HMAC_SHA1_80',
      suite: null,
      keys: [],
      parameters: {},
      unknownParameters: [],
    });
    const chosen = chooseCrypto(offers)!;
    expect(chosen).toBe(offers[0]);
    const material = Buffer.from('PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR', 'base64');
    const parts = [material.subarray(0, 16), material.subarray(16)];
    expect(answerCrypto(chosen, () => parts.shift()!)).toEqual({
      attribute: `crypto:1 ${CM} inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^31`,
      keys: [
        {
          suite: CM,
          masterKey: Uint8Array.from(material.subarray(0, 16)),
          masterSalt: Uint8Array.from(material.subarray(16)),
          lifetime: 2 ** 31,
          parameters: {},
        },
      ],
    });
  });
});

describe('lines that peers send', () => {
  test('several keys, told apart by MKI, with or without spaces around the semicolon', () => {
    const other = 'QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5';
    for (const between of [';', '; ', ' ']) {
      const { keys } = read(`1 ${CM} inline:${KEY}|2^20|1:1${between}inline:${other}|2^20|2:1 KDR=3`);
      expect(keys.map(({ mki, parameters }) => [mki, parameters])).toEqual([
        [octets('01'), { keyDerivationRate: 8 }],
        [octets('02'), { keyDerivationRate: 8 }],
      ]);
    }
  });

  test('Cisco SPA (seen in sipwise/rtpengine issue 153): one key under two suites', () => {
    const offers = [
      '1 AES_CM_128_HMAC_SHA1_32 inline:nnG/PpJHzE0uSirvQsgkIT5BpMVyvFTfzlpBQpW3 ',
      '2 AES_CM_128_HMAC_SHA1_80 inline:nnG/PpJHzE0uSirvQsgkIT5BpMVyvFTfzlpBQpW3 ',
    ].map(read);
    expect(chooseCrypto(offers)).toBe(offers[0]);
    expect(receivingKeys(offers).map(({ suite }) => suite)).toEqual(['AES_CM_128_HMAC_SHA1_32', CM]);
    expect(receivingKeys(offers)[0]!.masterKey).toEqual(receivingKeys(offers)[1]!.masterKey);
  });

  test('the names of before RFC 6188, small letters, missing base64 padding', () => {
    const material = Buffer.alloc(46, 7).toString('base64');
    const offer = read(`9 aes_cm_256_hmac_sha1_80 INLINE:${material.replace(/=+$/, '')}`);
    expect(offer.suite).toBe('AES_256_CM_HMAC_SHA1_80');
    expect(offer.keys[0]!.masterKey).toEqual(new Uint8Array(32).fill(7));
    expect(answerCrypto(offer, randomBytes).attribute).toMatch(
      /^crypto:9 aes_cm_256_hmac_sha1_80 inline:[\w+/]{62}==$/,
    );
  });

  test.each(Object.keys(SRTP_SUITES) as SrtpSuite[])('%s: key and salt are cut at the right place', (suite) => {
    const { key, salt } = SRTP_SUITES[suite];
    const material = randomBytes(key + salt);
    const { keys } = read(`1 ${suite} inline:${material.toString('base64')}`);
    expect(Buffer.concat([keys[0]!.masterKey, keys[0]!.masterSalt])).toEqual(material);
    expect([keys[0]!.masterKey.length, keys[0]!.masterSalt.length]).toEqual([key, salt]);
    for (const length of [0, key, key + salt - 1, key + salt + 1]) {
      expect(readCrypto(`1 ${suite} inline:${randomBytes(length).toString('base64')}`)).toBeNull();
    }
  });

  test('keys have memory of their own, so that sending one to a worker sends nothing else', () => {
    const { keys } = read(`1 ${CM} inline:${KEY}|1:4`);
    for (const part of [keys[0]!.masterKey, keys[0]!.masterSalt, keys[0]!.mki!]) {
      expect(part.buffer.byteLength).toBe(part.length);
    }
    expect(structuredClone(keys)).toEqual(keys);
  });

  test('lifetimes: a power of two, a number; what makes no sense is left out', () => {
    const lifetimeOf = (field: string) => read(`1 ${CM} inline:${KEY}|${field}`).keys[0]!.lifetime;
    expect(['2^31', '2^48', '1000', '2^49', '0', '2^', 'soon', ''].map(lifetimeOf)).toEqual([
      2 ** 31,
      2 ** 48,
      1000,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test('identifiers: as many octets as stated, and the number must fit', () => {
    const mkiOf = (field: string) => readCrypto(`1 ${CM} inline:${KEY}|${field}`)?.keys[0]?.mki;
    expect(mkiOf('255:1')).toEqual(octets('ff'));
    expect(mkiOf(`${2n ** 1024n - 1n}:128`)).toEqual(new Uint8Array(128).fill(0xff));
    expect(mkiOf('1:0'), 'no octets: no identifier').toBeUndefined();
    for (const field of ['256:1', '1:129', ':4', '1:', 'x:4', '1:2:3', `${2n ** 1024n}:128`]) {
      expect(readCrypto(`1 ${CM} inline:${KEY}|${field}`), field).toBeNull();
    }
  });

  test('session parameters: known, optional, and those that make the line invalid', () => {
    expect(
      read(`1 ${CM} inline:${KEY} KDR=24 UNENCRYPTED_SRTP UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP WSH=128 -NEW=1`),
    ).toMatchObject({
      parameters: {
        keyDerivationRate: 2 ** 24,
        unencryptedRtp: true,
        unencryptedRtcp: true,
        unauthenticatedRtp: true,
      },
      unknownParameters: [],
    });
    expect(read(`1 ${CM} inline:${KEY} FEC_KEY=inline:${KEY} NEW=1 KDR=25 KDR=x`).unknownParameters).toEqual([
      'NEW',
      'KDR',
      'KDR',
    ]);
  });

  test.each([
    '',
    '1',
    `1 ${CM}`,
    `1 ${CM} `,
    `x ${CM} inline:${KEY}`,
    `1234567890 ${CM} inline:${KEY}`,
    `1 ${CM} uri:${KEY}`,
    `1 ${CM} inline:`,
    `1 ${CM} inline:${KEY};${KEY}`,
    `1 ${CM} inline:${KEY}|2^20|1:4|5`,
    `1 ${CM} inline:${KEY.replace('d', '!')}`,
    `1 ${CM} inline:${KEY} ${'-X '.repeat(5000)}`,
    `1 ${CM} ${`inline:${KEY};`.repeat(17)}`,
  ])('not readable: %#', (value) => {
    expect(readCrypto(value)).toBeNull();
  });
});

describe('the choice', () => {
  const line = (tag: number, rest: string) => read(`${tag} ${rest}`);

  test('the client’s order, but never one without encryption or authentication if there is another', () => {
    const weak = line(1, `${CM} inline:${KEY} UNENCRYPTED_SRTP`);
    const weaker = line(2, `${CM} inline:${KEY} UNAUTHENTICATED_SRTP`);
    const plainRtcp = line(3, `${CM} inline:${KEY} UNENCRYPTED_SRTCP`);
    const strong = line(4, `${CM} inline:${KEY}`);
    expect(chooseCrypto([weak, weaker, plainRtcp, strong])).toBe(plainRtcp);
    expect(chooseCrypto([weak, weaker])).toBe(weak);
    expect(chooseCrypto([weaker])).toBe(weaker);
  });

  test('none that we cannot do', () => {
    const gcm = Buffer.alloc(28).toString('base64');
    expect(
      chooseCrypto([
        line(1, `F8_128_HMAC_SHA1_80 inline:${KEY}`),
        line(2, `NULL_HMAC_SHA1_80 inline:${KEY}`),
        line(3, `${CM} inline:${KEY} NEW`),
        line(4, `AEAD_AES_128_GCM inline:${gcm} UNAUTHENTICATED_SRTP`),
      ]),
    ).toBeNull();
    expect(chooseCrypto([])).toBeNull();
  });
});

describe('the answer', () => {
  test('repeats what binds both sides, and nothing else', () => {
    const chosen = read(
      `7 ${CM} inline:${KEY}|1:4 UNENCRYPTED_SRTCP KDR=5 WSH=64 UNAUTHENTICATED_SRTP UNENCRYPTED_SRTP FEC_ORDER=FEC_SRTP`,
    );
    const { attribute, keys } = answerCrypto(chosen, (count) => new Uint8Array(count));
    expect(attribute).toBe(
      `crypto:7 ${CM} inline:${'A'.repeat(40)} UNENCRYPTED_SRTP UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP`,
    );
    const parameters = { unencryptedRtp: true, unencryptedRtcp: true, unauthenticatedRtp: true };
    expect(keys).toEqual([{ suite: CM, masterKey: new Uint8Array(16), masterSalt: new Uint8Array(14), parameters }]);
  });

  test('has a key of ours, never the client’s, and a fresh one each time', () => {
    const chosen = read(`1 ${CM} inline:${KEY}`);
    const [first, second] = [answerCrypto(chosen, randomBytes), answerCrypto(chosen, randomBytes)];
    expect(first.attribute).not.toContain(KEY);
    expect(first.attribute).not.toBe(second.attribute);
    expect(read(first.attribute.replace('crypto:', '')).keys).toEqual(first.keys);
  });

  test('a line of an unknown suite cannot be answered, and the error does not show its key', () => {
    const chosen = read(`1 F8_128_HMAC_SHA1_80 inline:${KEY}`);
    expect(() => answerCrypto(chosen, randomBytes)).toThrow(RangeError);
    expect(() => answerCrypto(chosen, randomBytes)).not.toThrow(KEY);
  });
});

describe('receiving', () => {
  test('whichever line the sender uses, with its MKI or without, the packet opens', () => {
    const offers = [
      `1 AEAD_AES_256_GCM inline:${randomBytes(44).toString('base64')}|2^31|1:1`,
      // As an SBC writes it (seen in asterisk/asterisk issue 825).
      `2 ${CM} inline:${randomBytes(30).toString('base64')}|2^31|1:1`,
      `3 AES_CM_128_HMAC_SHA1_32 inline:${randomBytes(30).toString('base64')} NEW`,
    ].map(read);
    const keys = receivingKeys(offers);
    expect(keys.map(({ suite, mki }) => [suite, mki?.length])).toEqual([
      ['AEAD_AES_256_GCM', 1],
      [CM, 1],
      ['AES_CM_128_HMAC_SHA1_32', undefined],
      ['AEAD_AES_256_GCM', undefined],
      [CM, undefined],
    ]);
    const packet = Buffer.concat([Buffer.from('800000010000000000000001', 'hex'), randomBytes(160)]);
    const into = Buffer.alloc(packet.length + MAX_OVERHEAD_OCTETS);
    for (const key of keys) {
      const sent = Buffer.alloc(packet.length + MAX_OVERHEAD_OCTETS);
      const length = createSrtpSender(key).protectRtp(packet, 0, packet.length, sent);
      const context = createSrtpContext(keys);
      expect(context.unprotectRtp(sent, 0, length as number, into)).toBe(packet.length);
      expect(into.subarray(0, packet.length)).toEqual(packet);
    }
  });

  test('the chosen line first, never more keys than a context takes', () => {
    const weak = read(`1 ${CM} inline:${KEY} UNENCRYPTED_SRTP`);
    const strong = read(`2 AES_CM_128_HMAC_SHA1_32 inline:${KEY}`);
    expect(receivingKeys([weak, strong]).map(({ suite }) => suite)).toEqual(['AES_CM_128_HMAC_SHA1_32', CM]);
    const many = Array.from({ length: 50 }, (_, n) => read(`${n} ${CM} inline:${KEY}|${n}:1`));
    expect(receivingKeys(many)).toHaveLength(MAX_MASTER_KEYS);
    expect(receivingKeys([read(`1 F8_128_HMAC_SHA1_80 inline:${KEY}`)])).toEqual([]);
  });
});

test('fuzz: any text is read or refused, and what is read can be used', () => {
  const token = fc.constantFrom(
    '1',
    CM,
    'AEAD_AES_128_GCM',
    `inline:${KEY}`,
    `inline:${KEY}|2^20|1:4`,
    ';',
    '|',
    ':',
    'KDR=1',
    'UNENCRYPTED_SRTP',
    '-X',
    ' ',
    '=',
    '2^',
    '\t',
  );
  const near = fc
    .array(fc.oneof(token, fc.string({ maxLength: 5 })), { maxLength: 12 })
    .map((parts) => parts.join(' '));
  const damaged = fc.tuple(fc.nat(), fc.string({ maxLength: 3 })).map(([at, text]) => {
    const whole = `1 ${CM} inline:${KEY}|2^20|1:4;inline:${KEY}|2^20|2:4 KDR=10 UNENCRYPTED_SRTCP`;
    return whole.slice(0, at % whole.length) + text + whole.slice((at % whole.length) + 1);
  });
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 200 }), near, damaged), (value) => {
      const offer = readCrypto(value);
      if (offer === null) return;
      const keys = receivingKeys([offer]);
      if (keys.length > 0) createSrtpContext(keys);
      const chosen = chooseCrypto([offer]);
      if (chosen !== null) expect(read(answerCrypto(chosen, randomBytes).attribute.slice(7)).tag).toBe(offer.tag);
    }),
    { numRuns: 1000 },
  );
});
