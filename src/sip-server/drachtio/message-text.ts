// The text of a message as an app gets it.
import { targetOf, uriOf } from '../dialog/contact.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';

/**
 * One header per line, full names. drachtio-srf throws in the middle of createUAS, after the 200 has left, when it
 * cannot read a Contact in the request: where none is usable it is told the address that the server itself will use.
 */
export function textForApp(message: SipMessage, flow: Flow | null): string {
  const makesDialog = message.kind === 'request' && (message.method === 'INVITE' || message.method === 'SUBSCRIBE');
  if (!makesDialog || !flow || targetOf(message) !== null) return message.toText();
  const shown = message.clone();
  shown.set('Contact', `<${uriOf(flow.remote, flow.transport)}>`);
  return shown.toText();
}
