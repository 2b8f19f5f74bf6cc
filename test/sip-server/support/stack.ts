// A SIP server with the real drachtio-srf connected to it, and the clean-up of both.
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import {
  createSipServer,
  type SipServer,
  type SipServerOptions,
  type SipServerStatistics,
} from '../../../src/sip-server/index.ts';
import { until } from './layers.ts';
import type { Peer } from './peer.ts';
import { newSrf, type TestSrf } from './srf.ts';

export const SECRET = 'test-secret';

export interface Stack {
  server: SipServer;
  srf: TestSrf;
  /** SIP port, the same for UDP and TCP. */
  udpPort: number;
  tcpPort: number;
  adminPort: number;
  /** Ends app and server. */
  close(): Promise<void>;
}

/** Short enough for tests; 64·T1 is 384 ms. */
export const FAST = { t1Ms: 6, t2Ms: 24, t4Ms: 30 };

export async function startServer(options: Partial<SipServerOptions> = {}) {
  const server = createSipServer({
    listeners: [
      { transport: 'udp', host: '127.0.0.1', port: 0 },
      { transport: 'tcp', host: '127.0.0.1', port: 0 },
    ],
    admin: { host: '127.0.0.1', port: 0, secret: SECRET },
    ...options,
  });
  const started = await server.start();
  const portOf = (transport: string) => started.listeningPoints.find((each) => each.transport === transport)?.port ?? 0;
  return { server, udpPort: portOf('udp'), tcpPort: portOf('tcp'), adminPort: started.admin.port };
}

/** `routes` are registered before connecting, as apps do. */
export async function startStack(
  routes: (srf: TestSrf) => void,
  options: Partial<SipServerOptions> = {},
): Promise<Stack> {
  const started = await startServer(options);
  const srf = await connectApp(started.adminPort, routes);
  return {
    ...started,
    srf,
    close: async () => {
      srf.disconnect();
      await started.server.close();
    },
  };
}

export async function connectApp(adminPort: number, routes: (srf: TestSrf) => void): Promise<TestSrf> {
  const srf = newSrf();
  routes(srf);
  srf.connect({ host: '127.0.0.1', port: adminPort, secret: SECRET, reconnect: { maxAttempts: 1 } });
  srf.on('error', () => {});
  const [error] = await once(srf, 'connect');
  if (error) throw error;
  return srf;
}

/**
 * Waits until nothing of any call is left, transaction timers included. `inTimerD` INVITEs of ours over UDP were
 * refused: their transactions stay for 32 s, however short T1 is (RFC 3261 §17.1.1.2).
 */
export async function untilIdle(server: SipServer, inTimerD = 0): Promise<void> {
  const idle = {
    dialogs: 0,
    serverTransactions: 0,
    clientTransactions: inTimerD,
    pendingRequests: 0,
    timers: inTimerD,
  };
  const left = () => {
    const { dialogs, serverTransactions, clientTransactions, pendingRequests, ...rest } = server.statistics();
    // An open connection keeps its own timer.
    const timers = rest.timers - rest.connections;
    return {
      dialogs,
      serverTransactions,
      clientTransactions,
      pendingRequests,
      timers,
    } satisfies Partial<SipServerStatistics>;
  };
  await until(() => isDeepStrictEqual(left(), idle), 'idleness').catch(() => {});
  expect(left()).toEqual(idle);
}

export const OFFER = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 30000 RTP/AVP 0',
  'a=rtpmap:0 PCMU/8000',
  'a=sendrecv',
  '',
].join('\r\n');

export const ANSWER = OFFER.replace('30000', '40000');

/** A peer calls the app, which answers by createUAS; returns the tag of the app's side. */
export async function establish(peer: Peer, callId: string, parts: { body?: string; extra?: string } = {}) {
  peer.send(
    peer.request({
      method: 'INVITE',
      callId,
      cseq: 1,
      body: OFFER,
      extra: 'Content-Type: application/sdp\r\n',
      ...parts,
    }),
  );
  const ok = await peer.next(200);
  peer.send(peer.request({ method: 'ACK', callId, cseq: 1, toTag: ok.toTag }));
  return { ok, toTag: ok.toTag! };
}
