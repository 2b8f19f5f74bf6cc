// The bounds of the transport layer; every one can be changed by whoever builds it.
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from '../message/parse.ts';

export interface TransportLimits extends MessageLimits {
  /** TCP and TLS connections, in and out, handshakes under way included. */
  connections: number;
  /** The same, accepted from one IP address. */
  connectionsPerSource: number;
  /** A connection without any message or keep-alive for so long is closed. */
  idleMs: number;
  /** A message must be whole so long after its first byte. */
  halfMessageMs: number;
  /** Bytes waiting to be written to one connection, beyond which it is closed. */
  writeQueueBytes: number;
  /** For resolving a name, and again for connecting, a TLS handshake included. */
  connectMs: number;
  /** TLS handshakes of accepted connections under way on one listener; beyond, the oldest is given up. */
  handshakes: number;
  /** For one of them. */
  handshakeMs: number;
  /** How often the files of TLS certificates are looked at. */
  certificateCheckMs: number;
  /** Asked of the kernel for each UDP socket; it grants what net.core.rmem_max allows. */
  udpReceiveBufferBytes: number;
}

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  ...DEFAULT_MESSAGE_LIMITS,
  connections: 1024,
  connectionsPerSource: 256,
  idleMs: 600_000,
  halfMessageMs: 30_000,
  writeQueueBytes: 4_194_304,
  connectMs: 5_000,
  handshakes: 256,
  handshakeMs: 10_000,
  certificateCheckMs: 10_000,
  udpReceiveBufferBytes: 4_194_304,
};

/** `given` over `defaults`; what is missing or undefined in `given` keeps its default. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T> | undefined): T {
  const known = Object.entries(given ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(known) };
}
