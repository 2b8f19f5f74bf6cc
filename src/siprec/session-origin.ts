// Where a recording session comes from: what of its INVITE is needed for as long as it lasts. Plain data.
import type { Transport } from './capabilities.ts';
import type { SessionContentSnapshot } from './session-content.ts';
import type { SessionTimerState } from './session-timer.ts';
import type { SipHeader } from './sip-headers.ts';
import type { Endpoint, IncomingRequest } from './srf.ts';

export interface SessionOrigin {
  callId: string;
  fromTag: string;
  requestUri: string;
  headers: SipHeader[];
  transport: Transport;
  remote: Endpoint;
  /** Null where the SIP server does not say. */
  local: Endpoint | null;
}

/** A session that is answered can be built again from this. */
export interface RecordingSessionSnapshot {
  dialogId: string;
  /** What the SIP server needs to go on with the dialog; null where it keeps that itself, or has forgotten it. */
  sipDialog: unknown;
  origin: SessionOrigin;
  /** Our media address. */
  host: string;
  /** Our half of the Session-ID. */
  identifier: string;
  content: SessionContentSnapshot;
  timer: SessionTimerState | null;
}

export function originOf(invite: IncomingRequest): SessionOrigin {
  const { callId, fromTag, requestUri, headers, transport, remote, local } = invite;
  return { callId, fromTag, requestUri, headers: [...headers], transport: transport ?? 'udp', remote, local };
}

/** What names a session from its INVITE on. Not Call-ID alone: a client may use one for several dialogs. */
export function sessionKey({ callId, fromTag }: { callId: string; fromTag: string }): string {
  return `${callId};from-tag=${fromTag}`;
}

/** `udp:10.0.0.1:5060` */
export function peerOf({ transport, remote: { host, port } }: SessionOrigin): string {
  return `${transport}:${host.includes(':') ? `[${host}]` : host}:${port}`;
}
