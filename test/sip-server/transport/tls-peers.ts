// TLS for tests: certificates, a transport layer with a TLS listener and a log to read, and both kinds of peers.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import type { Log } from '../../../src/lib/log.ts';
import type { ListenerSpec } from '../../../src/sip-server/transport/bind.ts';
import { TransportLayer } from '../../../src/sip-server/transport/layer.ts';
import type { TransportLimits } from '../../../src/sip-server/transport/limits.ts';
import type { TlsSettings } from '../../../src/sip-server/transport/tls-settings.ts';
import { collect, type Received, type TcpPeer } from '../support/layers.ts';

export function certificateFile(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
}

export function pem(name: string): string {
  return readFileSync(certificateFile(name), 'utf8');
}

export const AUTHORITY = pem('ca.pem');

/** Certificate and key for a TLS peer. */
export function identity(name: 'server' | 'client' | 'foreign'): { cert: string; key: string } {
  return { cert: pem(`${name}.pem`), key: pem(`${name}.key`) };
}

export const SETTINGS: TlsSettings = {
  certificateFile: certificateFile('server.pem'),
  keyFile: certificateFile('server.key'),
  authoritiesFile: certificateFile('ca.pem'),
};

export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: Record<string, unknown>;
}

export function keepingLog(lines: LogLine[]): Log {
  const at = (level: LogLine['level']) => (fields: object, message: string) =>
    void lines.push({ level, message, fields: { ...fields } });
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
  return log;
}

export interface TlsLayer {
  layer: TransportLayer;
  received: Received[];
  log: LogLine[];
  /** Of the first listener. */
  port: number;
}

export interface TlsLayerOptions {
  host?: string;
  port?: number;
  /** Further listeners. */
  beside?: ListenerSpec[];
  tls?: Partial<TlsSettings>;
  limits?: Partial<TransportLimits>;
  clock?: Clock;
}

/** A transport layer whose first listener is TLS; it has to be closed. */
export async function startTls(options: TlsLayerOptions = {}): Promise<TlsLayer> {
  const received: Received[] = [];
  const log: LogLine[] = [];
  const { host = '127.0.0.1', port = 0, beside = [] } = options;
  const layer = new TransportLayer({
    listeners: [{ transport: 'tls', host, port, tls: { ...SETTINGS, ...options.tls } }, ...beside],
    limits: options.limits ?? {},
    log: keepingLog(log),
    clock: options.clock ?? systemClock,
    onMessage: (message, flow) => void received.push({ message, flow }),
    onMalformed: () => {},
  });
  await layer.start();
  return { layer, received, log, port: layer.listeningPoints[0]!.port };
}

export interface TlsPeer extends TcpPeer {
  socket: TLSSocket;
}

/** Resolves when the handshake is over, as far as the client can tell. */
export async function tlsPeer(port: number, options: ConnectionOptions = {}): Promise<TlsPeer> {
  const socket = connect({ port, host: '127.0.0.1', ca: AUTHORITY, ...options });
  await once(socket, 'secureConnect');
  return { ...collect(socket), socket };
}

/** Whether the connection lasts, or ends at once, in the handshake or right behind it. */
export async function tryTls(port: number, options: ConnectionOptions = {}): Promise<'open' | 'closed'> {
  const socket = connect({ port, host: '127.0.0.1', ca: AUTHORITY, ...options });
  socket.on('error', () => {});
  const outcome = await new Promise<'open' | 'closed'>((resolve) => {
    socket.once('close', () => resolve('closed'));
    // The answer to a keep-alive is the sign that the server has taken the connection.
    socket.once('data', () => resolve('open'));
    socket.write('\r\n\r\n');
  });
  socket.destroy();
  return outcome;
}

/** A TCP client that says nothing of TLS. */
export async function plainPeer(port: number): Promise<TcpPeer> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return collect(socket);
}

export interface TlsServer {
  port: number;
  accepted: TlsPeer[];
  /** SNI of each connection. */
  names: (string | false | null)[];
  close(): Promise<void>;
}

/** A TLS server that keeps its connections. */
export async function tlsServer(options: TlsOptions & { host?: string } = {}): Promise<TlsServer> {
  const accepted: TlsPeer[] = [];
  const names: (string | false | null)[] = [];
  const server = createServer({ ...identity('server'), ...options }, (socket) => {
    names.push((socket as TLSSocket & { servername: string | false | null }).servername);
    accepted.push({ ...collect(socket), socket });
  });
  return { ...(await listening(server, options.host)), accepted, names };
}

/** A TCP server that says `greeting` to whoever connects, and nothing more. */
export async function plainServer(
  greeting = '',
): Promise<{ port: number; accepted: Socket[]; close(): Promise<void> }> {
  const accepted: Socket[] = [];
  const server = createTcpServer((socket) => {
    accepted.push(socket);
    if (greeting) socket.end(greeting);
  });
  return { ...(await listening(server)), accepted };
}

async function listening(server: Server, host = '127.0.0.1'): Promise<{ port: number; close(): Promise<void> }> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    open.add(socket);
  });
  server.listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Sockets of this process. */
export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)/.test(name)).length;
}
