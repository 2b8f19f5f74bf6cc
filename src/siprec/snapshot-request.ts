// Asks a client that has sent no metadata for all of it, once (RFC 7866 §9.2): an UPDATE with application/rs-metadata-request.
// The snapshot comes in a request of the client's own, or in the answer; no for an answer is as good as none.
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readRecordingBody } from './multipart.ts';
import type { SessionContent } from './session-content.ts';
import { bodyOfSipMessage, headerList, headerValue, readSipHeaders, type SipHeader } from './sip-headers.ts';
import type { InDialogResult } from './srf.ts';

export interface SnapshotRequestParts {
  clock: Clock;
  log: Log;
  /** Of the INVITE. */
  headers: readonly SipHeader[];
  content: Pick<SessionContent, 'hasMetadata' | 'change'>;
  /** Runs a step between two requests of the client. */
  inTurn: <Result>(step: () => Result | Promise<Result>) => Promise<Result>;
  /** Never rejects. */
  send: (method: string, headers: Record<string, string>, body: string) => Promise<InDialogResult>;
}

/** Clients send the real parties a moment after the call is up. */
const PATIENCE_MS = 2_000;

export const SNAPSHOT_TYPE = 'application/rs-metadata-request';

const BODY = [
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">',
  '  <requestreason xml:lang="en">no metadata received</requestreason>',
  '</requestsnapshot>',
  '',
].join('\r\n');

export class SnapshotRequest {
  readonly #parts: SnapshotRequestParts;
  #state: 'idle' | 'waiting' | 'done' = 'idle';
  #wait: Timer | null = null;

  constructor(parts: SnapshotRequestParts) {
    this.#parts = parts;
  }

  /** The dialog is established. */
  start(): void {
    if (this.#state !== 'idle' || !understandsSnapshotRequests(this.#parts.headers)) return;
    this.#state = 'waiting';
    this.#wait = this.#parts.clock.after(PATIENCE_MS, () => void this.#ask());
  }

  close(): void {
    this.#state = 'done';
    this.#wait?.cancel();
  }

  async #ask(): Promise<void> {
    const { content, send, inTurn, clock, log } = this.#parts;
    this.#state = 'done';
    if (content.hasMetadata) return;
    const headers = { 'Content-Type': SNAPSHOT_TYPE, 'Content-Disposition': 'recording-session' };
    const { status, receivedRaw } = await send('UPDATE', headers, BODY);
    log.info({ status }, 'the client was asked for its metadata');
    if (status < 200 || status >= 300 || receivedRaw === null) return;
    const type = headerValue(readSipHeaders(receivedRaw), 'content-type');
    const body = { ...readRecordingBody(type, bodyOfSipMessage(receivedRaw)), sdp: null, warnings: [] };
    if (body.metadata) await inTurn(() => content.change(body, null, clock.nowMs())).catch(() => {});
  }
}

/**
 * A client that takes such requests says so in Accept (RFC 7866 §9.1); of the others, only who claims to be a recording client
 * is asked. OpenSIPS answers 488 and repeats the body as if it were SDP.
 */
function understandsSnapshotRequests(headers: readonly SipHeader[]): boolean {
  if (/opensips/i.test(headerValue(headers, 'user-agent') ?? '')) return false;
  const accepted = headerList(headers, 'accept').map((type) => type.toLowerCase().replace(/;.*/s, '').trim());
  if (accepted.includes(SNAPSHOT_TYPE)) return true;
  return headerList(headers, 'require').some((tag) => tag.toLowerCase() === 'siprec');
}
