// What a caller of the recording client says about a call, and what it gets back.

import type { SrtpSuite } from '../rtp/srtp/suites.ts';
import type { AudioSource } from './audio.ts';
import type { CodecName } from './codec.ts';
import type { ClientCredentials } from './digest.ts';
import type { ClientResponse } from './srf.ts';

export interface CallParty {
  /** Display name; null for none. */
  name: string | null;
  /** Address of record, `sip:1001@example.com`. */
  aor: string;
  audio: AudioSource;
}

/**
 * The key of the stream's own m-line, of another m-line (`crossed`: so do proxies that copy what phones send to each
 * other), or one that stands nowhere in the offer.
 */
export type KeyOwner = 'offered' | 'crossed' | 'unknown';

/** How the media is protected, and what the offer says about it. */
export interface SrtpPlan {
  suite: SrtpSuite;
  /** Whose key protects a stream, or each party's. `offered` unless given. */
  keys?: KeyOwner | KeyOwner[];
  /** `RTP/SAVP` unless given; with `RTP/AVP` the keys are an offer to do better. */
  protocol?: 'RTP/SAVP' | 'RTP/AVP';
  /** Two keys per m-line, told apart by MKI. */
  mki?: boolean;
}

/** How to set up one recording session. Each party sends one stream; labels are 0, 1, … in the parties' order. */
export interface ConnectRequest {
  /** The SRS, `sip:host:port`, with `;transport=tcp` or the field below. */
  uri: string;
  transport?: 'udp' | 'tcp';
  /** Caller first. At least one. */
  parties: CallParty[];
  /** `pcmu` unless given. */
  codec?: CodecName;
  /** Plain RTP unless given. */
  srtp?: SrtpPlan;
  /** The metadata's group, none unless given. */
  groupId?: string;
  /** What the metadata calls the recorded call; made up unless given. */
  sipSessionId?: string;
  /** For a recorder that asks for them (digest). */
  credentials?: ClientCredentials;
  /** Added to the INVITE; a name that the client sets itself (`Require`, `Contact` …) is replaced. */
  headers?: Record<string, string>;
  /** Without an answer for so long the INVITE is cancelled. 10 s unless given. */
  answerTimeoutMs?: number;
  /** Sender reports at this interval; none unless given. */
  reportIntervalMs?: number;
  /** o= version in re-offers: OpenSIPS never counts, RFC 3264 §8 does. `constant` unless given. */
  originVersions?: 'constant' | 'counting';
  /** What becomes of the recorder's own re-INVITEs and UPDATEs: answered and `followed`, answered but `ignored`, `refused` with 488. `followed` unless given. */
  recorderRequests?: 'followed' | 'ignored' | 'refused';
  /** Simulated trouble on the way, probabilities per packet. */
  impairment?: { loss?: number; reorder?: number; duplicate?: number };
  /** Makes SSRCs, sequence numbers, timestamps and impairment repeatable. Metadata ids stay random. */
  seed?: number;
  /** Cancels the INVITE while it is open. Once answered the session is the holder's to end. */
  signal?: AbortSignal;
}

export interface CallPlan extends ConnectRequest {
  /** From the first packet to the BYE. */
  durationMs: number;
  /** Holds one party's stream (the second's unless given) for a while, as a phone would. */
  hold?: { label?: string; atMs: number; forMs: number };
  /** One party (the first unless given) dials digits. */
  dtmf?: { label?: string; digits: string; atMs: number };
}

export interface StreamOutcome {
  label: string;
  packetsSent: number;
  /** Packets that the impairment withheld, and those that a stall of the sender cost. */
  packetsWithheld: number;
  packetsSkipped: number;
  /** Sends that failed and ICMP errors. */
  sendErrors: number;
  /** When the first packet left, Unix ms on the clock; null if none did. */
  startedMs: number | null;
  ssrc: number;
}

export interface CallOutcome {
  /** Null when not even an INVITE could be sent. */
  callId: string | null;
  /** The final response to the INVITE; null without one. */
  status: number | null;
  /** From the INVITE to its 200; null when there was none. */
  setUpMs: number | null;
  streams: StreamOutcome[];
  /**
   * `bye`: we ended it as planned, or the signal did. `remote-bye`: the SRS ended it before its time.
   * `refused`: a final response of 300 or more. `timeout`: no final response in time. `cancelled`: the signal came before
   * the answer. `error`: anything else, also an answer without SDP.
   */
  ended: 'bye' | 'remote-bye' | CallFailure;
  /** A sentence or a reason phrase, for people. */
  reason: string;
}

export type CallFailure = 'refused' | 'timeout' | 'cancelled' | 'error';

/** No session came about. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly ended: CallFailure;
  readonly callId: string | null;
  readonly response: ClientResponse | null;

  constructor(
    ended: CallFailure,
    reason: string,
    details: { callId?: string | null; response?: ClientResponse | null; cause?: unknown } = {},
  ) {
    super(reason, { cause: details.cause });
    this.ended = ended;
    this.callId = details.callId ?? null;
    this.response = details.response ?? null;
  }
}
