// Whose media a stream takes: the first valid sender is held; how and when another one may take his place.
import type { RtpHeader } from '../rtp/packet.ts';
import { Candidate, type Replay } from './candidate.ts';
import { type DatagramSource, sameSource } from './receiver.ts';

/** Packets with continuing sequence numbers that prove a sender. */
export const PROVING_RUN = 3;
/** A candidate that has been quiet for so long makes room for another. */
const CANDIDATE_IDLE_MS = 500;

/** What a packet from another sender than the held one leads to. */
export type Admission =
  /** He is held now. Kept packets of his, if any, are to be replayed before this one. */
  | 'accepted'
  /** Kept aside: recorded later if he proves to be the new source, dropped otherwise. */
  | 'probation'
  | 'refused';

/** After a re-negotiation the held source, if it still sends, is heard within this time. */
const RENEGOTIATED_SILENCE_MS = 200;

/**
 *             first valid RTP                     other sender
 *   learning ─────────────────▶ held ─────────────────────────────▶ held, with a candidate
 *                                ▲  ▲                                 │  │ held source sends again:
 *                                │  └── candidate forgotten ──────────┼──┘
 *                                └── candidate takes over ────────────┘
 *
 * The candidate takes over
 *  - at once, if he was held before the one who is held now;
 *  - at once, if he is of the held source's host, the stream was re-negotiated and the held source has sent nothing since;
 *  - with a run of PROVING_RUN consecutive packets, if the first source ever held never had two: a stray that came first;
 *  - when the held source has been silent for `takeoverMs`, or since a re-negotiation for RENEGOTIATED_SILENCE_MS, and the
 *    candidate has such a run or sends with the held SSRC.
 * What he sent meanwhile was kept and is not lost.
 * SDP addresses are not looked at: forking proxies send from elsewhere.
 */
export class SourceLock {
  held: DatagramSource | null = null;
  readonly #candidate = new Candidate();
  readonly #takeoverMs: number;
  #renegotiatedMs = Number.NEGATIVE_INFINITY;
  /** Held before another took over. Should he only have been silent, what the other sends must not keep him out. */
  #ousted: DatagramSource | null = null;
  /** Whoever is held has been proven, or follows one who was. */
  #settled = false;

  constructor(takeoverMs: number) {
    this.#takeoverMs = takeoverMs;
  }

  /** The stream's description has changed, or it goes on after a pause: the source may be another from now on. */
  renegotiated(nowMs: number): void {
    this.#renegotiatedMs = nowMs;
  }

  /**
   * Decides about a valid RTP packet whose source object is not the held one.
   * @param heldLastMs when the held source's last packet came
   * @param heldSsrc the SSRC of that packet
   * @param heldTrusted whether the held source has sent more than one packet
   */
  admit(
    source: DatagramSource,
    header: RtpHeader,
    buffer: Uint8Array,
    start: number,
    end: number,
    arrivalMs: number,
    heldLastMs: number,
    heldSsrc: number,
    heldTrusted: boolean,
  ): Admission {
    const { held } = this;
    if (held === null || sameSource(held, source)) {
      this.held = source;
      return 'accepted';
    }
    if (this.#ousted !== null && sameSource(this.#ousted, source)) {
      this.#ousted = null;
      this.held = source;
      return 'accepted';
    }
    const renegotiated = this.#renegotiatedMs >= heldLastMs;
    const proven = heldTrusted || this.#settled;
    if (renegotiated && source.host === held.host) return this.#takeOver(source, held);
    const candidate = this.#candidate;
    if (!candidate.is(source)) {
      const nearer = source.host === held.host && candidate.source?.host !== held.host;
      const busy = candidate.source !== null && arrivalMs - candidate.lastMs < CANDIDATE_IDLE_MS;
      if (busy && !nearer) return 'refused';
      candidate.begin(source, arrivalMs);
    } else if (heldLastMs > candidate.firstMs && proven) {
      candidate.begin(source, arrivalMs);
    }
    candidate.observe(header, arrivalMs);
    const silent = arrivalMs - heldLastMs >= (renegotiated ? RENEGOTIATED_SILENCE_MS : this.#takeoverMs);
    const hasRun = candidate.run >= PROVING_RUN;
    if ((silent && (hasRun || header.ssrc === heldSsrc)) || (hasRun && !proven)) {
      return this.#takeOver(source, proven ? held : null);
    }
    candidate.keep(buffer, start, end, arrivalMs);
    return 'probation';
  }

  #takeOver(source: DatagramSource, ousted: DatagramSource | null): 'accepted' {
    this.#ousted = ousted;
    this.#settled = true;
    this.held = source;
    return 'accepted';
  }

  /** Hands out the kept packets of whoever was just accepted, in order, and forgets them. */
  replayKept(each: Replay): void {
    if (this.#candidate.source !== null && this.held !== null && this.#candidate.is(this.held)) {
      this.#candidate.replay(each);
    }
    this.#candidate.forget();
  }

  /**
   * At the end of the stream: a proven candidate is accepted if the held source fell silent before he appeared, since
   * nobody will come to tell.
   * @returns the source accepted; its kept packets are to be replayed
   */
  settle(heldLastMs: number, heldSsrc: number): DatagramSource | null {
    const candidate = this.#candidate;
    const proven = candidate.run >= PROVING_RUN || (candidate.kept > 0 && candidate.ssrc === heldSsrc);
    if (candidate.source === null || !proven || heldLastMs > candidate.firstMs) return null;
    this.held = candidate.source;
    return candidate.source;
  }
}
