// The suites of AES counter mode and HMAC-SHA1 (RFC 3711 §3.3, §3.4, §4; RFC 6188).
import { AesCounterMode } from './aes-cm.ts';
import { HmacSha1 } from './hmac-sha1.ts';
import type { SessionKeys } from './key-derivation.ts';
import { ENCRYPTED_BIT, type PacketProtection, SRTCP_INDEX_MASK, SRTCP_WORD_OCTETS } from './packet-protection.ts';
import { copyOctets, type PacketView, writeUint32 } from './packet-view.ts';

export interface CounterModeOptions {
  /** 0: packets are neither authenticated nor carry a tag. */
  tagOctets: number;
  /** RTP only; an RTCP packet says it itself. */
  encrypted: boolean;
}

/** The tag is always the last thing in the packet. */
export class CounterModeProtection implements PacketProtection {
  readonly #cipher: AesCounterMode;
  readonly #hmac: HmacSha1;
  readonly #tagOctets: number;
  readonly #encrypted: boolean;

  constructor(keys: SessionKeys, { tagOctets, encrypted }: CounterModeOptions) {
    this.#cipher = new AesCounterMode(keys.encryptionKey, keys.salt);
    this.#hmac = new HmacSha1(keys.authenticationKey);
    this.#tagOctets = tagOctets;
    this.#encrypted = encrypted;
  }

  openRtp(packet: PacketView, payloadEnd: number, roc: number, into: Uint8Array): boolean {
    const { buffer, start, end } = packet;
    const tagOctets = this.#tagOctets;
    if (tagOctets > 0 && !this.#hmac.verifyRtp(buffer, start, payloadEnd, roc, end - tagOctets, tagOctets))
      return false;
    this.#translateRtp(packet, payloadEnd, roc, into);
    return true;
  }

  openRtcp(packet: PacketView, payloadEnd: number, word: number, into: Uint8Array): boolean {
    const { buffer, start, end } = packet;
    const tagOctets = this.#tagOctets;
    const signedEnd = payloadEnd + SRTCP_WORD_OCTETS;
    if (!this.#hmac.verifyRtcp(buffer, start, signedEnd, end - tagOctets, tagOctets)) return false;
    this.#translateRtcp(packet, payloadEnd, word, into);
    return true;
  }

  sealRtp(packet: PacketView, roc: number, into: Uint8Array, tagAt: number): void {
    this.#translateRtp(packet, packet.end, roc, into);
    if (this.#tagOctets > 0) this.#hmac.signRtp(into, 0, packet.end - packet.start, roc, tagAt, this.#tagOctets);
  }

  sealRtcp(packet: PacketView, word: number, into: Uint8Array, tagAt: number): void {
    this.#translateRtcp(packet, packet.end, word, into);
    const wordAt = packet.end - packet.start;
    writeUint32(into, wordAt, word);
    this.#hmac.signRtcp(into, 0, wordAt + SRTCP_WORD_OCTETS, tagAt, this.#tagOctets);
  }

  #translateRtp(
    { buffer, start, payloadStart, ssrc, sequenceNumber }: PacketView,
    end: number,
    roc: number,
    into: Uint8Array,
  ): void {
    const headerEnd = this.#encrypted ? payloadStart : end;
    copyOctets(buffer, start, headerEnd, into, 0);
    this.#cipher.apply(buffer, headerEnd, end, into, headerEnd - start, ssrc, roc, sequenceNumber);
  }

  #translateRtcp({ buffer, start, payloadStart, ssrc }: PacketView, end: number, word: number, into: Uint8Array): void {
    const prefixEnd = word >= ENCRYPTED_BIT ? payloadStart : end;
    const index = word & SRTCP_INDEX_MASK;
    copyOctets(buffer, start, prefixEnd, into, 0);
    this.#cipher.apply(buffer, prefixEnd, end, into, prefixEnd - start, ssrc, index >>> 16, index & 0xffff);
  }
}
