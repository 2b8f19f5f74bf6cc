// From a SIP URI to the address that a request is sent to (RFC 3263 without NAPTR and SRV: A and AAAA only).
import { parseNameAddr, parseSipUri } from '../message/uri.ts';
import type { Target, TransportName } from '../transport/flow.ts';

const TRANSPORTS: readonly string[] = ['udp', 'tcp', 'tls'] satisfies TransportName[];

/** `text` is a URI or a name-addr. Without a transport parameter `otherwise` is used. Null if it is no SIP URI. */
export function targetForUri(text: string, otherwise: TransportName = 'udp'): Target | null {
  // Without angle brackets a name-addr would take `;transport=tcp` for a parameter of its own (RFC 3261 §20); here it is the URI's.
  const uri = parseSipUri(text.includes('<') ? (parseNameAddr(text)?.uri ?? '') : text);
  if (!uri) return null;
  const named = uri.params.get('transport')?.toLowerCase();
  if (named !== undefined && !TRANSPORTS.includes(named)) return null;
  const transport = uri.scheme === 'sips' ? 'tls' : ((named as TransportName | undefined) ?? otherwise);
  return {
    transport,
    host: uri.params.get('maddr') ?? uri.host,
    port: uri.port ?? (transport === 'tls' ? 5061 : 5060),
  };
}
