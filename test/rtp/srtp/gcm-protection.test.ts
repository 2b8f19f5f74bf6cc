import { expect, test } from 'vitest';
import { GcmProtection } from '../../../src/rtp/srtp/gcm-protection.ts';
import { PacketView } from '../../../src/rtp/srtp/packet-view.ts';
import { octets } from './hex.ts';

const KEY_128 = octets('000102030405060708090a0b0c0d0e0f');
const KEY_256 = octets('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
const SALT = octets('517569642070726f2071756f');
const TAG_OCTETS = 16;
const WORD_OCTETS = 4;

// The RFC's vectors give session keys, so they are tried below the key derivation.
function protectionOf(encryptionKey: Buffer): GcmProtection {
  return new GcmProtection({ encryptionKey, authenticationKey: Buffer.alloc(0), salt: SALT });
}

/** "Gallia est omnis divisa in partes tres", SSRC 5501a0b2, sequence number f17b, rollover counter 0. */
const RTP = octets(`8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070
  61727465 73207472 6573`);

test.each([
  {
    section: '16.1.1 and 16.1.2 (AEAD_AES_128_GCM)',
    key: KEY_128,
    srtp: `8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf
      8833899d 7f27beb1 6a9152cf 765ee439 0cce`,
  },
  {
    section: '16.2.1 and 16.2.2 (AEAD_AES_256_GCM)',
    key: KEY_256,
    srtp: `8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799
      b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`,
  },
])('RFC 7714 $section: SRTP both ways', ({ key, srtp }) => {
  const protection = protectionOf(key);
  const packet = new PacketView();
  const sealed = Buffer.alloc(RTP.length + TAG_OCTETS);
  expect(packet.readRtp(RTP, 0, RTP.length)).toBe(true);
  protection.sealRtp(packet, 0, sealed, RTP.length);
  expect(sealed).toEqual(octets(srtp));

  const into = Buffer.alloc(RTP.length);
  packet.readRtp(sealed, 0, sealed.length);
  expect(protection.openRtp(packet, RTP.length, 0, into)).toBe(true);
  expect(into).toEqual(RTP);
  expect(protection.openRtp(packet, RTP.length, 1, into), 'another rollover counter').toBe(false);
});

// The subsections of §17 work on this packet; the one printed at its beginning differs in a few octets.
const RTCP = octets(`81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef`);

test.each([
  {
    section: '17.1 (AEAD_AES_128_GCM, encrypted)',
    key: KEY_128,
    word: 0x8000_05d4,
    srtcp: `81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46
      86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`,
  },
  {
    section: '17.2 (AEAD_AES_256_GCM, encrypted)',
    key: KEY_256,
    word: 0x8000_05d4,
    srtcp: `81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658
      c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4`,
  },
  {
    section: '17.3 (AEAD_AES_128_GCM, tagged only)',
    key: KEY_128,
    word: 0x0000_05d4,
    srtcp: `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
      deadbeef deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4`,
  },
  {
    section: '17.4 (AEAD_AES_256_GCM, tagged only)',
    key: KEY_256,
    word: 0x0000_05d4,
    srtcp: `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef
      deadbeef deadbeef 91db4afb feee5a97 8fab4393 ed2615fe 000005d4`,
  },
])('RFC 7714 $section: SRTCP both ways', ({ key, word, srtcp }) => {
  const protection = protectionOf(key);
  const packet = new PacketView();
  const sealed = Buffer.alloc(RTCP.length + TAG_OCTETS + WORD_OCTETS);
  packet.readRtcp(RTCP, 0, RTCP.length);
  protection.sealRtcp(packet, word, sealed, RTCP.length);
  expect(sealed).toEqual(octets(srtcp));

  const into = Buffer.alloc(RTCP.length);
  packet.readRtcp(sealed, 0, sealed.length);
  expect(protection.openRtcp(packet, RTCP.length, word, into)).toBe(true);
  expect(into).toEqual(RTCP);
  expect(protection.openRtcp(packet, RTCP.length, word ^ 1, into), 'another index').toBe(false);
});
