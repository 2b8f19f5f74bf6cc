// Both layers over real sockets on loopback: two stacks that talk, and raw peers that misbehave.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { addToTag, createRequest, createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { TransactionLayer } from '../../../src/sip-server/transaction/layer.ts';
import type { ClientEvents, ServerTransaction } from '../../../src/sip-server/transaction/transaction.ts';
import type { Target } from '../../../src/sip-server/transport/flow.ts';
import { TransportLayer } from '../../../src/sip-server/transport/layer.ts';
import { collect, type TcpPeer, tcpPeer, udpPeer, until } from '../support/layers.ts';
import { fixture, parsed, requestBytes } from '../support/messages.ts';

interface Stack {
  transports: TransportLayer;
  transactions: TransactionLayer;
  offered: ServerTransaction[];
  acks: SipMessage[];
  cancelled: ServerTransaction[];
  port: number;
}

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(t1Ms = 50): Promise<Stack> {
  const offered: ServerTransaction[] = [];
  const acks: SipMessage[] = [];
  const cancelled: ServerTransaction[] = [];
  const transports: TransportLayer = new TransportLayer({
    listeners: [{ transport: 'both', host: '127.0.0.1', port: 0 }],
    log: silentLog,
    clock: systemClock,
    onMessage: (message, flow) => transactions.receive(message, flow),
    onMalformed: (malformed, flow) => transactions.receiveMalformed(malformed, flow),
  });
  const transactions = new TransactionLayer({
    transports,
    clock: systemClock,
    log: silentLog,
    t1Ms,
    t4Ms: 10 * t1Ms,
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

function answer(server: ServerTransaction, statusCode: number): Promise<void> {
  const response = createResponse(server.request, statusCode, 'x');
  if (statusCode > 100) addToTag(response, server.toTag);
  return server.respond(response);
}

function ask(method: string, callId = 'c'): SipMessage {
  const message = createRequest(method, 'sip:peer@127.0.0.1');
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
    onTerminated: () => told.push('terminated'),
  };
}

async function raw(port: number): Promise<TcpPeer> {
  const peer = await tcpPeer(port);
  cleanups.push(() => void peer.socket.destroy());
  return peer;
}

/** A TCP server that keeps its connections. */
async function listener(): Promise<{ port: number; accepted: TcpPeer[] }> {
  const accepted: TcpPeer[] = [];
  const server = createServer((socket) => {
    cleanups.push(() => void socket.destroy());
    accepted.push(collect(socket));
  }).listen(0, '127.0.0.1');
  cleanups.push(() => void server.close());
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, accepted };
}

describe.each(['udp', 'tcp'] as const)('two stacks over %s', (transport) => {
  test('INVITE refused, INVITE accepted and acknowledged, INVITE cancelled, OPTIONS', async () => {
    const us = await start();
    const peer = await start();
    const target: Target = { transport, host: '127.0.0.1', port: peer.port };
    const [refused, accepted, cancelled, options]: string[][] = [[], [], [], []];

    us.transactions.request(ask('INVITE', 'refused'), target, listen(refused!));
    await until(() => peer.offered.length === 1);
    await answer(peer.offered[0]!, 486);
    await until(() => refused!.includes('486') && peer.offered[0]!.state !== 'completed');

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

    // A 100 only where the machine took its time.
    expect(refused!.filter((each) => each !== '100')[0]).toBe('486');
    expect(accepted!.filter((each) => each !== '100')).toEqual(['180', '200']);
    expect(cancelled!.slice(0, 2)).toEqual(['100', '487']);
    expect(options![0]).toBe('200');
    expect(peer.acks[0]!.callId).toBe('accepted');
    expect(peer.transports.connections).toBe(transport === 'tcp' ? 1 : 0);
  });

  test('without an answer the client gives up after 64 T1, and nothing is left', async () => {
    const us = await start(5);
    const told: string[] = [];
    const silent = await udpPeer();
    cleanups.push(() => silent.close());
    const server = createServer((socket) => cleanups.push(() => void socket.destroy())).listen(
      silent.port,
      '127.0.0.1',
    );
    cleanups.push(() => void server.close());
    await once(server, 'listening');
    us.transactions.request(ask('OPTIONS'), { transport, host: '127.0.0.1', port: silent.port }, listen(told));
    await until(() => told.length === 2);
    expect([told, us.transactions.clientTransactions]).toEqual([['timeout', 'terminated'], 0]);
    if (transport === 'udp') expect(silent.received.length).toBeGreaterThan(5);
  });
});

test('a captured INVITE over UDP: the answer goes to the port of its Via, after a 100 when it takes its time', async () => {
  const us = await start();
  const opensips = await udpPeer('127.0.0.1');
  cleanups.push(() => opensips.close());
  const bytes = Buffer.from(
    fixture('opensips-udp-invite').toString().replace('127.0.40.1:5060;b', `127.0.0.1:${opensips.port};b`),
  );
  const other = await udpPeer('127.0.0.1');
  cleanups.push(() => other.close());
  other.send(bytes, us.port);
  await until(() => opensips.received.length === 1);
  await answer(us.offered[0]!, 200);
  await until(() => opensips.received.length === 2);
  expect(opensips.received.map((each) => each.toString().split('\r\n')[0])).toEqual([
    'SIP/2.0 100 Trying',
    'SIP/2.0 200 x',
  ]);
  expect(other.received).toEqual([]);
});

test('a truncated INVITE over UDP gets 400, an ACK and noise get nothing', async () => {
  const us = await start();
  const peer = await udpPeer();
  cleanups.push(() => peer.close());
  const via = `SIP/2.0/UDP 127.0.0.1:${peer.port};branch=z9hG4bK-1`;
  peer.send(Buffer.from('noise\r\n\r\n'), us.port);
  peer.send(requestBytes({ via, method: 'ACK', body: 'abc' }).subarray(0, -1), us.port);
  peer.send(requestBytes({ via, body: 'abc' }).subarray(0, -1), us.port);
  await until(() => peer.received.length === 1);
  expect(peer.received[0]!.toString()).toMatch(
    /^SIP\/2\.0 400 Bad Request \(body shorter than Content-Length\)\r\nVia: .*branch=z9hG4bK-1\r\nFrom: .*\r\nTo: <sip:srs@127\.0\.0\.1>;tag=[0-9a-f]{16}\r\n/,
  );
  expect(us.offered).toEqual([]);
});

describe('a TCP connection that is lost between request and answer', () => {
  test('the answer goes to a new connection to the address in the Via', async () => {
    const us = await start();
    const { port, accepted } = await listener();
    const client = await raw(us.port);
    client.socket.write(requestBytes({ via: `SIP/2.0/TCP client.invalid:${port};branch=z9hG4bK-1` }));
    await until(() => client.text().startsWith('SIP/2.0 100'));
    client.socket.destroy();
    await until(() => us.transports.connections === 0);
    // In the order given, though the connection has to be made first.
    await Promise.all([answer(us.offered[0]!, 180), answer(us.offered[0]!, 200)]);
    await until(() => accepted[0]?.text().includes('SIP/2.0 200') ?? false);
    expect(accepted.length).toBe(1);
    expect(accepted[0]!.text().match(/^SIP\/2\.0 \d+/gm)).toEqual(['SIP/2.0 180', 'SIP/2.0 200']);
    // The ACK may come over that connection, or any other.
    accepted[0]!.socket.write(requestBytes({ method: 'ACK', branch: 'z9hG4bK-ack' }));
    await until(() => us.acks.length === 1);
  });

  test('the answer to our request may come over another connection', async () => {
    const us = await start();
    const { port, accepted } = await listener();
    const told: string[] = [];
    us.transactions.request(ask('INVITE'), { transport: 'tcp', host: '127.0.0.1', port }, listen(told));
    await until(() => accepted[0]?.text().endsWith('\r\n\r\n') ?? false);
    const invite = parsed(Buffer.from(accepted[0]!.text()));
    accepted[0]!.socket.destroy();
    await until(() => us.transports.connections === 0);
    const { host, port: viaPort } = invite.topVia!;
    expect([host, viaPort]).toEqual(['127.0.0.1', us.port]);
    const peer = await raw(viaPort!);
    peer.socket.write(createResponse(invite, 200, 'OK').toBytes());
    await until(() => told.length === 1);
    expect(told).toEqual(['200']);
  });

  test('if nobody listens there, the answer rejects, and nothing else is disturbed', async () => {
    const us = await start();
    const client = await raw(us.port);
    const other = await raw(us.port);
    client.socket.write(requestBytes({ via: 'SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK-1' }));
    other.socket.write(requestBytes({ via: 'SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK-2', callId: 'other' }));
    await until(() => us.offered.length === 2);
    const mine = us.offered.find((server) => server.request.callId === 'call-1')!;
    const others = us.offered.find((server) => server !== mine)!;
    client.socket.destroy();
    await until(() => mine.flow.closed);
    await expect(answer(mine, 200)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await answer(others, 200);
    await until(() => other.text().includes('SIP/2.0 200'));
    expect(mine.state).toBe('accepted');
  });
});

test('400 for a stream that cannot be followed reaches the peer before the connection ends', async () => {
  const us = await start();
  const client = await raw(us.port);
  client.socket.write(requestBytes().toString().replace('Length: 0', 'Length: -1'));
  // Bytes that stay unread when a socket is destroyed make the kernel answer with RST, and the 400 would be lost.
  client.socket.write(Buffer.alloc(3_000_000, 'x'));
  await once(client.socket, 'close');
  expect(client.text()).toMatch(/^SIP\/2\.0 400 Bad Request \(Content-Length\)\r\n/);
});
