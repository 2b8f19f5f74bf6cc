// Why a datagram was not recorded. Counted, never thrown or logged one by one.
import type { RtpDropReason } from '../rtp/packet.ts';
import type { SrtpDrop } from '../rtp/srtp/context.ts';

export type DropReason =
  | RtpDropReason
  /** Neither RTP nor any protocol known on media ports: keepalives, scans. */
  | 'noise'
  | 'stun'
  | 'dtls'
  | 'zrtp'
  | 'turn'
  | 'rtcpInvalid'
  /** From another sender than the one that is held. */
  | 'otherSource'
  /** The stream's direction says that nothing is to be recorded. */
  | 'inactive'
  | 'tooLarge'
  /** Kept encrypted, but for `srtpReplay`. */
  | SrtpDrop
  /** No key opened it, and as much as is kept of such packets had been kept. */
  | 'srtpNotKept'
  /** The journal cannot be written fast enough, or not at all, and its buffer is full. */
  | 'journalBehind';

export type DropCounts = Record<DropReason, number>;

export function newDropCounts(): DropCounts {
  return {
    rtpTooShort: 0,
    notRtp: 0,
    rtpHeaderCut: 0,
    noise: 0,
    stun: 0,
    dtls: 0,
    zrtp: 0,
    turn: 0,
    rtcpInvalid: 0,
    otherSource: 0,
    inactive: 0,
    tooLarge: 0,
    srtpTooShort: 0,
    srtpTooLarge: 0,
    srtpMki: 0,
    srtpAuth: 0,
    srtpReplay: 0,
    srtpNotKept: 0,
    journalBehind: 0,
  };
}

/** Only the reasons that occurred. */
export function occurredDrops(counts: DropCounts): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
