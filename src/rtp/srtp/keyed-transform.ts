// One master key at work: its session keys by derivation index and its packet layout (RFC 3711 §3.1, §3.4, §4.3).
import { CounterModeProtection } from './counter-mode-protection.ts';
import { GcmProtection } from './gcm-protection.ts';
import { deriveSessionKeys, type Flow } from './key-derivation.ts';
import type { SrtpMasterKey } from './master-key.ts';
import { packetIndex } from './packet-index.ts';
import { ENCRYPTED_BIT, type PacketProtection, SRTCP_INDEX_MASK, SRTCP_WORD_OCTETS } from './packet-protection.ts';
import { copyOctets, type PacketView, readUint32 } from './packet-view.ts';
import { SRTP_SUITES, type SuiteLengths } from './suites.ts';

/** The session keys in use. */
interface DerivedProtection {
  r: number;
  protection: PacketProtection;
}

export class KeyedTransform {
  readonly master: SrtpMasterKey;
  readonly mkiOctets: number;
  /** Octets that protection adds to a packet. */
  readonly rtpOverheadOctets: number;
  readonly rtcpOverheadOctets: number;
  /** False if RTP packets are taken without any proof. */
  readonly authenticatesRtp: boolean;

  readonly #mki: Uint8Array;
  readonly #lengths: SuiteLengths;
  readonly #rtpTagOctets: number;
  readonly #encryptsRtp: boolean;
  readonly #encryptsRtcp: boolean;
  readonly #keyDerivationRate: number;
  readonly #derived: Record<Flow, DerivedProtection | null> = { rtp: null, rtcp: null };

  /** The key's lengths have been checked (masterKeyFault). */
  constructor(master: SrtpMasterKey) {
    const lengths = SRTP_SUITES[master.suite];
    const { keyDerivationRate = 0, unencryptedRtp, unencryptedRtcp, unauthenticatedRtp } = master.parameters ?? {};
    this.master = master;
    this.#mki = Uint8Array.from(master.mki ?? []);
    this.mkiOctets = this.#mki.length;
    this.#lengths = lengths;
    this.authenticatesRtp = lengths.aead || unauthenticatedRtp !== true;
    this.#rtpTagOctets = this.authenticatesRtp ? lengths.rtpTag : 0;
    this.#encryptsRtp = lengths.aead || unencryptedRtp !== true;
    this.#encryptsRtcp = unencryptedRtcp !== true;
    this.#keyDerivationRate = keyDerivationRate;
    this.rtpOverheadOctets = this.#rtpTagOctets + this.mkiOctets;
    this.rtcpOverheadOctets = lengths.rtcpTag + this.mkiOctets + SRTCP_WORD_OCTETS;
  }

  fitsRtp(packet: PacketView): boolean {
    return packet.end - packet.payloadStart >= this.rtpOverheadOctets;
  }

  fitsRtcp(packet: PacketView): boolean {
    return packet.end - packet.payloadStart >= this.rtcpOverheadOctets;
  }

  /** True if the packet, which fits, carries this key's MKI, or this key has none. */
  hasRtpMki(packet: PacketView): boolean {
    return this.#isMki(packet.buffer, packet.end - this.mkiOctets - (this.#lengths.aead ? 0 : this.#rtpTagOctets));
  }

  hasRtcpMki(packet: PacketView): boolean {
    return this.#isMki(packet.buffer, packet.end - this.mkiOctets - (this.#lengths.aead ? 0 : this.#lengths.rtcpTag));
  }

  /** Octets written to `into`, -1 if the packet, which fits, is not authentic under this rollover counter. */
  openRtp(packet: PacketView, roc: number, into: Uint8Array): number {
    const payloadEnd = packet.end - this.rtpOverheadOctets;
    const protection = this.#protection('rtp', packetIndex(roc, packet.sequenceNumber));
    return protection.openRtp(packet, payloadEnd, roc, into) ? payloadEnd - packet.start : -1;
  }

  /** The SRTCP index of a packet that fits. Nothing proves it yet. */
  rtcpIndex(packet: PacketView): number {
    return this.#rtcpWord(packet) & SRTCP_INDEX_MASK;
  }

  openRtcp(packet: PacketView, into: Uint8Array): number {
    const payloadEnd = packet.end - this.rtcpOverheadOctets;
    const word = this.#rtcpWord(packet);
    const protection = this.#protection('rtcp', word & SRTCP_INDEX_MASK);
    return protection.openRtcp(packet, payloadEnd, word, into) ? payloadEnd - packet.start : -1;
  }

  /** Octets written to `into`, which has the room. */
  sealRtp(packet: PacketView, roc: number, into: Uint8Array): number {
    const plainOctets = packet.end - packet.start;
    const octets = plainOctets + this.rtpOverheadOctets;
    const tagAt = this.#lengths.aead ? plainOctets : octets - this.#rtpTagOctets;
    this.#protection('rtp', packetIndex(roc, packet.sequenceNumber)).sealRtp(packet, roc, into, tagAt);
    const mkiAt = this.#lengths.aead ? octets - this.mkiOctets : plainOctets;
    copyOctets(this.#mki, 0, this.mkiOctets, into, mkiAt);
    return octets;
  }

  sealRtcp(packet: PacketView, index: number, into: Uint8Array): number {
    const plainOctets = packet.end - packet.start;
    const octets = plainOctets + this.rtcpOverheadOctets;
    const word = this.#encryptsRtcp ? ENCRYPTED_BIT + index : index;
    const tagAt = this.#lengths.aead ? plainOctets : octets - this.#lengths.rtcpTag;
    this.#protection('rtcp', index).sealRtcp(packet, word, into, tagAt);
    const mkiAt = this.#lengths.aead ? octets - this.mkiOctets : plainOctets + SRTCP_WORD_OCTETS;
    copyOctets(this.#mki, 0, this.mkiOctets, into, mkiAt);
    return octets;
  }

  #rtcpWord(packet: PacketView): number {
    const afterWord = this.mkiOctets + (this.#lengths.aead ? 0 : this.#lengths.rtcpTag);
    return readUint32(packet.buffer, packet.end - afterWord - SRTCP_WORD_OCTETS);
  }

  #isMki(buffer: Uint8Array, start: number): boolean {
    const mki = this.#mki;
    for (let at = 0; at < mki.length; at++) if (buffer[start + at] !== mki[at]) return false;
    return true;
  }

  #protection(flow: Flow, index: number): PacketProtection {
    const rate = this.#keyDerivationRate;
    const r = rate === 0 ? 0 : Math.floor(index / rate);
    const derived = this.#derived[flow];
    if (derived?.r === r) return derived.protection;
    const protection = this.#derive(flow, r);
    this.#derived[flow] = { r, protection };
    return protection;
  }

  #derive(flow: Flow, r: number): PacketProtection {
    const keys = deriveSessionKeys(this.master, flow, r);
    if (this.#lengths.aead) return new GcmProtection(keys);
    return flow === 'rtp'
      ? new CounterModeProtection(keys, { tagOctets: this.#rtpTagOctets, encrypted: this.#encryptsRtp })
      : new CounterModeProtection(keys, { tagOctets: this.#lengths.rtcpTag, encrypted: true });
  }
}
