// Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).
import { randomBytes } from 'node:crypto';
import type { SipMessage } from '../message/message.ts';
import { formatVia, type Via, viaWith } from '../message/via.ts';

const MAGIC_COOKIE = 'z9hG4bK';

/** A branch that nobody can guess: responses are matched by it alone. */
export function newBranch(): string {
  return MAGIC_COOKIE + randomBytes(12).toString('hex');
}

export function newTag(): string {
  return randomBytes(8).toString('hex');
}

function hasCookie(via: Via): boolean {
  return via.branch !== null && via.branch.length > MAGIC_COOKIE.length && via.branch.startsWith(MAGIC_COOKIE);
}

/**
 * The server transaction that a request belongs to, `method` standing for its own: an ACK and a CANCEL look for 'INVITE'.
 * Without the magic cookie the rules of RFC 2543 apply, except for the To tag of an ACK: see isFromBefore3261.
 */
export function serverKey(request: SipMessage, method: string): string {
  const via = request.topVia;
  if (!via) return '';
  const sentBy = `${via.host.toLowerCase()}:${via.port ?? ''}`;
  if (hasCookie(via)) return `${method}|${via.branch}|${sentBy}`;
  const { callId, fromTag, cseq, requestUri } = request;
  // As the client wrote it: what we add depends on the connection.
  const asSent = formatVia(viaWith(viaWith(via, 'received', undefined), 'rport', undefined));
  return JSON.stringify([method, requestUri, fromTag, callId, cseq?.number, asSent]);
}

/** True if an ACK must also carry the To tag of the response that it acknowledges, to match. */
export function isFromBefore3261(request: SipMessage): boolean {
  return request.topVia !== null && !hasCookie(request.topVia);
}

/** Equal for copies of one request that came by different ways. Null inside a dialog, where there is no such thing. */
export function mergeKey(request: SipMessage): string | null {
  const { toTag, callId, fromTag, cseq } = request;
  return toTag === null ? JSON.stringify([callId, fromTag, cseq?.number, cseq?.method]) : null;
}

/** The client transaction that a response belongs to; null if it names none. */
export function clientKey(message: SipMessage): string | null {
  const branch = message.topVia?.branch;
  const method = message.cseq?.method;
  return branch && method ? `${method}|${branch}` : null;
}
