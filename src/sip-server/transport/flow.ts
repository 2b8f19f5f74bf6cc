// What a SIP message travels on: a UDP socket with a peer, or one connection (RFC 3261 §18, "flow" as in RFC 5626).

import type { PeerCertificate } from './peer-certificate.ts';

export type TransportName = 'udp' | 'tcp' | 'tls';

export interface Address {
  /** An IP address without brackets. */
  host: string;
  port: number;
}

/** Where to send. `host` may be a name (resolved to A/AAAA only: no NAPTR, no SRV). */
export interface Target extends Address {
  transport: TransportName;
  /** TLS: the name that the peer's certificate must be for, where that is not `host`. */
  serverName?: string;
  /** Used instead of a new flow while it is open; for peers that can only be reached over their own connection. */
  flow?: Flow;
}

/** A way to one peer. Messages for the same peer may use different flows over time; a closed one stays closed. */
export interface Flow {
  readonly transport: TransportName;
  /** True where the transport repeats by itself, so that transactions need no retransmission. */
  readonly reliable: boolean;
  /** May be a wildcard (0.0.0.0, ::) for UDP: see TransportLayer.localAddressFor. */
  readonly local: Address;
  readonly remote: Address;
  /** What the peer has shown of itself. TLS only: null if it was not asked or has none. */
  readonly peerCertificate?: PeerCertificate | null;
  /** Always false for UDP until the whole layer is closed. */
  readonly closed: boolean;
  /** Resolves when the bytes are with the kernel. Rejects with a TransportError or a system error: both have `code`. */
  send(bytes: Buffer): Promise<void>;
}

export type TransportErrorCode =
  | 'CLOSED'
  | 'CONNECT_TIMEOUT'
  | 'LAYER_CLOSED'
  | 'NO_LISTENER'
  | 'PEER_TOO_SLOW'
  | 'TOO_MANY_CONNECTIONS'
  | 'TRANSPORT_UNKNOWN'
  | 'UNRESOLVED'
  | 'WRONG_CERTIFICATE';

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
