// A TCP socket that listens for SIP, and connections to others. TlsListener has the same members.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { isWildcard } from './addresses.ts';
import type { Address } from './flow.ts';

export interface TcpListenerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** A new connection; the receiver owns it. */
  onSocket(socket: Socket): void;
  onError(error: Error): void;
}

export class TcpListener {
  readonly transport = 'tcp';
  /** As bound: a wildcard stays 0.0.0.0 or ::. */
  readonly address: Address;
  readonly #server: Server;

  private constructor(server: Server) {
    const bound = server.address() as AddressInfo;
    this.#server = server;
    this.address = { host: bound.address, port: bound.port };
  }

  /** Rejects with the system's error, e.g. EADDRINUSE. */
  static async bind(options: TcpListenerOptions): Promise<TcpListener> {
    const server = createServer();
    server.listen({ host: options.host, port: options.port, ipv6Only: isIPv6(options.host), backlog: 511 });
    await once(server, 'listening');
    server.on('connection', options.onSocket);
    server.on('error', options.onError);
    return new TcpListener(server);
  }

  /** Begins a connection from this listener's address, which says `connect`, or `error`. */
  connect(remote: Address): Socket {
    return connect({ ...remote, ...localAddressOf(this.address) });
  }

  /** Stops accepting; open connections belong to whoever got them. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** The source address for connections of a listener; behind a wildcard the kernel's choice. */
export function localAddressOf({ host }: Address): { localAddress?: string } {
  return isWildcard(host) ? {} : { localAddress: host };
}
