import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { settle } from '../support/fakes.ts';
import { collect, startLayer, type TcpPeer, type TestLayer, tcpPeer, until } from '../support/layers.ts';
import { fixture, requestBytes } from '../support/messages.ts';

const layers: TestLayer[] = [];
const sockets: Socket[] = [];
const servers: Server[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  await Promise.all(layers.splice(0).map(({ layer }) => layer.close()));
});

async function start(...options: Parameters<typeof startLayer>): Promise<TestLayer> {
  const layer = await startLayer(...options);
  layers.push(layer);
  return layer;
}

async function peer(port: number): Promise<TcpPeer> {
  const each = await tcpPeer(port);
  sockets.push(each.socket);
  return each;
}

/** A TCP server that keeps its connections. */
async function listen(): Promise<{ port: number; accepted: TcpPeer[]; server: Server }> {
  const accepted: TcpPeer[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    accepted.push(collect(socket));
  }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const address = server.address();
  return { port: address !== null && typeof address === 'object' ? address.port : 0, accepted, server };
}

const closed = (each: TcpPeer) => () => each.socket.closed || each.socket.destroyed || each.socket.readableEnded;

describe('messages', () => {
  test('many in one segment, one in many segments, and keep-alives between them', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    const invite = fixture('opensips-tcp-invite');
    client.socket.write(
      Buffer.concat([requestBytes({ method: 'BYE' }), requestBytes({ method: 'OPTIONS' }), Buffer.from('\r\n\r\n')]),
    );
    for (let at = 0; at < invite.length; at += 500) {
      client.socket.write(invite.subarray(at, at + 500));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => received.length === 3);
    expect(received.map(({ message }) => message.method)).toEqual(['BYE', 'OPTIONS', 'INVITE']);
    expect(received[2]!.message.body.length).toBe(2_264);
    expect(received[2]!.flow).toMatchObject({ transport: 'tcp', reliable: true, closed: false, remote: client.local });
    await until(() => client.text() === '\r\n');
    expect(layer.counters).toMatchObject({ messages: 3, connectionsAccepted: 1, missingContentLength: 0 });
  });

  test('without Content-Length the body is taken to be empty, and counted', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    const bytes = Buffer.from(requestBytes().toString().replace('Content-Length: 0\r\n', ''));
    client.socket.write(Buffer.concat([bytes, requestBytes({ method: 'BYE' })]));
    await until(() => received.length === 2);
    expect(received.map(({ message }) => message.body.length)).toEqual([0, 0]);
    expect(layer.counters.missingContentLength).toBe(1);
  });

  test('answers go over the connection that the request came on', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    client.socket.write(requestBytes({ via: 'SIP/2.0/TCP 127.0.0.1:1;branch=b' }));
    await until(() => received.length === 1);
    const { message, flow } = received[0]!;
    expect(layer.answerFlow(message, flow)).toBe(flow);
    await flow.send(Buffer.from('answer'));
    await until(() => client.text() === 'answer');
    expect(await layer.localAddressFor(flow)).toEqual({ host: '127.0.0.1', port });
  });

  test('a malformed but answerable message does not cost the connection', async () => {
    const { received, malformed, port } = await start();
    const client = await peer(port);
    client.socket.write(Buffer.concat([requestBytes({ cseqMethod: 'BYE' }), requestBytes({ method: 'BYE' })]));
    await until(() => received.length === 1);
    expect(malformed[0]!.malformed).toMatchObject({ malformed: 'missing-header', answerable: { method: 'INVITE' } });
  });

  test.each([
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'start-line'],
    ['TLS', Buffer.concat([Buffer.from([0x16, 3, 1, 0, 0x0a, 0]), Buffer.from('\n\n')]), 'nul'],
  ])('%s is not answered, and the connection closed', async (_, bytes, reason) => {
    const { malformed, port } = await start();
    const client = await peer(port);
    client.socket.write(bytes);
    await until(closed(client));
    expect(malformed[0]!.malformed).toEqual({ malformed: reason, answerable: null });
    expect(client.text()).toBe('');
  });

  test('an unbelievable length: what was read can be answered, then the connection ends', async () => {
    const { malformed, port } = await start({
      onMalformed: (each, flow) => void flow.send(Buffer.from(`refused ${each.malformed}`)),
    });
    const client = await peer(port);
    client.socket.write(requestBytes().toString().replace('Length: 0', 'Length: 1e3'));
    client.socket.write(requestBytes({ method: 'BYE' }));
    await until(closed(client));
    expect(client.text()).toBe('refused content-length');
    expect(malformed.map(({ malformed: each }) => each.answerable?.callId)).toEqual(['call-1']);
  });

  test('a message beyond the limits is refused before it has arrived', async () => {
    const { malformed, port } = await start({
      limits: { bodyBytes: 1_000, headBytes: 1_000 },
      onMalformed: (each, flow) => void flow.send(Buffer.from(`refused ${each.malformed}`)),
    });
    const large = await peer(port);
    large.socket.write(requestBytes({ body: 'x'.repeat(1_001) }));
    const long = await peer(port);
    long.socket.write(requestBytes({ extra: `X-Long: ${'x'.repeat(1_000)}\n` }));
    await until(() => closed(large)() && closed(long)());
    expect([large.text(), long.text()].sort()).toEqual(['refused body-too-large', 'refused head-too-large']);
    expect(malformed.length).toBe(2);
  });
});

describe('time', () => {
  test('half a message is waited for 30 s from its first byte, however it dribbles', async () => {
    const clock = new ManualClock();
    const { received, layer, port } = await start({ clock });
    const client = await peer(port);
    const bytes = requestBytes();
    client.socket.write(requestBytes({ method: 'BYE' }));
    await until(() => received.length === 1);
    const { flow } = received[0]!;
    client.socket.write(bytes.subarray(0, 1));
    await until(() => clock.pendingTimers === 2);
    for (let sent = 1; sent < 30; sent++) {
      client.socket.write(bytes.subarray(sent, sent + 1));
      await new Promise((resolve) => setTimeout(resolve, 1));
      clock.advance(1_000);
      expect(flow.closed).toBe(false);
    }
    clock.advance(1_000);
    expect(flow.closed).toBe(true);
    await until(closed(client));
    await until(() => layer.connections === 0);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a whole message ends the wait; the next half one starts its own', async () => {
    const clock = new ManualClock();
    const { received, port } = await start({ clock });
    const client = await peer(port);
    const bytes = requestBytes();
    client.socket.write(bytes.subarray(0, 50));
    await until(() => clock.pendingTimers === 2);
    clock.advance(20_000);
    client.socket.write(Buffer.concat([bytes.subarray(50), bytes.subarray(0, 50)]));
    await until(() => received.length === 1);
    clock.advance(20_000);
    client.socket.write(bytes.subarray(50));
    await until(() => received.length === 2);
    clock.advance(60_000);
    expect(closed(client)()).toBe(false);
  });

  test('ten minutes without a message or keep-alive end a connection', async () => {
    const clock = new ManualClock();
    const { received, layer, port } = await start({ clock });
    const client = await peer(port);
    const idle = await peer(port);
    await until(() => layer.connections === 2);
    clock.advance(599_000);
    client.socket.write('\r\n\r\n');
    await until(() => client.text() === '\r\n');
    clock.advance(1_001);
    await until(closed(idle));
    clock.advance(500_000);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    clock.advance(599_000);
    expect(layer.connections).toBe(1);
    clock.advance(1_001);
    await until(closed(client));
    await until(() => layer.connections === 0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('numbers', () => {
  test('connections beyond the limit of one source, or of all, are closed at once', async () => {
    const { layer, port } = await start({ limits: { connectionsPerSource: 2 } });
    const first = [await peer(port), await peer(port)];
    const third = await peer(port);
    await until(closed(third));
    expect(layer.counters).toMatchObject({ connectionsAccepted: 2, connectionsRefused: 1 });
    first[0]!.socket.destroy();
    await until(() => layer.connections === 1);
    await peer(port);
    await until(() => layer.connections === 2);

    const small = await start({ limits: { connections: 1 } });
    await peer(small.port);
    await until(closed(await peer(small.port)));
    await expect(small.layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'TOO_MANY_CONNECTIONS',
    });
  });

  test('a peer that does not read is cut off at the limit of the queue', async () => {
    const { layer, received, port } = await start({ limits: { writeQueueBytes: 1_000_000 } });
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    client.socket.pause();
    const { flow } = received[0]!;
    const results: unknown[] = [];
    for (let i = 0; i < 400 && !flow.closed; i++) {
      flow.send(Buffer.alloc(100_000)).catch((error) => results.push(error.code));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(flow.closed).toBe(true);
    await until(() => layer.connections === 0);
    expect(results).toContain('PEER_TOO_SLOW');
    await expect(flow.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('connecting', () => {
  test('one connection is opened for calls at the same time, and used again, also by the peer', async () => {
    const { layer, received, port } = await start();
    const server = await listen();
    const target = { transport: 'tcp', host: '127.0.0.1', port: server.port } as const;
    const [one, two] = await Promise.all([layer.flowTo(target), layer.flowTo(target)]);
    expect(one).toBe(two);
    expect(await layer.flowTo(target)).toBe(one);
    await one.send(Buffer.from('hello'));
    await until(() => server.accepted[0]?.text() === 'hello');
    expect(server.accepted.length).toBe(1);
    server.accepted[0]!.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(received[0]!.flow).toBe(one);
    // The Via needs the port that we listen on, not the one that we connected from.
    expect(await layer.localAddressFor(one)).toEqual({ host: '127.0.0.1', port });
  });

  test('a connection that the peer has opened is used for its address', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(await layer.flowTo({ transport: 'tcp', ...client.local })).toBe(received[0]!.flow);
  });

  test('the given flow is preferred while it is open', async () => {
    const { layer, received, port } = await start();
    const server = await listen();
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    const { flow } = received[0]!;
    const target = { transport: 'tcp', host: '127.0.0.1', port: server.port, flow } as const;
    expect(await layer.flowTo(target)).toBe(flow);
    client.socket.destroy();
    await until(() => flow.closed);
    expect((await layer.flowTo(target)).remote).toEqual({ host: '127.0.0.1', port: server.port });
  });

  test('a closed connection is replaced', async () => {
    const { layer } = await start();
    const server = await listen();
    const target = { transport: 'tcp', host: '127.0.0.1', port: server.port } as const;
    const one = await layer.flowTo(target);
    await until(() => server.accepted.length === 1);
    server.accepted[0]!.socket.destroy();
    await until(() => one.closed);
    const two = await layer.flowTo(target);
    expect(two).not.toBe(one);
    await expect(one.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('a refused connection rejects with the system code', async () => {
    const { layer } = await start();
    const { port, server } = await listen();
    await new Promise((resolve) => server.close(resolve));
    servers.length = 0;
    await expect(layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  });

  test('connecting has a time limit', async () => {
    const clock = new ManualClock();
    const { layer } = await start({ clock });
    const { port } = await listen();
    const attempt = layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port });
    // Only promises run here, so that the kernel cannot report the connection before the time is up.
    await settle();
    expect(clock.pendingTimers).toBe(1);
    clock.advance(5_000);
    await expect(attempt).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
    expect([layer.connections, clock.pendingTimers]).toEqual([0, 0]);
  });

  test('closing the layer ends a running attempt', async () => {
    const { layer } = await start();
    const { port } = await listen();
    const attempt = layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port });
    await settle();
    const closing = layer.close();
    await expect(attempt).rejects.toMatchObject({ code: 'LAYER_CLOSED' });
    await closing;
  });

  test('closing the layer closes connections both ways and leaves nothing open', async () => {
    const { layer, port } = await start();
    const server = await listen();
    const client = await peer(port);
    await layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port: server.port });
    await until(() => layer.connections === 2);
    await layer.close();
    expect(layer.connections).toBe(0);
    await until(closed(client));
  });
});
