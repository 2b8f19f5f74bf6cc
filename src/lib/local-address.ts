// Which of our addresses faces a peer: what to write into Contact and SDP when a listener is bound to all addresses.
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';

const MAX_CACHED = 1_000;
const CACHE_MS = 60_000;

/**
 * The local IP address from which packets to `peerHost` (an IP address) leave, by the routing table; no packet is sent.
 * Rejects if there is no route.
 */
export function localAddressTowards(peerHost: string): Promise<string> {
  const family = isIP(peerHost);
  if (family === 0) return Promise.reject(new Error(`not an IP address: ${peerHost}`));
  return new Promise((resolve, reject) => {
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    const finish = (error: Error | null) => {
      const address = error ? '' : socket.address().address;
      socket.close();
      if (error) reject(error);
      else resolve(address);
    };
    socket.once('error', finish);
    // The discard port; connect() of a datagram socket only looks up the route.
    socket.connect(9, peerHost, () => finish(null));
  });
}

/** The same with a small memory, because routes rarely change and calls are many. */
export function cachedLocalAddress(nowMs: () => number): (peerHost: string) => Promise<string> {
  const known = new Map<string, { address: Promise<string>; untilMs: number }>();
  return (peerHost) => {
    const hit = known.get(peerHost);
    if (hit && hit.untilMs > nowMs()) return hit.address;
    if (known.size >= MAX_CACHED) known.clear();
    const address = localAddressTowards(peerHost);
    known.set(peerHost, { address, untilMs: nowMs() + CACHE_MS });
    address.catch(() => known.delete(peerHost));
    return address;
  };
}
