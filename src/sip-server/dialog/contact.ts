// Contact values: the peer's, which may be broken, and ours.
import type { SipMessage } from '../message/message.ts';
import { parseNameAddr, parseSipUri } from '../message/uri.ts';
import { bracketed } from '../message/via.ts';
import type { Address, TransportName } from '../transport/flow.ts';

/**
 * The URI of the first Contact that names a reachable SIP address, or null: then the old target stays. OpenSIPS 3.6
 * sends `Contact: <<sip:127.0.40.1:5060>;+sip.src>` in its answers, which must change nothing, whatever can be read
 * out of it.
 */
export function targetOf(message: SipMessage): string | null {
  for (const value of message.listValues('Contact')) {
    if (value.includes('<<')) continue;
    const address = parseNameAddr(value);
    if (address && parseSipUri(address.uri)) return address.uri;
  }
  return null;
}

/** The URI of whoever is at that address. */
export function uriOf(address: Address, transport: TransportName): string {
  const parameter = transport === 'udp' ? '' : `;transport=${transport}`;
  return `sip:${bracketed(address.host)}:${address.port}${parameter}`;
}
