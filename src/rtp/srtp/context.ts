// The receiver's cryptographic context: protected packets in, RTP and RTCP out (RFC 3711 §3.2, §3.3, §3.4; RFC 7714).
import { KeyedTransform } from './keyed-transform.ts';
import { masterKeyFault, type SrtpMasterKey } from './master-key.ts';
import { estimateRoc, packetIndex } from './packet-index.ts';
import { MAX_PACKET_OCTETS, PacketView } from './packet-view.ts';
import { ReplayWindow } from './replay-window.ts';
import { SearchLimit } from './search-limit.ts';
import { SourceTable } from './source-table.ts';
import type { SrtpSuite } from './suites.ts';

/** Why a packet was not opened. Counted, never thrown. */
export type SrtpDrop =
  /** It has no room for the header it announces and what the suite adds. */
  | 'srtpTooShort'
  /** Longer than a datagram, or than `into`. */
  | 'srtpTooLarge'
  /** Its master key identifier belongs to none of the keys. */
  | 'srtpMki'
  /** No key and rollover counter make its tag right: forged, damaged, or protected with something that we do not know. */
  | 'srtpAuth'
  /** Authentic, but it came before, or is older than the replay window tells. */
  | 'srtpReplay';

export interface SrtpContextOptions {
  /** Rollover counters tried when the expected one fails, for an SSRC that we join late or lost sight of. 1: none but the first. */
  rocSearch?: number;
}

/** Keys of one context. Every further one costs a try on packets that none opens. */
export const MAX_MASTER_KEYS = 32;
/** Of 65536 packets each: four days at 50 packets a second. */
const ROC_SEARCH = 256;
/** Counters times keys, per search: about a millisecond. */
const MAX_TRIES = 1024;
const MAX_ROC = 0xffff_ffff;

interface RtpSource {
  transform: KeyedTransform;
  /** Rollover counter and number (s_l) of the highest index accepted. */
  roc: number;
  maxSeq: number;
  window: ReplayWindow;
}

interface RtcpSource {
  transform: KeyedTransform;
  window: ReplayWindow;
}

// Shared by all contexts of the thread, which opens one packet at a time.
const packet = new PacketView();

/**
 * `keys` are all that the sender may be using: several master keys told apart by MKI, or the keys of several crypto lines
 * of which we cannot know the one that was chosen; the first packet tells. Keys without RTP authentication prove nothing,
 * so they are used only when no other has fitted.
 *
 * Throws RangeError for no keys, too many, or wrong lengths; the message shows no key material.
 */
export function createSrtpContext(keys: readonly SrtpMasterKey[], options: SrtpContextOptions = {}): SrtpContext {
  if (keys.length === 0) throw new RangeError('an SRTP context needs a master key');
  if (keys.length > MAX_MASTER_KEYS) throw new RangeError(`an SRTP context has at most ${MAX_MASTER_KEYS} master keys`);
  for (const key of keys) {
    const fault = masterKeyFault(key);
    if (fault !== null) throw new RangeError(fault);
  }
  return new SrtpContext(
    keys.map((key) => new KeyedTransform(key)),
    options.rocSearch ?? ROC_SEARCH,
  );
}

export class SrtpContext {
  readonly #transforms: KeyedTransform[];
  /** Those whose packets prove themselves. */
  readonly #provable: KeyedTransform[];
  readonly #rocSearch: number;
  readonly #searchLimit = new SearchLimit();
  readonly #rtpSources = new SourceTable<RtpSource>();
  readonly #rtcpSources = new SourceTable<RtcpSource>();
  /** The key that opened a packet last: the one in use, as far as we know. */
  #proven: KeyedTransform | null = null;

  constructor(transforms: KeyedTransform[], rocSearch: number) {
    this.#transforms = transforms;
    this.#provable = transforms.filter((transform) => transform.authenticatesRtp);
    this.#rocSearch = Math.max(1, Math.min(rocSearch, Math.floor(MAX_TRIES / transforms.length)));
  }

  /** The suite that is in use, null before the first authentic packet. */
  get suite(): SrtpSuite | null {
    return this.#proven?.master.suite ?? null;
  }

  /** True if an authentic RTP packet of that SSRC has come. */
  hasOpened(ssrc: number): boolean {
    return this.#rtpSources.find(ssrc)?.transform.authenticatesRtp === true;
  }

  /** The rollover counter of the highest packet of that SSRC, null for an SSRC not heard. */
  rolloverCounter(ssrc: number): number | null {
    return this.#rtpSources.find(ssrc)?.roc ?? null;
  }

  /**
   * Opens the SRTP packet in `buffer[start, end)`. Never throws.
   * @param into other memory than `buffer`, at least as long as the packet; undefined content unless a number is returned
   * @returns octets of the RTP packet that now stands at the beginning of `into`, or why there is none
   */
  unprotectRtp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpDrop {
    if (end - start > into.length || end - start > MAX_PACKET_OCTETS) return 'srtpTooLarge';
    if (!packet.readRtp(buffer, start, end)) return 'srtpTooShort';
    const source = this.#rtpSources.find(packet.ssrc);
    return source === null ? this.#openFirst(into) : this.#openNext(source, into);
  }

  /** The same for an SRTCP packet. */
  unprotectRtcp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpDrop {
    if (end - start > into.length || end - start > MAX_PACKET_OCTETS) return 'srtpTooLarge';
    if (!packet.readRtcp(buffer, start, end)) return 'srtpTooShort';
    const source = this.#rtcpSources.find(packet.ssrc);
    const expected = source?.transform ?? this.#proven;
    let drop: SrtpDrop = 'srtpTooShort';
    for (const transform of this.#transforms) {
      if (!transform.fitsRtcp(packet)) continue;
      if (drop === 'srtpTooShort') drop = 'srtpMki';
      if (!transform.hasRtcpMki(packet)) continue;
      drop = 'srtpAuth';
      if (expected !== null && transform !== expected && transform.mkiOctets === 0) continue;
      const octets = transform.openRtcp(packet, into);
      if (octets >= 0) return this.#acceptRtcp(source, transform, octets);
    }
    return drop;
  }

  #acceptRtcp(known: RtcpSource | null, transform: KeyedTransform, octets: number): number | SrtpDrop {
    const index = transform.rtcpIndex(packet);
    const source = known ?? { transform, window: new ReplayWindow() };
    if (source.window.isReplay(index)) return 'srtpReplay';
    source.window.accept(index);
    source.transform = transform;
    this.#proven ??= transform;
    if (known === null) this.#rtcpSources.add(packet.ssrc, source);
    return octets;
  }

  /** A packet of an SSRC that we know: the expected key and rollover counter, in the ordinary case. */
  #openNext(source: RtpSource, into: Uint8Array): number | SrtpDrop {
    const { transform } = source;
    const roc = estimateRoc(source.roc, source.maxSeq, packet.sequenceNumber);
    let drop: SrtpDrop = 'srtpMki';
    if (!transform.fitsRtp(packet)) drop = 'srtpTooShort';
    else if (transform.hasRtpMki(packet)) {
      if (roc >= 0) {
        const octets = transform.openRtp(packet, roc, into);
        if (octets >= 0) return this.#acceptNext(source, transform, roc, octets);
      }
      drop = 'srtpAuth';
      const octets = this.#searchForward(source, transform, roc, into);
      if (octets >= 0) return octets;
    }
    return this.#changeKey(source, roc, drop, into);
  }

  /** The sender goes on with another of the master keys (§8.1). The packet index continues. */
  #changeKey(source: RtpSource, roc: number, dropSoFar: SrtpDrop, into: Uint8Array): number | SrtpDrop {
    let drop = dropSoFar;
    for (const transform of this.#provable) {
      if (transform === source.transform || transform.mkiOctets === 0 || !transform.fitsRtp(packet)) continue;
      if (!transform.hasRtpMki(packet)) continue;
      drop = 'srtpAuth';
      const octets = roc >= 0 ? transform.openRtp(packet, roc, into) : -1;
      if (octets >= 0) return this.#acceptNext(source, transform, roc, octets);
    }
    return drop;
  }

  /** After a long pause the guess is too low: the stream has gone on without us for more than 32768 packets. */
  #searchForward(source: RtpSource, transform: KeyedTransform, triedRoc: number, into: Uint8Array): number {
    if (this.#rocSearch === 1 || !transform.authenticatesRtp || !this.#searchLimit.admit()) return -1;
    const lastRoc = Math.min(source.roc + this.#rocSearch - 1, MAX_ROC);
    for (let roc = source.roc; roc <= lastRoc; roc++) {
      if (roc === triedRoc || packetIndex(roc, packet.sequenceNumber) <= source.window.highest) continue;
      const octets = transform.openRtp(packet, roc, into);
      if (octets < 0) continue;
      this.#searchLimit.succeeded();
      this.#accept(source, transform, roc);
      return octets;
    }
    this.#searchLimit.failed();
    return -1;
  }

  #acceptNext(source: RtpSource, transform: KeyedTransform, roc: number, octets: number): number | SrtpDrop {
    if (source.window.isReplay(packetIndex(roc, packet.sequenceNumber))) return 'srtpReplay';
    this.#accept(source, transform, roc);
    return octets;
  }

  #accept(source: RtpSource, transform: KeyedTransform, roc: number): void {
    const index = packetIndex(roc, packet.sequenceNumber);
    if (index > source.window.highest) {
      source.roc = roc;
      source.maxSeq = packet.sequenceNumber;
      // A late packet under the key before does not change the key in use.
      source.transform = transform;
      this.#proven = transform;
    }
    source.window.accept(index);
  }

  /** A packet of an SSRC not heard before: rollover counter 0, else we have come late and have to search. */
  #openFirst(into: Uint8Array): number | SrtpDrop {
    let drop: SrtpDrop = 'srtpTooShort';
    for (const transform of this.#provable) {
      if (!transform.fitsRtp(packet)) continue;
      if (drop === 'srtpTooShort') drop = 'srtpMki';
      if (!transform.hasRtpMki(packet)) continue;
      drop = 'srtpAuth';
      if (this.#proven !== null && transform !== this.#proven && transform.mkiOctets === 0) continue;
      const octets = transform.openRtp(packet, 0, into);
      if (octets >= 0) return this.#begin(transform, 0, octets);
    }
    const octets = drop === 'srtpAuth' ? this.#searchFirst(into) : -1;
    return octets >= 0 ? octets : this.#openUnproven(drop, into);
  }

  /** Small counters first, with every key: a call of some hours has one below ten. */
  #searchFirst(into: Uint8Array): number {
    if (!this.#searchLimit.admit()) return -1;
    for (let roc = 0; roc < this.#rocSearch; roc++) {
      for (const transform of this.#provable) {
        if (!transform.fitsRtp(packet) || !transform.hasRtpMki(packet)) continue;
        const octets = transform.openRtp(packet, roc, into);
        if (octets < 0) continue;
        this.#searchLimit.succeeded();
        return this.#begin(transform, roc, octets);
      }
    }
    this.#searchLimit.failed();
    return -1;
  }

  /** Keys without authentication open anything, with rollover counter 0. */
  #openUnproven(drop: SrtpDrop, into: Uint8Array): number | SrtpDrop {
    if (this.#provable.length === this.#transforms.length || this.#proven?.authenticatesRtp) return drop;
    for (const transform of this.#transforms) {
      if (transform.authenticatesRtp || !transform.fitsRtp(packet) || !transform.hasRtpMki(packet)) continue;
      return this.#begin(transform, 0, transform.openRtp(packet, 0, into));
    }
    return drop;
  }

  #begin(transform: KeyedTransform, roc: number, octets: number): number {
    const source: RtpSource = { transform, roc, maxSeq: packet.sequenceNumber, window: new ReplayWindow() };
    source.window.accept(packetIndex(roc, packet.sequenceNumber));
    this.#rtpSources.add(packet.ssrc, source);
    this.#proven = transform;
    return octets;
  }
}
