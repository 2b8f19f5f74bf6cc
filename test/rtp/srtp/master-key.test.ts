import { expect, test } from 'vitest';
import { masterKeyFault, type SrtpMasterKey, sameMasterKey } from '../../../src/rtp/srtp/master-key.ts';
import { masterKey, SUITES } from './packets.ts';

const key = masterKey('AES_CM_128_HMAC_SHA1_80', 'a');
const other = masterKey('AES_CM_128_HMAC_SHA1_80', 'b');

test.each<[string, Partial<SrtpMasterKey>]>([
  ['suite', { suite: 'AES_CM_128_HMAC_SHA1_32' }],
  ['key', { masterKey: other.masterKey }],
  ['salt', { masterSalt: other.masterSalt }],
  ['MKI', { mki: Buffer.of(1) }],
  ['key derivation rate', { parameters: { keyDerivationRate: 2 } }],
  ['encryption of RTP', { parameters: { unencryptedRtp: true } }],
  ['encryption of RTCP', { parameters: { unencryptedRtcp: true } }],
  ['authentication of RTP', { parameters: { unauthenticatedRtp: true } }],
])('two keys that differ in %s protect differently', (_, difference) => {
  expect(sameMasterKey(key, { ...key, ...difference })).toBe(false);
  expect(sameMasterKey({ ...key, ...difference }, key)).toBe(false);
  expect(sameMasterKey({ ...key, ...difference }, { ...key, ...difference })).toBe(true);
});

test('defaults and the lifetime make no difference', () => {
  const parameters = {
    keyDerivationRate: 0,
    unencryptedRtp: false,
    unencryptedRtcp: false,
    unauthenticatedRtp: false,
  };
  expect(sameMasterKey(key, { ...key, mki: new Uint8Array(0), lifetime: 7, parameters })).toBe(true);
});

test('faults are told by length, not by content', () => {
  for (const suite of SUITES) expect(masterKeyFault(masterKey(suite, 'a'))).toBeNull();
  expect(masterKeyFault({ ...key, masterKey: new Uint8Array(15) })).toBe(
    'AES_CM_128_HMAC_SHA1_80 needs a master key of 16 octets',
  );
  expect(masterKeyFault({ ...key, masterSalt: new Uint8Array(12) })).toBe(
    'AES_CM_128_HMAC_SHA1_80 needs a master salt of 14 octets',
  );
});
