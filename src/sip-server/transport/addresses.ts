// Comparing IP addresses, and finding which of our own faces a peer.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../../lib/clock.ts';

export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** One spelling per address: IPv6 compressed, no zone, no brackets; names in lower case. */
export function canonicalHost(host: string): string {
  const bare = host.replace(/^\[|\]$/g, '').replace(/%.*$/s, '');
  if (isIPv6(bare)) return new SocketAddress({ address: bare, family: 'ipv6' }).address;
  return isIPv4(bare) ? bare : bare.toLowerCase();
}

/** True if this machine has that address. */
export function isLocalInterface(host: string): boolean {
  const wanted = canonicalHost(host);
  // All of 127/8 is this machine (RFC 1122 §3.2.1.3), though only one address of it is listed.
  if (wanted.startsWith('127.') && isIPv4(wanted)) return true;
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((entry) => canonicalHost(entry.address) === wanted),
  );
}

const CACHE_ENTRIES = 1_024;
const CACHE_MS = 60_000;

/** Remembers for a minute which local address the kernel would use towards a peer. */
export class LocalAddresses {
  readonly #clock: Clock;
  readonly #known = new Map<string, { untilMs: number; local: Promise<string> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The local IP address towards `peer` (an IP address). Nothing is sent. Falls back to the loopback address. */
  towards(peer: string): Promise<string> {
    const nowMs = this.#clock.nowMs();
    const known = this.#known.get(peer);
    if (known && known.untilMs > nowMs) return known.local;
    this.#known.delete(peer);
    const oldest = this.#known.keys().next().value;
    if (this.#known.size >= CACHE_ENTRIES && oldest !== undefined) this.#known.delete(oldest);
    const local = askKernel(peer);
    this.#known.set(peer, { untilMs: nowMs + CACHE_MS, local });
    return local;
  }
}

async function askKernel(peer: string): Promise<string> {
  const isV6 = isIPv6(peer);
  const socket = createSocket(isV6 ? 'udp6' : 'udp4');
  try {
    // Connecting a UDP socket only looks up the route. Any port will do.
    socket.connect(5060, peer);
    await once(socket, 'connect');
    return canonicalHost(socket.address().address);
  } catch {
    return isV6 ? '::1' : '127.0.0.1';
  } finally {
    socket.close();
  }
}
