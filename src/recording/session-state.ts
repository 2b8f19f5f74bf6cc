// session.json: what another process needs to go on with a recording, or to finish it. Replaced atomically beside the journal.

import type { ClockOrigin } from '../lib/clock-origin.ts';
import type { CallDescription, RawMetadata, Warning } from './call.ts';
import type { DeclaredFormat } from './declared-formats.ts';
import type { AnnouncedAddress, StreamAddress, StreamSrtp, StreamStatistics } from './media.ts';
import type { PauseMark } from './pauses.ts';
import type { AppliedRule } from './rules.ts';

export const SESSION_STATE_VERSION = 1;

/**
 *    ┌──process died, another goes on──┐
 *    ▼                                 │
 *   recording ─────────────────────────┘
 *    │  └──process died, too long ago to go on──▶ sealed, with `endReason: 'interrupted'`
 *    └──stop──▶ sealed ──rendered and filed──▶ (gone from the spool)
 */
export type SessionPhase = 'recording' | 'sealed';

export type EndReason =
  /** The client ended the session (BYE). */
  | 'ended'
  /** The INVITE was cancelled or never acknowledged. */
  | 'cancelled'
  /** No media and no signalling for the inactivity limit. */
  | 'abandoned'
  | 'max-duration'
  /** We ended it: shutdown, API, command line. */
  | 'stopped'
  /** The process died while it was running, and none went on in time. */
  | 'interrupted'
  | 'failed';

/** One recording session (SIP dialog) that brings or brought the recording. */
export interface BringingSession {
  sipCallId: string;
  /** Signalling peer, `udp:10.0.0.1:5060`. */
  peer: string;
  /** Media clock, Unix ms. */
  startMs: number;
  /** Null while it lasts. */
  endMs: number | null;
  endReason: EndReason | null;
  /** Why it belongs to this recording: `first`, or the rule that found the recording (`session-id`, `sip-session-id`, `vendor-id:ucid`). */
  joinedBy: string;
  /** Reason header fields of the request that ended it (RFC 3326). */
  reasons: string[];
}

/** Times on the media clock. */
export interface StreamSender {
  participantId: string;
  fromMs: number;
  /** Null while it sends, or to the end. */
  untilMs: number | null;
}

export interface SessionStream {
  streamId: string;
  key: string;
  label: string | null;
  /** Every format that the stream was ever offered with. */
  formats: DeclaredFormat[];
  /** The client sends: no hold of its own. */
  receiving: boolean;
  /** Our own pause, or a rule's discard; its media is dropped whatever the client does. */
  paused?: PauseMark | null;
  /** The keys of the latest offer, so that another process can go on with the call. Absent: plain RTP. */
  srtp?: StreamSrtp;
  address: StreamAddress;
  /** The address as the client chose it; absent where the choice was ours. */
  announced?: AnnouncedAddress;
  /** False once the client has removed the stream. */
  present: boolean;
  /** Number of the recording session that brings it, from 1. */
  session?: number;
  /** Who sent it and when, in order, as far as the door has said; several at once when the client mixes. */
  senders?: StreamSender[];
}

/** Something that happened, at a time on the media clock. Offsets into the audio are worked out when it is known. */
export type SessionEvent =
  | { type: 'started' | 'ended'; atMs: number; detail?: string }
  /** From `atMs` on, for so long, no process took media. */
  | { type: 'restart'; atMs: number; durationMs: number }
  | { type: 'hold' | 'resume'; atMs: number; streamId: string }
  | { type: 'paused' | 'resumed'; atMs: number; streamId: string; by: string; reason: string | null }
  | { type: 'stream-added' | 'stream-removed'; atMs: number; streamId: string }
  /** `detail`: what changed. */
  | { type: 'stream-changed'; atMs: number; streamId: string; detail: string }
  /** `statedMs`: the time that the client states. `identified`: somebody whom we had not known was there already. */
  | { type: 'joined' | 'left' | 'identified'; atMs: number; participantId: string; statedMs?: number }
  | { type: 'party-changed'; atMs: number; participantId: string; detail: string }
  /** From here on the party is known to send the stream. */
  | { type: 'sender'; atMs: number; streamId: string; participantId: string }
  | { type: 'interrupted' | 'recovered'; atMs: number; detail?: string };

export interface SessionState {
  version: typeof SESSION_STATE_VERSION;
  recordingId: string;
  source: 'siprec' | 'oreka' | 'import';
  phase: SessionPhase;
  endReason: EndReason | null;
  directory: string;
  journalPath: string;
  audioPath: string;
  /** Media clock, Unix ms. */
  startMs: number;
  endMs: number | null;
  /** Wall clock at the start, for labels. */
  startWallMs: number;
  /** What the media clock is tied to; null where another process cannot count on. */
  clock: ClockOrigin | null;
  /** Instead of the configured inactivity limits, as the door wanted it. */
  inactivityMs?: number;
  call: CallDescription;
  streams: SessionStream[];
  events: SessionEvent[];
  metadata: RawMetadata[];
  warnings: Warning[];
  /** Signalling peer, `udp:10.0.0.1:5060`. */
  peer: string | null;
  /** The recording sessions that brought it, in order. Absent where the door knows no sessions. */
  sessions?: BringingSession[];
  /** Pauses by our own order that are in force. */
  pauses?: PauseMark[];
  /** The rule that decided about the call; null if none did. */
  rule?: AppliedRule | null;
  statistics: Record<string, StreamStatistics> | null;
  /** Whatever the door needs to restore its side; opaque to everyone else. */
  door: unknown;
}
