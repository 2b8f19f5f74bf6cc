// The suites of AES-GCM, which encrypt and authenticate at once (RFC 7714 §8, §9).
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import type { SessionKeys } from './key-derivation.ts';
import { ENCRYPTED_BIT, type PacketProtection, SRTCP_INDEX_MASK, SRTCP_WORD_OCTETS } from './packet-protection.ts';
import { copyOctets, type PacketView, RTCP_PREFIX_OCTETS, writeUint32 } from './packet-view.ts';

const TAG_OCTETS = 16;
const IV_OCTETS = 12;
const OPTIONS = { authTagLength: TAG_OCTETS };
const EMPTY = new Uint8Array(0);

// Shared by all keys of the thread; node:crypto copies them at once.
const iv = new Uint8Array(IV_OCTETS);
const shortAssociated = new Uint8Array(RTCP_PREFIX_OCTETS + SRTCP_WORD_OCTETS);

/** The tag follows the payload at once. A cipher object per packet cannot be avoided: node:crypto takes no new IV. */
export class GcmProtection implements PacketProtection {
  readonly #algorithm: 'aes-128-gcm' | 'aes-256-gcm';
  readonly #key: KeyObject;
  readonly #salt: Uint8Array;

  constructor(keys: SessionKeys) {
    this.#algorithm = keys.encryptionKey.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm';
    // A key object: with bare octets each packet would cost several times as much.
    this.#key = createSecretKey(keys.encryptionKey);
    this.#salt = keys.salt;
  }

  openRtp(packet: PacketView, payloadEnd: number, roc: number, into: Uint8Array): boolean {
    const { buffer, start, payloadStart, ssrc, sequenceNumber } = packet;
    this.#setIv(ssrc, roc, sequenceNumber);
    const plain = this.#open(
      buffer.subarray(start, payloadStart),
      buffer.subarray(payloadStart, payloadEnd),
      buffer.subarray(payloadEnd, payloadEnd + TAG_OCTETS),
    );
    if (plain === null) return false;
    copyOctets(buffer, start, payloadStart, into, 0);
    into.set(plain, payloadStart - start);
    return true;
  }

  openRtcp(packet: PacketView, payloadEnd: number, word: number, into: Uint8Array): boolean {
    const { buffer, start, payloadStart } = packet;
    const prefixEnd = word >= ENCRYPTED_BIT ? payloadStart : payloadEnd;
    this.#setIv(packet.ssrc, (word & SRTCP_INDEX_MASK) >>> 16, word & 0xffff);
    const plain = this.#open(
      associatedRtcp(buffer, start, prefixEnd, word),
      buffer.subarray(prefixEnd, payloadEnd),
      buffer.subarray(payloadEnd, payloadEnd + TAG_OCTETS),
    );
    if (plain === null) return false;
    copyOctets(buffer, start, prefixEnd, into, 0);
    into.set(plain, prefixEnd - start);
    return true;
  }

  sealRtp(packet: PacketView, roc: number, into: Uint8Array, tagAt: number): void {
    const { buffer, start, payloadStart, end, ssrc, sequenceNumber } = packet;
    this.#setIv(ssrc, roc, sequenceNumber);
    copyOctets(buffer, start, payloadStart, into, 0);
    const header = buffer.subarray(start, payloadStart);
    this.#seal(header, buffer.subarray(payloadStart, end), into, payloadStart - start, tagAt);
  }

  sealRtcp(packet: PacketView, word: number, into: Uint8Array, tagAt: number): void {
    const { buffer, start, payloadStart, end } = packet;
    const prefixEnd = word >= ENCRYPTED_BIT ? payloadStart : end;
    this.#setIv(packet.ssrc, (word & SRTCP_INDEX_MASK) >>> 16, word & 0xffff);
    copyOctets(buffer, start, prefixEnd, into, 0);
    const associated = associatedRtcp(buffer, start, prefixEnd, word);
    this.#seal(associated, buffer.subarray(prefixEnd, end), into, prefixEnd - start, tagAt);
    writeUint32(into, tagAt + TAG_OCTETS, word);
  }

  #open(associated: Uint8Array, encrypted: Uint8Array, tag: Uint8Array): Uint8Array | null {
    const decipher = createDecipheriv(this.#algorithm, this.#key, iv, OPTIONS);
    decipher.setAAD(associated);
    decipher.setAuthTag(tag);
    const plain = encrypted.length > 0 ? decipher.update(encrypted) : EMPTY;
    try {
      decipher.final();
      return plain;
    } catch {
      // The only way in which node:crypto tells a wrong tag.
      return null;
    }
  }

  #seal(associated: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number, tagAt: number): void {
    const cipher = createCipheriv(this.#algorithm, this.#key, iv, OPTIONS);
    cipher.setAAD(associated);
    if (plain.length > 0) into.set(cipher.update(plain), at);
    cipher.final();
    into.set(cipher.getAuthTag(), tagAt);
  }

  //   octet  0   1 2      5 6      9 10  11
  //         +-----+--------+--------+------+
  //         |  0  |  SSRC  |  ROC   | SEQ  |   for RTCP the last six octets are the SRTCP index
  //         +-----+--------+--------+------+
  //     XOR |       session salt           |
  //         +------------------------------+
  #setIv(ssrc: number, high: number, low: number): void {
    const salt = this.#salt;
    iv[0] = 0;
    iv[1] = 0;
    writeUint32(iv, 2, ssrc);
    writeUint32(iv, 6, high);
    iv[10] = low >>> 8;
    iv[11] = low;
    for (let at = 0; at < IV_OCTETS; at++) iv[at] = iv[at]! ^ salt[at]!;
  }
}

function associatedRtcp(buffer: Uint8Array, start: number, prefixEnd: number, word: number): Uint8Array {
  const octets = prefixEnd - start;
  const associated = octets === RTCP_PREFIX_OCTETS ? shortAssociated : new Uint8Array(octets + SRTCP_WORD_OCTETS);
  copyOctets(buffer, start, prefixEnd, associated, 0);
  writeUint32(associated, octets, word);
  return associated;
}
