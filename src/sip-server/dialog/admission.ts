// Whether a request of the peer has a place in its dialog now (RFC 3261 §12.2.2, §14.2, RFC 3311 §5.2, RFC 3262 §3).
import { randomInt } from 'node:crypto';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import type { LiveDialog } from './live-dialog.ts';

export interface Refusal {
  statusCode: number;
  reasonPhrase: string;
  /** Seconds. */
  retryAfter?: number;
}

export const NO_SUCH_DIALOG: Refusal = { statusCode: 481, reasonPhrase: 'Call/Transaction Does Not Exist' };
const PENDING: Refusal = { statusCode: 491, reasonPhrase: 'Request Pending' };

/** Null: the app gets it. Takes note of the request's CSeq and flow. */
export function refusalInDialog(dialog: LiveDialog, request: SipMessage, flow: Flow): Refusal | null {
  if (dialog.phase !== 'alive') {
    // Both sides hang up at once: each BYE is answered.
    return request.method === 'BYE' ? { statusCode: 200, reasonPhrase: 'OK' } : NO_SUCH_DIALOG;
  }
  if (!dialog.owner) return NO_SUCH_DIALOG;
  if (!dialog.dialog.acceptRequest(request, flow)) {
    return { statusCode: 500, reasonPhrase: 'Server Internal Error (CSeq out of order)' };
  }
  switch (request.method) {
    case 'INVITE':
      if (dialog.ownInvite) return PENDING;
      return dialog.theirInvite ? tryLater() : null;
    case 'UPDATE':
      if (dialog.theirUpdate) return tryLater();
      return dialog.ownInvite && request.body.length > 0 && dialog.dialog.state.phase === 'confirmed' ? PENDING : null;
    case 'PRACK':
      return dialog.theirInvite?.onPrack(request) ? null : NO_SUCH_DIALOG;
    default:
      return null;
  }
}

function tryLater(): Refusal {
  return { statusCode: 500, reasonPhrase: 'Server Internal Error (a request is open)', retryAfter: randomInt(0, 11) };
}
