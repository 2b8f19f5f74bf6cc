// Transactions over TLS on loopback: two stacks that talk, and connections that are lost.
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { targetForUri } from '../../../src/sip-server/dialog/target.ts';
import { addToTag, createRequest, createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { TransactionLayer } from '../../../src/sip-server/transaction/layer.ts';
import type { ClientEvents, ServerTransaction } from '../../../src/sip-server/transaction/transaction.ts';
import { TransportLayer } from '../../../src/sip-server/transport/layer.ts';
import type { TlsSettings } from '../../../src/sip-server/transport/tls-settings.ts';
import { until } from '../support/layers.ts';
import { fixture, parsed, requestBytes } from '../support/messages.ts';
import { identity, SETTINGS, type TlsPeer, type TlsServer, tlsPeer, tlsServer } from './tls-peers.ts';

interface Stack {
  transports: TransportLayer;
  transactions: TransactionLayer;
  offered: ServerTransaction[];
  acks: SipMessage[];
  cancelled: ServerTransaction[];
  port: number;
}

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(tls: Partial<TlsSettings> = {}): Promise<Stack> {
  const offered: ServerTransaction[] = [];
  const acks: SipMessage[] = [];
  const cancelled: ServerTransaction[] = [];
  const transports: TransportLayer = new TransportLayer({
    listeners: [{ transport: 'tls', host: '127.0.0.1', port: 0, tls: { ...SETTINGS, ...tls } }],
    log: silentLog,
    clock: systemClock,
    onMessage: (message, flow) => transactions.receive(message, flow),
    onMalformed: (malformed, flow) => transactions.receiveMalformed(malformed, flow),
  });
  const transactions = new TransactionLayer({
    transports,
    clock: systemClock,
    log: silentLog,
    t1Ms: 50,
    t4Ms: 500,
    user: {
      onRequest: (server) => offered.push(server),
      onCancel: (invite) => cancelled.push(invite),
      onAck: (ack) => acks.push(ack),
      onStrayResponse: () => {},
    },
  });
  await transports.start();
  cleanups.push(async () => {
    transactions.close();
    await transports.close();
  });
  return { transports, transactions, offered, acks, cancelled, port: transports.listeningPoints[0]!.port };
}

async function raw(port: number): Promise<TlsPeer> {
  const peer = await tlsPeer(port);
  cleanups.push(() => peer.socket.destroy());
  return peer;
}

async function listener(...options: Parameters<typeof tlsServer>): Promise<TlsServer> {
  const server = await tlsServer(...options);
  cleanups.push(() => server.close());
  return server;
}

function answer(server: ServerTransaction, statusCode: number): Promise<void> {
  const response = createResponse(server.request, statusCode, 'x');
  if (statusCode > 100) addToTag(response, server.toTag);
  return server.respond(response);
}

function ask(method: string, callId = 'c'): SipMessage {
  const message = createRequest(method, 'sips:peer@127.0.0.1');
  for (const [name, value] of [
    ['Max-Forwards', '70'],
    ['From', '<sip:us>;tag=1'],
    ['To', '<sip:peer>'],
    ['Call-ID', callId],
    ['CSeq', `1 ${method}`],
  ] as const) {
    message.append(name, value);
  }
  return message;
}

function listen(told: (string | undefined)[]): ClientEvents {
  return {
    onResponse: (response) => told.push(`${response.statusCode}`),
    onTimeout: () => told.push('timeout'),
    onTransportError: (error) => told.push(error.code),
  };
}

test.each(['sips:peer@127.0.0.1:PORT', 'sip:peer@127.0.0.1:PORT;transport=tls', '<sips:localhost:PORT;lr>'])(
  'two stacks, target %s',
  async (uri) => {
    const us = await start();
    const peer = await start({ clientCertificates: 'require' });
    const target = targetForUri(uri.replace('PORT', String(peer.port)))!;
    const [refused, accepted, cancelled, options]: string[][] = [[], [], [], []];

    us.transactions.request(ask('INVITE', 'refused'), target, listen(refused!));
    await until(() => peer.offered.length === 1);
    await answer(peer.offered[0]!, 486);
    await until(() => refused!.includes('486'));

    us.transactions.request(ask('INVITE', 'accepted'), target, listen(accepted!));
    await until(() => peer.offered.length === 2);
    await answer(peer.offered[1]!, 180);
    await answer(peer.offered[1]!, 200);
    await until(() => accepted!.includes('200'));
    await us.transactions.send(ask('ACK', 'accepted'), target);
    await until(() => peer.acks.length === 1);

    const client = us.transactions.request(ask('INVITE', 'cancelled'), target, listen(cancelled!));
    await until(() => cancelled!.includes('100'));
    await client.cancel();
    await until(() => peer.cancelled.length === 1);
    await answer(peer.cancelled[0]!, 487);
    await until(() => cancelled!.includes('487'));

    us.transactions.request(ask('OPTIONS'), target, listen(options!));
    await until(() => peer.offered.length === 4);
    await answer(peer.offered[3]!, 200);
    await until(() => options!.includes('200'));

    expect([refused, accepted, cancelled, options]).toEqual([['486'], ['180', '200'], ['100', '487'], ['200']]);
    const { request, flow } = peer.offered[0]!;
    expect(request.topVia).toMatchObject({
      transport: 'TLS',
      host: '127.0.0.1',
      port: us.port,
      rport: flow.remote.port,
    });
    expect(flow.peerCertificate).toMatchObject({ commonName: 'recorder.example', authorized: true });
    expect([us.transports.connections, peer.transports.connections]).toEqual([1, 1]);
  },
);

test('a captured INVITE is answered over its connection', async () => {
  const us = await start();
  const client = await raw(us.port);
  client.socket.write(fixture('opensips-tcp-invite').toString().replace('SIP/2.0/TCP', 'SIP/2.0/TLS'));
  await until(() => us.offered.length === 1);
  await answer(us.offered[0]!, 200);
  await until(() => client.text().includes('SIP/2.0 200'));
  expect(client.text().match(/^SIP\/2\.0 \d+/gm)).toEqual(['SIP/2.0 200']);
});

describe('a connection that is lost between request and answer', () => {
  test.each(['client.invalid', '127.0.0.1'])(
    'the answer goes to a new one, to the port in the Via of %s',
    async (host) => {
      const us = await start({ servers: host === '127.0.0.1' ? 'verify' : 'accept-any' });
      const peer = await listener();
      const client = await raw(us.port);
      client.socket.write(requestBytes({ via: `SIP/2.0/TLS ${host}:${peer.port};branch=z9hG4bK-1` }));
      await until(() => client.text().startsWith('SIP/2.0 100'));
      client.socket.destroy();
      await until(() => us.transports.connections === 0);
      // In the order given, though the connection has to be made first.
      await Promise.all([answer(us.offered[0]!, 180), answer(us.offered[0]!, 200)]);
      await until(() => peer.accepted[0]?.text().includes('SIP/2.0 200') ?? false);
      expect(peer.accepted.length).toBe(1);
      expect(peer.accepted[0]!.text().match(/^SIP\/2\.0 \d+/gm)).toEqual(['SIP/2.0 180', 'SIP/2.0 200']);
      // The ACK may come over that connection, or any other.
      peer.accepted[0]!.socket.write(requestBytes({ method: 'ACK', branch: 'z9hG4bK-ack' }));
      await until(() => us.acks.length === 1);
    },
  );

  test('whoever answers there must be who the Via names', async () => {
    const us = await start();
    const peer = await listener();
    const client = await raw(us.port);
    const invite = (host: string, branch: string) =>
      client.socket.write(requestBytes({ via: `SIP/2.0/TLS ${host}:${peer.port};branch=${branch}`, callId: branch }));
    invite('sbc.example', 'z9hG4bK-1');
    invite('localhost', 'z9hG4bK-2');
    await until(() => us.offered.length === 2);
    client.socket.destroy();
    await until(() => us.transports.connections === 0);
    await expect(answer(us.offered[0]!, 200)).rejects.toMatchObject({ code: 'WRONG_CERTIFICATE' });
    await answer(us.offered[1]!, 200);
    await until(() => peer.accepted.some((each) => each.text().includes('SIP/2.0 200')));
    expect(peer.names.at(-1)).toBe('localhost');
  });

  test('the answer to our request may come over another connection', async () => {
    const us = await start();
    const peer = await listener();
    const told: string[] = [];
    us.transactions.request(ask('INVITE'), { transport: 'tls', host: '127.0.0.1', port: peer.port }, listen(told));
    await until(() => peer.accepted[0]?.text().endsWith('\r\n\r\n') ?? false);
    const invite = parsed(Buffer.from(peer.accepted[0]!.text()));
    peer.accepted[0]!.socket.destroy();
    await until(() => us.transports.connections === 0);
    const { host, port } = invite.topVia!;
    expect([host, port]).toEqual(['127.0.0.1', us.port]);
    const other = await raw(port!);
    other.socket.write(createResponse(invite, 200, 'OK').toBytes());
    await until(() => told.length === 1);
    expect(told).toEqual(['200']);
  });
});

test('a request to a server that cannot be trusted is not sent, and the reason is told', async () => {
  const us = await start();
  const peer = await listener(identity('foreign'));
  const told: string[] = [];
  us.transactions.request(ask('INVITE'), { transport: 'tls', host: '127.0.0.1', port: peer.port }, listen(told));
  await until(() => told.length === 1);
  expect(told).toEqual(['UNABLE_TO_VERIFY_LEAF_SIGNATURE']);
  expect(peer.accepted.map((each) => each.text()).join('')).toBe('');
});

test('400 for a stream that cannot be followed reaches the peer before the connection ends', async () => {
  const us = await start();
  const client = await raw(us.port);
  const closed = new Promise((resolve) => client.socket.once('close', resolve));
  client.socket.write(requestBytes().toString().replace('Length: 0', 'Length: -1'));
  client.socket.write(Buffer.alloc(3_000_000, 'x'));
  await closed;
  expect(client.text()).toMatch(/^SIP\/2\.0 400 Bad Request \(Content-Length\)\r\n/);
});
