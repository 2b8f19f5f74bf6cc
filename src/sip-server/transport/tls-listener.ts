// A TCP socket that listens for SIP over TLS, and connections over TLS to others (RFC 3261 §26.2, RFC 5922).
import type { Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type Address, TransportError } from './flow.ts';
import type { TransportLimits } from './limits.ts';
import { isCertificateFor, namesOf } from './peer-certificate.ts';
import { localAddressOf, TcpListener } from './tcp-listener.ts';
import { TlsCredentials } from './tls-credentials.ts';
import { TlsHandshakes } from './tls-handshakes.ts';
import type { TlsSettings } from './tls-settings.ts';

export interface TlsListenerOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  settings: TlsSettings;
  limits: TransportLimits;
  clock: Clock;
  log: Log;
  /** Whether to begin a handshake; if not, the socket has been closed. */
  admits(socket: Socket): boolean;
  /** A new connection, its handshake over; the receiver owns it. */
  onSecureSocket(socket: TLSSocket): void;
  onHandshakeFailed(): void;
  onError(error: Error): void;
}

export class TlsListener {
  readonly transport = 'tls';
  readonly #listener: TcpListener;
  readonly #credentials: TlsCredentials;
  readonly #handshakes: TlsHandshakes;
  readonly #servers: NonNullable<TlsSettings['servers']>;

  private constructor(
    listener: TcpListener,
    credentials: TlsCredentials,
    handshakes: TlsHandshakes,
    servers: NonNullable<TlsSettings['servers']>,
  ) {
    this.#listener = listener;
    this.#credentials = credentials;
    this.#handshakes = handshakes;
    this.#servers = servers;
    credentials.onRenewed = () => handshakes.renew();
  }

  /** Rejects with a TlsSetupError, or with the system's error, e.g. EADDRINUSE. */
  static async bind(options: TlsListenerOptions): Promise<TlsListener> {
    const { host, port, settings, limits, clock, log, admits, onSecureSocket, onHandshakeFailed, onError } = options;
    const credentials = await TlsCredentials.load({ settings, log, clock, checkMs: limits.certificateCheckMs });
    const handshakes = new TlsHandshakes({
      credentials,
      clientCertificates: settings.clientCertificates,
      clientNames: settings.clientNames,
      limits,
      clock,
      log,
      onSecure: onSecureSocket,
      onFailed: onHandshakeFailed,
    });
    const onSocket = (socket: Socket) => {
      if (admits(socket)) handshakes.begin(socket);
    };
    try {
      const listener = await TcpListener.bind({ host, port, onSocket, onError });
      return new TlsListener(listener, credentials, handshakes, settings.servers ?? 'verify');
    } catch (error) {
      credentials.close();
      throw error;
    }
  }

  /** As bound: a wildcard stays 0.0.0.0 or ::. */
  get address(): Address {
    return this.#listener.address;
  }

  /** Handshakes of accepted connections under way. */
  get handshakes(): number {
    return this.#handshakes.size;
  }

  /**
   * Begins a connection from this listener's address that says `secureConnect`, or `error`. The peer's certificate must
   * be for `peerName`, or for the address itself if that is null (RFC 5922 §7.3), unless any is accepted.
   */
  connect(remote: Address, peerName: string | null): TLSSocket {
    return connect({
      ...remote,
      ...localAddressOf(this.address),
      ...(peerName === null ? {} : { servername: peerName }),
      secureContext: this.#credentials.client,
      rejectUnauthorized: this.#servers === 'verify',
      checkServerIdentity: (_, certificate) => {
        const host = peerName ?? remote.host;
        if (isCertificateFor(namesOf(certificate), host)) return undefined;
        return new TransportError(
          'WRONG_CERTIFICATE',
          `The certificate of ${remote.host}:${remote.port} is not for ${host}.`,
        );
      },
    });
  }

  /** Stops accepting and ends handshakes; open connections belong to whoever got them. */
  async close(): Promise<void> {
    this.#credentials.close();
    const closing = this.#listener.close();
    this.#handshakes.close();
    await closing;
  }
}
