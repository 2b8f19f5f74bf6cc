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

/** The URI of whoever is at that address. A `sips` URI needs no transport: it is TLS (RFC 5630 §3.1.3). */
export function uriOf(address: Address, transport: TransportName, scheme: 'sip' | 'sips' = 'sip'): string {
  const parameter = transport === 'udp' || scheme === 'sips' ? '' : `;transport=${transport}`;
  return `${scheme}:${bracketed(address.host)}:${address.port}${parameter}`;
}

/** `sips` where the request URI or the first of the named headers has it: our Contact must then be one too (RFC 3261 §8.1.1.8, §12.1.1). */
export function schemeFor(request: SipMessage, ...names: string[]): 'sip' | 'sips' {
  const first = names.map((name) => request.listValues(name)[0]).find((value) => value !== undefined);
  const uris = [request.requestUri, parseNameAddr(first ?? '')?.uri ?? ''];
  return uris.some((uri) => parseSipUri(uri)?.scheme === 'sips') ? 'sips' : 'sip';
}
