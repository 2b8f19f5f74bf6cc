// All open TCP and TLS connections: who is connected, how many, and connecting to whom is not (RFC 3261 §18.1.1, §18.2.2).
import type { Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import { canonicalHost } from './addresses.ts';
import { type Address, type Flow, TransportError } from './flow.ts';
import type { TransportLimits } from './limits.ts';
import { isCertificateFor } from './peer-certificate.ts';
import { type ConnectionEnd, StreamConnection, type StreamConnectionOptions } from './stream-connection.ts';

export interface ConnectionTableOptions {
  limits: TransportLimits;
  clock: Clock;
  onParsed: StreamConnectionOptions['onParsed'];
  onEnded(connection: StreamConnection, end: ConnectionEnd): void;
}

/** A peer, and how to connect to it. */
export interface Route {
  transport: 'tcp' | 'tls';
  remote: Address;
  /** TLS: the name that the peer's certificate must be for; null if the address is all that is known. */
  peerName: string | null;
  connect(): Socket;
}

export class ConnectionTable {
  readonly #options: ConnectionTableOptions;
  readonly #open = new Set<StreamConnection>();
  /** By address, and those opened to a name by address and name. */
  readonly #byKey = new Map<string, StreamConnection>();
  readonly #connecting = new Map<string, { socket: Socket; connected: Promise<Flow> }>();
  /** Accepted and not yet gone, TLS handshakes included. */
  readonly #perSource = new Map<string, number>();
  #accepted = 0;
  /** Opened by us and not yet gone. */
  #opened = 0;
  #closed = false;
  #onEmpty: (() => void) | null = null;

  constructor(options: ConnectionTableOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Counts a connection that a peer has opened until it is gone, or refuses it by closing it (false). */
  admit(socket: Socket): boolean {
    const source = socket.remoteAddress;
    const ofSource = source === undefined ? 0 : (this.#perSource.get(source) ?? 0);
    socket.on('error', () => {});
    if (this.#closed || source === undefined || this.#isFull || ofSource >= this.#options.limits.connectionsPerSource) {
      socket.destroy();
      return false;
    }
    this.#perSource.set(source, ofSource + 1);
    this.#accepted++;
    socket.once('close', () => this.#forgetSource(source));
    return true;
  }

  /** Takes over an admitted connection; for TLS the secure socket. */
  take(socket: Socket, transport: 'tcp' | 'tls'): void {
    if (this.#closed) socket.destroy();
    else this.#adopt(socket, transport, null, () => {});
  }

  /**
   * The open connection with that remote address, whoever opened it, else a new one. For a name over TLS only one whose
   * certificate is for it, as RFC 5923 wants of aliases; an address without a name means whoever is there. Calls at the
   * same time share one attempt. Rejects with a TransportError or the system's error.
   */
  flowTo(route: Route): Promise<Flow> {
    const key = keyOf(route.transport, route.remote, route.peerName);
    const open = this.#byKey.get(key) ?? this.#namedLike(route);
    if (open) return Promise.resolve(open);
    const running = this.#connecting.get(key);
    if (running) return running.connected;
    if (this.#closed) return Promise.reject(new TransportError('LAYER_CLOSED', 'The transport layer is closed.'));
    if (this.#isFull) {
      return Promise.reject(new TransportError('TOO_MANY_CONNECTIONS', 'The limit of connections is reached.'));
    }
    const socket = route.connect();
    const connected = this.#connected(socket, route).finally(() => this.#connecting.delete(key));
    this.#connecting.set(key, { socket, connected });
    return connected;
  }

  /** Closes everything, running attempts too; resolves when no socket is left. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { socket } of this.#connecting.values()) {
      socket.destroy(new TransportError('LAYER_CLOSED', 'The transport layer is closed.'));
    }
    for (const connection of [...this.#open]) connection.close('layer-closed');
    await Promise.allSettled([...this.#connecting.values()].map(({ connected }) => connected));
    if (this.#open.size > 0) await new Promise<void>((resolve) => (this.#onEmpty = resolve));
  }

  get #isFull(): boolean {
    return this.#accepted + this.#opened + this.#connecting.size >= this.#options.limits.connections;
  }

  #namedLike({ transport, remote, peerName }: Route): StreamConnection | undefined {
    if (peerName === null) return undefined;
    const open = this.#byKey.get(keyOf(transport, remote, null));
    const certificate = open?.peerCertificate;
    return certificate?.authorized && isCertificateFor(certificate, peerName) ? open : undefined;
  }

  #connected(socket: Socket, { transport, remote, peerName }: Route): Promise<Flow> {
    const { clock, limits } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = clock.after(limits.connectMs, () => {
        const name = `${remote.host}:${remote.port}`;
        socket.destroy(
          new TransportError('CONNECT_TIMEOUT', `No connection to ${name} within ${limits.connectMs} ms.`),
        );
      });
      socket.once('error', (error) => {
        timer.cancel();
        reject(error);
      });
      socket.once(transport === 'tls' ? 'secureConnect' : 'connect', () => {
        timer.cancel();
        this.#opened++;
        resolve(this.#adopt(socket, transport, peerName, () => this.#opened--));
      });
    });
  }

  #adopt(socket: Socket, transport: 'tcp' | 'tls', peerName: string | null, onGone: () => void): StreamConnection {
    const connection = new StreamConnection({
      socket,
      transport,
      limits: this.#options.limits,
      clock: this.#options.clock,
      onParsed: this.#options.onParsed,
      onEnded: (ended, end) => {
        for (const key of keys) if (this.#byKey.get(key) === ended) this.#byKey.delete(key);
        this.#options.onEnded(ended, end);
      },
      onGone: (gone) => {
        this.#open.delete(gone);
        onGone();
        if (this.#open.size === 0) this.#onEmpty?.();
      },
    });
    const keys = [keyOf(transport, connection.remote, null), keyOf(transport, connection.remote, peerName)];
    this.#open.add(connection);
    for (const key of keys) this.#byKey.set(key, connection);
    return connection;
  }

  #forgetSource(source: string): void {
    this.#accepted--;
    const left = (this.#perSource.get(source) ?? 1) - 1;
    if (left > 0) this.#perSource.set(source, left);
    else this.#perSource.delete(source);
  }
}

function keyOf(transport: string, remote: Address, peerName: string | null): string {
  return `${transport}|${canonicalHost(remote.host)}|${remote.port}|${peerName ?? ''}`;
}
