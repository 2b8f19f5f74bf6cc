// A UDP socket that listens for SIP, and flows over it (RFC 3261 §18).
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import { type Address, type Flow, TransportError } from './flow.ts';

export interface UdpListenerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  receiveBufferBytes: number;
  onDatagram(bytes: Buffer, flow: Flow): void;
  onError(error: Error): void;
}

export class UdpListener {
  readonly transport = 'udp';
  readonly #socket: Socket;
  readonly #address: Address;
  #closed = false;

  private constructor(socket: Socket) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#address = { host: address, port };
  }

  /** Rejects with the system's error, e.g. EADDRINUSE. IPv6 sockets take IPv6 only: list both to have both. */
  static async bind(options: UdpListenerOptions): Promise<UdpListener> {
    const isV6 = isIPv6(options.host);
    const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4', ipv6Only: isV6 });
    try {
      socket.bind({ address: options.host, port: options.port });
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    try {
      socket.setRecvBufferSize(options.receiveBufferBytes);
    } catch {
      // The system's own size has to do.
    }
    const listener = new UdpListener(socket);
    socket.on('error', options.onError);
    socket.on('message', (bytes, from) => {
      options.onDatagram(bytes, listener.flowTo({ host: from.address, port: from.port }));
    });
    return listener;
  }

  /** As bound: a wildcard stays 0.0.0.0 or ::. */
  get address(): Address {
    return this.#address;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** `remote.host` must be an IP address of the socket's family. */
  flowTo(remote: Address): Flow {
    return new UdpFlow(this, remote);
  }

  send(bytes: Buffer, remote: Address): Promise<void> {
    if (this.#closed) return Promise.reject(new TransportError('LAYER_CLOSED', 'The transport layer is closed.'));
    return new Promise((resolve, reject) => {
      // A bad port makes send() throw: the promise turns that into a rejection.
      this.#socket.send(bytes, remote.port, remote.host, (error) => (error ? reject(error) : resolve()));
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

class UdpFlow implements Flow {
  readonly transport = 'udp';
  readonly reliable = false;
  readonly remote: Address;
  readonly #listener: UdpListener;

  constructor(listener: UdpListener, remote: Address) {
    this.#listener = listener;
    this.remote = remote;
  }

  get local(): Address {
    return this.#listener.address;
  }

  get closed(): boolean {
    return this.#listener.closed;
  }

  send(bytes: Buffer): Promise<void> {
    return this.#listener.send(bytes, this.remote);
  }
}
