// Route sets (RFC 3261 §12.1.1, §12.1.2, §12.2.1.1): loose routing, and strict routing for old proxies.
import type { SipMessage } from '../message/message.ts';
import { parseNameAddr, parseSipUri } from '../message/uri.ts';

/** The callee takes the Record-Route list in order. Values that hold no SIP URI would stop every request: left out. */
export function routeSetOfCallee(request: SipMessage): string[] {
  return request.listValues('Record-Route').filter((value) => routeUri(value) !== null);
}

/** The caller takes it in reverse. */
export function routeSetOfCaller(response: SipMessage): string[] {
  return routeSetOfCallee(response).reverse();
}

export interface RoutedRequest {
  requestUri: string;
  /** Values for Route headers, in order. */
  routes: string[];
  /** The URI that says where the request is sent to. */
  nextHop: string;
}

/** Where a request inside the dialog goes. */
export function route(routeSet: readonly string[], remoteTarget: string): RoutedRequest {
  const [first, ...rest] = routeSet;
  if (first === undefined) return { requestUri: remoteTarget, routes: [], nextHop: remoteTarget };
  const firstUri = routeUri(first)!;
  if (parseSipUri(firstUri)!.params.has('lr')) {
    return { requestUri: remoteTarget, routes: [...routeSet], nextHop: firstUri };
  }
  // A strict router wants to see itself in the request URI and the target at the end of the list.
  return { requestUri: firstUri, routes: [...rest, `<${remoteTarget}>`], nextHop: firstUri };
}

function routeUri(value: string): string | null {
  const uri = parseNameAddr(value)?.uri ?? '';
  return parseSipUri(uri) ? uri : null;
}
