// Binding all listeners, or none. `both` is UDP and TCP on the same port, as recording clients expect it (RFC 3261 §18.2.1).
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Flow } from './flow.ts';
import type { TransportLimits } from './limits.ts';
import { TcpListener } from './tcp-listener.ts';
import { TlsListener } from './tls-listener.ts';
import type { TlsSettings } from './tls-settings.ts';
import { UdpListener } from './udp-listener.ts';

export type ListenerSpec = ListenAddress &
  ({ transport: 'udp' | 'tcp' | 'both' } | { transport: 'tls'; tls: TlsSettings });

interface ListenAddress {
  /** An IP address; 0.0.0.0 and :: are all addresses of that family (:: does not include IPv4). */
  host: string;
  /** 0: any free one; the same one for UDP and TCP with `both`, or when both ask for port 0 of the same host. */
  port: number;
}

export interface BindOptions {
  limits: TransportLimits;
  clock: Clock;
  log: Log;
  onDatagram(bytes: Buffer, flow: Flow): void;
  /** Whether a connection that a peer has opened may stay; if not, it has been closed. */
  admits(socket: Socket, transport: 'tcp' | 'tls'): boolean;
  /** One that was admitted and can be used, for TLS after the handshake. */
  onSocket(socket: Socket, transport: 'tcp' | 'tls'): void;
  onHandshakeFailed(): void;
  onError(error: Error): void;
}

export type BoundListener = UdpListener | TcpListener | TlsListener;

const ATTEMPTS_FOR_A_COMMON_PORT = 20;

/**
 * Rejects for the first listener that cannot be bound, with the system's error, or a TlsSetupError that names the file;
 * then none is left open.
 */
export async function bindListeners(specs: readonly ListenerSpec[], options: BindOptions): Promise<BoundListener[]> {
  const bound: BoundListener[] = [];
  try {
    for (const spec of withPairs(specs)) bound.push(...(await bind(spec, options)));
    return bound;
  } catch (error) {
    await Promise.all(bound.map((listener) => listener.close()));
    throw error;
  }
}

async function bind(spec: ListenerSpec, options: BindOptions): Promise<BoundListener[]> {
  const { host, port } = spec;
  switch (spec.transport) {
    case 'both':
      return bindBoth(host, port, options);
    case 'udp':
      return [await bindUdp(host, port, options)];
    case 'tcp':
      return [await bindTcp(host, port, options)];
    case 'tls':
      return [await bindTls(host, port, spec.tls, options)];
  }
}

function bindUdp(host: string, port: number, options: BindOptions): Promise<UdpListener> {
  const { limits, onDatagram, onError } = options;
  return UdpListener.bind({ host, port, receiveBufferBytes: limits.udpReceiveBufferBytes, onDatagram, onError });
}

function bindTcp(host: string, port: number, { admits, onSocket, onError }: BindOptions): Promise<TcpListener> {
  const onConnection = (socket: Socket) => {
    if (admits(socket, 'tcp')) onSocket(socket, 'tcp');
  };
  return TcpListener.bind({ host, port, onSocket: onConnection, onError });
}

function bindTls(host: string, port: number, settings: TlsSettings, options: BindOptions): Promise<TlsListener> {
  const onSecureSocket = (socket: TLSSocket) => options.onSocket(socket, 'tls');
  const admits = (socket: Socket) => options.admits(socket, 'tls');
  return TlsListener.bind({ ...options, host, port, settings, admits, onSecureSocket });
}

/** Port 0 twice on one host, for UDP and for TCP, is one `both`. */
function withPairs(specs: readonly ListenerSpec[]): ListenerSpec[] {
  const paired: ListenerSpec[] = [];
  for (const spec of specs) {
    const { host, port } = spec;
    const wanted = spec.transport === 'udp' ? 'tcp' : spec.transport === 'tcp' ? 'udp' : null;
    const partner = paired.findIndex((each) => each.transport === wanted && each.port === 0 && each.host === host);
    if (partner >= 0 && port === 0) paired[partner] = { transport: 'both', host, port };
    else paired.push(spec);
  }
  return paired;
}

async function bindBoth(host: string, port: number, options: BindOptions): Promise<BoundListener[]> {
  for (let attempt = 1; ; attempt++) {
    const tcp = await bindTcp(host, port, options);
    try {
      return [await bindUdp(host, tcp.address.port, options), tcp];
    } catch (error) {
      await tcp.close();
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (port !== 0 || !isTaken || attempt === ATTEMPTS_FOR_A_COMMON_PORT) throw error;
    }
  }
}
