// Answers that leave nothing behind (RFC 3261 §8.2.7): to what could not be read, and to what there is no room for.
import { createHash, randomBytes } from 'node:crypto';
import { addToTag, createResponse } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import type { MalformedReason } from '../message/parse.ts';
import type { Flow } from '../transport/flow.ts';
import type { Transports } from './transaction.ts';

export interface Refusal {
  statusCode: number;
  reasonPhrase: string;
  retryAfterSeconds?: number;
}

export const MERGED: Refusal = { statusCode: 482, reasonPhrase: 'Loop Detected (Merged Request)' };
export const OVERLOADED: Refusal = { statusCode: 503, reasonPhrase: 'Service Unavailable', retryAfterSeconds: 5 };

/** How a malformed request is refused. The phrase tells the peer's operator what is wrong (§21.4.1). */
export function refusalFor(reason: MalformedReason): Refusal {
  switch (reason) {
    case 'version':
      return { statusCode: 505, reasonPhrase: 'Version Not Supported' };
    case 'body-too-large':
      return { statusCode: 413, reasonPhrase: 'Request Entity Too Large' };
    case 'head-too-large':
    case 'too-many-headers':
      return { statusCode: 513, reasonPhrase: 'Message Too Large' };
    case 'truncated':
      return { statusCode: 400, reasonPhrase: 'Bad Request (body shorter than Content-Length)' };
    case 'content-length':
      return { statusCode: 400, reasonPhrase: 'Bad Request (Content-Length)' };
    case 'missing-header':
      return { statusCode: 400, reasonPhrase: 'Bad Request (Via, From, To, Call-ID or CSeq)' };
    case 'duplicate-header':
      return { statusCode: 400, reasonPhrase: 'Bad Request (a header that may stand once stands twice)' };
    default:
      return { statusCode: 400, reasonPhrase: 'Bad Request' };
  }
}

/** Makes To tags that are the same for every copy of a request, without remembering it (§8.2.7). */
const secret = randomBytes(16);

/** Sends the refusal; a failure to send is not reported. The request must not be an ACK. */
export function refuse(request: SipMessage, flow: Flow, refusal: Refusal, transports: Transports): void {
  const response = createResponse(request, refusal.statusCode, refusal.reasonPhrase);
  const identity = `${request.callId}|${request.fromTag}|${request.header('CSeq')}|${request.topVia?.branch}`;
  addToTag(response, createHash('sha256').update(secret).update(identity).digest('hex').slice(0, 16));
  if (refusal.retryAfterSeconds !== undefined) response.append('Retry-After', String(refusal.retryAfterSeconds));
  transports
    .answerFlow(request, flow)
    .send(response.toBytes())
    .catch(() => {});
}
