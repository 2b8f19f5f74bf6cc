// What a server writes into the top Via of a request, and where its answer goes (RFC 3261 §18.2, RFC 3581 §4).
import type { SipMessage } from '../message/message.ts';
import { viaWith } from '../message/via.ts';
import { canonicalHost } from './addresses.ts';
import type { Address, Target, TransportName } from './flow.ts';

/**
 * Fills `received` and `rport` from where the request really came from. What the client itself wrote there is not
 * believed: answers go by it.
 */
export function markSource(request: SipMessage, source: Address): void {
  const via = request.topVia;
  if (!via) return;
  const wantsPort = via.params.has('rport');
  const isElsewhere = canonicalHost(via.host) !== canonicalHost(source.host);
  if (!wantsPort && !isElsewhere && !via.params.has('received')) return;
  let marked = viaWith(via, 'received', undefined);
  if (wantsPort) marked = viaWith(marked, 'rport', String(source.port));
  if (wantsPort || isElsewhere) marked = viaWith(marked, 'received', canonicalHost(source.host));
  request.replaceTopVia(marked);
}

/** UDP: the port for the answer to a request from `source`; its address is the source's. `maddr` is not honoured. */
export function answerPort(request: SipMessage, source: Address): number {
  const via = request.topVia;
  return via?.params.has('rport') ? source.port : (via?.port ?? 5060);
}

/** TCP or TLS whose connection is gone: where to connect for the answer (§18.2.2). Null if the Via does not say. */
export function answerTarget(request: SipMessage, transport: TransportName): Target | null {
  const via = request.topVia;
  if (!via) return null;
  const port = via.port ?? (transport === 'tls' ? 5061 : 5060);
  if (via.received === null) return { transport, host: via.host, port };
  // The address is where the request came from; the certificate there is for the name that the client calls itself.
  return { transport, host: via.received, port, ...(transport === 'tls' ? { serverName: via.host } : {}) };
}
