// A transport layer on loopback that keeps what it gets, and raw sockets to talk to it.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Clock, systemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import type { Malformed } from '../../../src/sip-server/message/parse.ts';
import type { ListenerSpec } from '../../../src/sip-server/transport/bind.ts';
import type { Address, Flow } from '../../../src/sip-server/transport/flow.ts';
import { TransportLayer } from '../../../src/sip-server/transport/layer.ts';
import type { TransportLimits } from '../../../src/sip-server/transport/limits.ts';

/** Waits until `probe` holds; polls, since what it waits for comes from the kernel. */
export async function until(probe: () => boolean, what = 'the condition', limitMs = 5_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!probe()) {
    if (performance.now() > endMs) throw new Error(`${what} did not come about within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export interface Received {
  message: SipMessage;
  flow: Flow;
}

export interface TestLayer {
  layer: TransportLayer;
  received: Received[];
  malformed: { malformed: Malformed; flow: Flow }[];
  /** The port of the first listener. */
  port: number;
}

export interface TestLayerOptions {
  listeners?: ListenerSpec[];
  limits?: Partial<TransportLimits>;
  clock?: Clock;
  onMessage?(message: SipMessage, flow: Flow): void;
  onMalformed?(malformed: Malformed, flow: Flow): void;
}

export async function startLayer(options: TestLayerOptions = {}): Promise<TestLayer> {
  const received: Received[] = [];
  const malformed: TestLayer['malformed'] = [];
  const layer = new TransportLayer({
    listeners: options.listeners ?? [{ transport: 'both', host: '127.0.0.1', port: 0 }],
    limits: options.limits,
    log: silentLog,
    clock: options.clock ?? systemClock,
    onMessage: (message, flow) => {
      received.push({ message, flow });
      options.onMessage?.(message, flow);
    },
    onMalformed: (each, flow) => {
      malformed.push({ malformed: each, flow });
      options.onMalformed?.(each, flow);
    },
  });
  await layer.start();
  return { layer, received, malformed, port: layer.listeningPoints[0]!.port };
}

/** A TCP peer that collects what it is sent. */
export interface TcpPeer {
  socket: Socket;
  text(): string;
  local: Address;
}

export function collect(socket: Socket): TcpPeer {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  return {
    socket,
    text: () => Buffer.concat(chunks).toString(),
    local: { host: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  };
}

export async function tcpPeer(port: number, host = '127.0.0.1'): Promise<TcpPeer> {
  const socket = connect({ port, host });
  await once(socket, 'connect');
  return collect(socket);
}

/** A UDP peer that collects what it is sent. */
export interface UdpPeer {
  socket: UdpSocket;
  received: Buffer[];
  port: number;
  send(bytes: Buffer, port: number, host?: string): void;
  close(): Promise<void>;
}

export async function udpPeer(host = '127.0.0.1'): Promise<UdpPeer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const received: Buffer[] = [];
  socket.on('message', (bytes) => received.push(bytes));
  socket.bind(0, host);
  await once(socket, 'listening');
  return {
    socket,
    received,
    port: socket.address().port,
    send: (bytes, port, to = host) => socket.send(bytes, port, to),
    close: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}
