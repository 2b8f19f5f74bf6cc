// The frames that an app may send, as a union; what the reference server tells apart by position is named here.
import { type AppMessage, parseAppMessage } from './app-message.ts';

export type Command =
  | { kind: 'authenticate'; id: string; secret: string }
  | { kind: 'route'; id: string; verb: string }
  | { kind: 'remove-route'; id: string; verb: string }
  | { kind: 'ping'; id: string }
  /** Answers the request of that transaction. */
  | { kind: 'answer'; id: string; transactionId: string; message: AppMessage }
  | { kind: 'request-in-dialog'; id: string; dialogId: string; message: AppMessage }
  | { kind: 'cancel'; id: string; transactionId: string; message: AppMessage }
  /** `routeUri` is the next hop, or empty. */
  | { kind: 'request'; id: string; routeUri: string; message: AppMessage }
  | { kind: 'proxy'; id: string }
  | { kind: 'invalid'; id: string; reason: string };

const CR = 0x0d;

/** Reads one payload. Whatever it holds, the result is a command, `invalid` at worst. */
export function parseCommand(payload: Buffer): Command {
  const lineEnd = payload.indexOf(CR);
  const tokens = payload.toString('utf8', 0, lineEnd < 0 ? payload.length : lineEnd).split('|');
  const [id = '', type, first] = tokens;
  if (type === undefined) return { kind: 'invalid', id, reason: 'Invalid message format' };
  switch (type) {
    case 'authenticate':
      // A secret may hold no `|`: tokens have no escape.
      return { kind: 'authenticate', id, secret: first ?? '' };
    case 'route':
      return first ? { kind: 'route', id, verb: first } : { kind: 'invalid', id, reason: 'Invalid message format' };
    case 'remove_route':
      return first
        ? { kind: 'remove-route', id, verb: first }
        : { kind: 'invalid', id, reason: 'Invalid message format' };
    case 'ping':
      return { kind: 'ping', id };
    case 'proxy':
      return { kind: 'proxy', id };
    case 'sip':
      return lineEnd < 0
        ? { kind: 'invalid', id, reason: 'Invalid message format' }
        : parseSipCommand(tokens, parseAppMessage(payload.subarray(lineEnd + 2)));
    default:
      return { kind: 'invalid', id, reason: 'Unknown message type' };
  }
}

function parseSipCommand(tokens: string[], message: AppMessage): Command {
  const [id = '', , transactionId = '', dialogId = '', routeUri = ''] = tokens;
  if (message.startLine.startsWith('SIP/')) {
    if (!transactionId) return { kind: 'invalid', id, reason: 'transaction id missing' };
    return { kind: 'answer', id, transactionId, message };
  }
  if (dialogId) return { kind: 'request-in-dialog', id, dialogId, message };
  if (!transactionId) return { kind: 'request', id, routeUri, message };
  if (/^CANCEL /i.test(message.startLine)) return { kind: 'cancel', id, transactionId, message };
  return { kind: 'invalid', id, reason: 'Invalid message format' };
}
