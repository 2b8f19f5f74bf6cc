// Accepted connections on their way through the TLS handshake: how many, for how long, and why one fails.
//
//   begin ──handshake over──> secure (handed on)
//     └──fails, takes too long, or gives way to a newer one──> gone
import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Address } from './flow.ts';
import type { TransportLimits } from './limits.ts';
import { hasOneOfNames, readPeerCertificate } from './peer-certificate.ts';
import type { TlsCredentials } from './tls-credentials.ts';
import type { TlsSettings } from './tls-settings.ts';

export interface TlsHandshakesOptions {
  credentials: TlsCredentials;
  clientCertificates: TlsSettings['clientCertificates'];
  clientNames: TlsSettings['clientNames'];
  limits: TransportLimits;
  clock: Clock;
  log: Log;
  onSecure(socket: TLSSocket): void;
  onFailed(): void;
}

interface Handshake {
  socket: Socket;
  timer: Timer;
}

/** At most one warning in so long. */
const WARN_MS = 60_000;

/** What only a TLS client can cause whose settings do not go with ours. The rest is noise that any open port gets. */
const DISAGREEMENT = /ALERT|CERTIFICATE|UNSUPPORTED_PROTOCOL|NO_SHARED_CIPHER/;

export class TlsHandshakes {
  readonly #options: TlsHandshakesOptions;
  /** Never listens itself: it is given accepted sockets. */
  readonly #server: Server;
  /** By both ends' addresses; the oldest first. */
  readonly #running = new Map<string, Handshake>();
  /** Whose socket is being closed right now. */
  #closing: Address | undefined;
  #quietUntilMs = 0;

  constructor(options: TlsHandshakesOptions) {
    const { credentials, clientCertificates = 'none' } = options;
    this.#options = options;
    this.#server = createServer({
      ...credentials.server,
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'require',
      // The limit that counts is ours, below.
      handshakeTimeout: 2 * options.limits.handshakeMs,
    });
    this.#server.on('secureConnection', (socket) => {
      this.#end(keyOf(socket));
      if (this.#isWanted(socket)) options.onSecure(socket);
    });
    this.#server.on('tlsClientError', (error, socket) => this.#onFailed(error, socket));
  }

  get size(): number {
    return this.#running.size;
  }

  /** For new handshakes; connections and running handshakes keep what they have. */
  renew(): void {
    this.#server.setSecureContext(this.#options.credentials.server);
  }

  /** Takes a connected socket. When too many are on their way the one that has taken longest gives way. */
  begin(socket: Socket): void {
    const { clock, limits } = this.#options;
    const [oldest] = this.#running;
    if (oldest && this.#running.size >= limits.handshakes) this.#abandon(...oldest);
    const key = keyOf(socket);
    const peer = peerOf(socket);
    const timer = clock.after(limits.handshakeMs, () => socket.destroy());
    this.#running.set(key, { socket, timer });
    socket.once('close', () => {
      if (this.#running.get(key)?.socket === socket) this.#end(key);
      this.#closing = peer;
      queueMicrotask(() => (this.#closing = undefined));
    });
    this.#server.emit('connection', socket);
  }

  close(): void {
    for (const [key, handshake] of [...this.#running]) this.#abandon(key, handshake);
  }

  /** Forgotten at once: when the socket says that it is closed, others may have begun already. */
  #abandon(key: string, { socket }: Handshake): void {
    this.#end(key);
    socket.destroy();
  }

  #end(key: string): void {
    this.#running.get(key)?.timer.cancel();
    this.#running.delete(key);
  }

  /** False: its certificate is good, but nobody's who is expected, and it has been closed. */
  #isWanted(socket: TLSSocket): boolean {
    const { clientNames = [], onFailed } = this.#options;
    const certificate = clientNames.length > 0 ? readPeerCertificate(socket) : null;
    if (clientNames.length === 0 || (certificate && hasOneOfNames(certificate, clientNames))) return true;
    onFailed();
    const names = [certificate?.commonName, ...(certificate?.altNames ?? [])].filter((name) => name != null);
    this.#warn(
      { peer: peerOf(socket), names },
      'a TLS client has a certificate with none of the names that are let in',
    );
    socket.destroy();
    return false;
  }

  /** At most one a minute. */
  #warn(fields: object, message: string): boolean {
    const { clock, log } = this.#options;
    if (clock.nowMs() < this.#quietUntilMs) return false;
    this.#quietUntilMs = clock.nowMs() + WARN_MS;
    log.warn(fields, message);
    return true;
  }

  #onFailed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const { log, onFailed } = this.#options;
    onFailed();
    // A certificate that is refused ends the socket first, and with it the knowledge whose it was.
    const peer = socket.remoteAddress === undefined ? this.#closing : peerOf(socket);
    const reason = socket.authorizationError ?? error.code;
    const isDisagreement = Boolean(socket.authorizationError) || DISAGREEMENT.test(error.code ?? '');
    const isTold = isDisagreement && this.#warn({ peer, reason }, 'a TLS client and this server do not agree');
    if (!isTold) log.debug({ peer, reason }, 'a TLS handshake failed');
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress}|${socket.remotePort}|${socket.localAddress}|${socket.localPort}`;
}

function peerOf({ remoteAddress = '', remotePort = 0 }: Socket): Address {
  return { host: remoteAddress, port: remotePort };
}
