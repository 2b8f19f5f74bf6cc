// SRTP of one media stream from offer to offer: new keys come by SIP, packets by UDP, and neither waits for the other.
import { createSrtpContext, type SrtpContext, type SrtpContextOptions, type SrtpDrop } from './context.ts';
import { type SrtpMasterKey, sameMasterKey } from './master-key.ts';
import type { SrtpSuite } from './suites.ts';

/**
 * Opens packets with the latest keys, and with those before them while and whenever those fit: packets protected with
 * the old key come after the offer, sometimes long after, if the sender changes at the answer or not at all.
 */
export class SrtpReception {
  readonly #options: SrtpContextOptions;
  #keys: readonly SrtpMasterKey[];
  #current: SrtpContext;
  #previous: SrtpContext | null = null;

  /** Throws RangeError as createSrtpContext does. */
  constructor(keys: readonly SrtpMasterKey[], options: SrtpContextOptions = {}) {
    this.#options = options;
    this.#current = createSrtpContext(keys, options);
    this.#keys = [...keys];
  }

  /** The suite in use, null before the first authentic packet. */
  get suite(): SrtpSuite | null {
    return this.#current.suite ?? this.#previous?.suite ?? null;
  }

  /** True if an authentic RTP packet of that SSRC has come. */
  hasOpened(ssrc: number): boolean {
    return this.#current.hasOpened(ssrc) || this.#previous?.hasOpened(ssrc) === true;
  }

  /**
   * The keys of a new offer. The same keys change nothing, which matters: counters and replay windows stay. With others
   * the rollover counter begins at 0 (RFC 4568 §7.1.4) or goes on (RFC 3711 §3.3.1), depending on whom one asks; both are found.
   */
  renegotiate(keys: readonly SrtpMasterKey[]): void {
    if (keys.length === this.#keys.length && keys.every((key, at) => sameMasterKey(key, this.#keys[at]!))) return;
    const next = createSrtpContext(keys, this.#options);
    this.#previous = this.#current;
    this.#current = next;
    this.#keys = [...keys];
  }

  /** As SrtpContext.unprotectRtp. */
  unprotectRtp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpDrop {
    const outcome = this.#current.unprotectRtp(buffer, start, end, into);
    if (this.#previous === null || typeof outcome === 'number' || outcome === 'srtpReplay') return outcome;
    const earlier = this.#previous.unprotectRtp(buffer, start, end, into);
    return typeof earlier === 'number' || earlier === 'srtpReplay' ? earlier : outcome;
  }

  /** As SrtpContext.unprotectRtcp. */
  unprotectRtcp(buffer: Uint8Array, start: number, end: number, into: Uint8Array): number | SrtpDrop {
    const outcome = this.#current.unprotectRtcp(buffer, start, end, into);
    if (this.#previous === null || typeof outcome === 'number' || outcome === 'srtpReplay') return outcome;
    const earlier = this.#previous.unprotectRtcp(buffer, start, end, into);
    return typeof earlier === 'number' || earlier === 'srtpReplay' ? earlier : outcome;
  }
}
