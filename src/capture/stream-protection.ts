// SRTP of one stream: opens what its sender protects, protects what we send to him (RFC 3711).
import type { CaptureStreamChange } from '../recording/engines.ts';
import type { MediaFormat, StreamSrtp } from '../recording/media.ts';
import { RtpHeader, readRtpHeader } from '../rtp/packet.ts';
import { isWholeRtcp } from '../rtp/rtcp.ts';
import { MAX_MASTER_KEYS, type SrtpDrop } from '../rtp/srtp/context.ts';
import { masterKeyFault, type SrtpMasterKey } from '../rtp/srtp/master-key.ts';
import { type MasterKeyText, readMasterKey } from '../rtp/srtp/master-key-text.ts';
import { SrtpReception } from '../rtp/srtp/reception.ts';
import { createSrtpSender, MAX_OVERHEAD_OCTETS, type SrtpSender } from '../rtp/srtp/sender.ts';
import { looksProtected } from './looks-protected.ts';

/** A datagram has no more. */
const MAX_PACKET_OCTETS = 65_535;
/** Our reports are compounds of some hundred octets. */
const MAX_REPORT_OCTETS = 1500;

// Shared by all streams of the thread, which handles one datagram at a time.
const header = new RtpHeader();
const protectedReport = new Uint8Array(MAX_REPORT_OCTETS + MAX_OVERHEAD_OCTETS);

/** The packet that was opened last stands at its beginning, until the next one is. */
export const openedPacket = new Uint8Array(MAX_PACKET_OCTETS);

/** Octets in `openedPacket`; or the packet is not protected and is taken as it is; or why it cannot be taken. */
export type Opening = number | 'plain' | SrtpDrop;

export class StreamProtection {
  readonly #reception: SrtpReception;
  #plainToo: boolean;
  #sender: SrtpSender | null = null;
  #senderKey: string | null = null;
  #formats: readonly MediaFormat[];
  /** Sends unprotected packets, as far as can be told: no key is tried on those that look it. -1: nobody does. */
  #plainSsrc = -1;

  private constructor(keys: SrtpMasterKey[], plainToo: boolean, formats: readonly MediaFormat[]) {
    this.#reception = new SrtpReception(keys);
    this.#plainToo = plainToo;
    this.#formats = formats;
  }

  /** Null if there is no key that can be used. */
  static of(srtp: StreamSrtp | undefined, formats: readonly MediaFormat[]): StreamProtection | null {
    const keys = usableKeys(srtp?.receiving ?? []);
    if (srtp === undefined || keys.length === 0) return null;
    const protection = new StreamProtection(keys, srtp.plainToo, formats);
    protection.#sendWith(srtp.sending);
    return protection;
  }

  /** After a new offer. The same keys change nothing; the keys before them go on opening what was sent with them. */
  renegotiate({ srtp, formats }: CaptureStreamChange): void {
    if (formats) this.#formats = formats;
    this.#plainSsrc = -1;
    if (srtp === undefined) return;
    this.#plainToo = srtp.plainToo;
    const keys = usableKeys(srtp.receiving);
    if (keys.length > 0) this.#reception.renegotiate(keys);
    this.#sendWith(srtp.sending);
  }

  openRtp(buffer: Uint8Array, start: number, end: number): Opening {
    if (!this.#plainToo) return this.#reception.unprotectRtp(buffer, start, end, openedPacket);
    if (readRtpHeader(buffer, start, end, header) !== null) return 'plain';
    const guess = looksProtected(header, this.#formats);
    if (guess === false && header.ssrc === this.#plainSsrc) return 'plain';
    const outcome = this.#reception.unprotectRtp(buffer, start, end, openedPacket);
    // Who was once authentic does not become plain: that would let strangers in.
    if (typeof outcome === 'number' || guess === true || this.#reception.hasOpened(header.ssrc)) return outcome;
    if (guess === false) this.#plainSsrc = header.ssrc;
    return 'plain';
  }

  openRtcp(buffer: Uint8Array, start: number, end: number): Opening {
    const outcome = this.#reception.unprotectRtcp(buffer, start, end, openedPacket);
    return typeof outcome !== 'number' && this.#plainToo && isWholeRtcp(buffer, start, end) ? 'plain' : outcome;
  }

  /** What is to be sent for this compound; null: nothing. Valid until the next call. */
  protectRtcp(octets: Uint8Array): Uint8Array | null {
    if (this.#plainToo && this.#reception.suite === null) return octets;
    const written = this.#sender?.protectRtcp(octets, 0, octets.length, protectedReport);
    return typeof written === 'number' ? protectedReport.subarray(0, written) : null;
  }

  #sendWith(key: MasterKeyText | null): void {
    // The same key goes on counting: an SRTCP index must not be used twice.
    const text = JSON.stringify(key);
    if (text === this.#senderKey) return;
    this.#senderKey = text;
    const [usable] = usableKeys(key === null ? [] : [key]);
    this.#sender = usable ? createSrtpSender(usable) : null;
  }
}

function usableKeys(texts: readonly MasterKeyText[]): SrtpMasterKey[] {
  const keys = texts.map(readMasterKey).filter((key) => masterKeyFault(key) === null);
  return keys.slice(0, MAX_MASTER_KEYS);
}
