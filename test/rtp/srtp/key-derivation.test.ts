import { expect, test } from 'vitest';
import { deriveKey, deriveSessionKeys } from '../../../src/rtp/srtp/key-derivation.ts';
import { octets } from './hex.ts';

const hex = (buffer: Buffer) => buffer.toString('hex');

test('RFC 3711 B.3: AES_CM_PRF with a 128-bit master key', () => {
  const key = octets('E1F97A0D3E018BE0D64FA32C06DE4139');
  const salt = octets('0EC675AD498AFEEBB6960B3AABE6');
  expect(hex(deriveKey(key, salt, 0x00, 0, 16))).toBe('c61e7a93744f39ee10734afe3ff7a087');
  expect(hex(deriveKey(key, salt, 0x02, 0, 14))).toBe('30cbbc08863d8c85d49db34a9ae1');
  expect(hex(deriveKey(key, salt, 0x01, 0, 94))).toBe(
    'cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce' +
      'e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25' +
      '6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2',
  );
});

test('the same master key, the keys of both flows: RTCP keys as deployed implementations derive them', () => {
  const master = {
    suite: 'AES_CM_128_HMAC_SHA1_80' as const,
    masterKey: octets('E1F97A0D3E018BE0D64FA32C06DE4139'),
    masterSalt: octets('0EC675AD498AFEEBB6960B3AABE6'),
  };
  expect(deriveSessionKeys(master, 'rtp', 0)).toEqual({
    encryptionKey: octets('c61e7a93744f39ee10734afe3ff7a087'),
    authenticationKey: octets('cebe321f6ff7716b6fd4ab49af256a156d38baa4'),
    salt: octets('30cbbc08863d8c85d49db34a9ae1'),
  });
  expect(deriveSessionKeys(master, 'rtcp', 0)).toEqual({
    encryptionKey: octets('4c1aa45a81f73d61c800bbb00fbb1eaa'),
    authenticationKey: octets('8d54534feb49ae8e7993a6bd0b844fc323a93dfd'),
    salt: octets('9581c7ad87b3e530bf3e4454a8b3'),
  });
});

test('RFC 6188 7.2: AES_256_CM_PRF', () => {
  const master = {
    suite: 'AES_256_CM_HMAC_SHA1_80' as const,
    masterKey: octets('f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6'),
    masterSalt: octets('3b04803de51ee7c96423ab5b78d2'),
  };
  expect(deriveSessionKeys(master, 'rtp', 0)).toEqual({
    encryptionKey: octets('5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4'),
    authenticationKey: octets('fd9c32d39ed5fbb5a9dc96b30818454d1313dc05'),
    salt: octets('fa31791685ca444a9e07c6c64e93'),
  });
});

test('RFC 6188 7.4: AES_192_CM_PRF', () => {
  const master = {
    suite: 'AES_192_CM_HMAC_SHA1_80' as const,
    masterKey: octets('73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1'),
    masterSalt: octets('c8522f3acd4ce86d5add78edbb11'),
  };
  expect(deriveSessionKeys(master, 'rtp', 0)).toEqual({
    encryptionKey: octets('31874736a8f1143870c26e4857d8a5b2c4a354407faadabb'),
    authenticationKey: octets('355b10973cd95b9eacf4061c7e1a7151e7cfbfcb'),
    salt: octets('2372b82d639b6d8503a47adc0a6c'),
  });
});

// NIST ACVP, kdf-components-srtp-1.0, test groups 3, 4 and 6: key derivation rates 1, 2 and 8.
test.each([
  {
    rate: 1,
    key: '8C307F105F79D5D2C26B1A933AE22CD5',
    salt: '563B4C15458D977B68080242CEE1',
    index: 0x08284b49f520,
    encryption: 'a920df50eaa111d03fbe9b203121c07d',
    authentication: 'a337dc070c0dafa942f1e3a27acd3c9917ce4b4d',
    sessionSalt: '9e2bc99c86037f2ad98d72927428',
  },
  {
    rate: 2,
    key: '127A535F66D5D43135E5DB87F04AF2DB',
    salt: '82D0D04DC693E29E0FE7FECBF041',
    index: 0x3d6fecdce1be,
    encryption: 'a2f4d858ccdf585d9c5ca787c5a3031f',
    authentication: 'c140c97cac05b2ed338ad353014a90012f37b45c',
    sessionSalt: 'aa6de94b3bcb5108efd350ad6936',
  },
  {
    rate: 8,
    key: 'CF08F8159FCF18DA8108A3FE3B707C2B',
    salt: '4AF8352708E0A164C6645A63E5BB',
    index: 0xf4ee616415b9,
    encryption: 'b46322b06f6e4b189f27744ead8c5173',
    authentication: 'f9f246054b3d4aa2520ce2612192749aa6970bb0',
    sessionSalt: '18ea8ea36a90617224fbfbcb849a',
  },
])('NIST ACVP: SRTP keys with key derivation rate $rate', (vector) => {
  const master = {
    suite: 'AES_CM_128_HMAC_SHA1_80' as const,
    masterKey: octets(vector.key),
    masterSalt: octets(vector.salt),
  };
  expect(deriveSessionKeys(master, 'rtp', Math.floor(vector.index / vector.rate))).toEqual({
    encryptionKey: octets(vector.encryption),
    authenticationKey: octets(vector.authentication),
    salt: octets(vector.sessionSalt),
  });
});

test('RFC 7714 11: AEAD suites have a 96-bit salt and no authentication key', () => {
  const master = {
    suite: 'AEAD_AES_256_GCM' as const,
    masterKey: Buffer.alloc(32, 1),
    masterSalt: Buffer.alloc(12, 2),
  };
  const { encryptionKey, authenticationKey, salt } = deriveSessionKeys(master, 'rtcp', 0);
  expect([encryptionKey.length, authenticationKey.length, salt.length]).toEqual([32, 0, 12]);
});
