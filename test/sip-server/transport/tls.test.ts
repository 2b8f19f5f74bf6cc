import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { answerTarget } from '../../../src/sip-server/transport/received.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { type TcpPeer, until } from '../support/layers.ts';
import { fixture, request, requestBytes } from '../support/messages.ts';
import {
  AUTHORITY,
  identity,
  openSockets,
  plainPeer,
  plainServer,
  SETTINGS,
  startTls,
  type TlsLayer,
  type TlsPeer,
  type TlsServer,
  tlsPeer,
  tlsServer,
  tryTls,
} from './tls-peers.ts';

const layers: TlsLayer[] = [];
const sockets: Socket[] = [];
const servers: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => server.close()));
  await Promise.all(layers.splice(0).map(({ layer }) => layer.close()));
});

async function start(...options: Parameters<typeof startTls>): Promise<TlsLayer> {
  const layer = await startTls(...options);
  layers.push(layer);
  return layer;
}

async function peer(...options: Parameters<typeof tlsPeer>): Promise<TlsPeer> {
  const each = await tlsPeer(...options);
  sockets.push(each.socket);
  return each;
}

async function plain(port: number): Promise<TcpPeer> {
  const each = await plainPeer(port);
  sockets.push(each.socket);
  return each;
}

async function listen(...options: Parameters<typeof tlsServer>): Promise<TlsServer> {
  const server = await tlsServer(...options);
  servers.push(server);
  return server;
}

async function listenPlain(...options: Parameters<typeof plainServer>) {
  const server = await plainServer(...options);
  servers.push(server);
  return server;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const closed = (each: TcpPeer) => () => each.socket.closed || each.socket.destroyed || each.socket.readableEnded;

describe('messages', () => {
  test('a request, its answer over the same connection, and what the flow knows of it', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    client.socket.write(requestBytes({ via: 'SIP/2.0/TLS 127.0.0.1:1;branch=b;rport' }));
    await until(() => received.length === 1);
    const { message, flow } = received[0]!;
    expect(message.header('Via')).toBe(
      `SIP/2.0/TLS 127.0.0.1:1;branch=b;rport=${client.local.port};received=127.0.0.1`,
    );
    expect(flow).toMatchObject({
      transport: 'tls',
      reliable: true,
      closed: false,
      local: { host: '127.0.0.1', port },
      remote: client.local,
      peerCertificate: null,
    });
    expect(layer.answerFlow(message, flow)).toBe(flow);
    await flow.send(Buffer.from('answer'));
    await until(() => client.text() === 'answer');
    expect(await layer.localAddressFor(flow)).toEqual({ host: '127.0.0.1', port });
    expect(layer.listeningPoints).toEqual([{ transport: 'tls', host: '127.0.0.1', port }]);
    expect(layer.isOwnAddress('127.0.0.1', port)).toBe(true);
    expect(layer.counters).toMatchObject({ messages: 1, connectionsAccepted: 1, handshakesFailed: 0 });
  });

  test('a message is cut into records at every byte', async () => {
    const { received, port } = await start();
    const client = await peer(port);
    const bytes = requestBytes({ body: 'v=0\r\n' });
    for (let at = 1; at < bytes.length; at++) {
      client.socket.write(bytes.subarray(0, at));
      await turn();
      client.socket.write(bytes.subarray(at));
    }
    await until(() => received.length === bytes.length - 1);
    expect(received.every(({ message }) => message.toBytes().equals(bytes))).toBe(true);
  });

  test('single bytes, many messages in one record, a message of many records, keep-alives between them', async () => {
    const { received, port } = await start();
    const client = await peer(port);
    for (const byte of requestBytes({ method: 'BYE' })) client.socket.write(Buffer.from([byte]));
    client.socket.write(
      Buffer.concat([
        requestBytes(),
        Buffer.from('\r\n\r\n'),
        requestBytes({ method: 'OPTIONS', body: 'x'.repeat(60_000) }),
      ]),
    );
    client.socket.write(fixture('opensips-tcp-invite'));
    await until(() => received.length === 4);
    expect(received.map(({ message }) => [message.method, message.body.length])).toEqual([
      ['BYE', 0],
      ['INVITE', 0],
      ['OPTIONS', 60_000],
      ['INVITE', 2_264],
    ]);
    await until(() => client.text() === '\r\n');
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', async (version) => {
    const { received, port } = await start();
    const client = await peer(port, { minVersion: version, maxVersion: version });
    expect(client.socket.getProtocol()).toBe(version);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
  });

  test('older versions are refused, and a higher minimum is kept to', async () => {
    const { port } = await start();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await tryTls(port, old)).toBe('closed');
    const strict = await start({ tls: { minimumVersion: 'TLSv1.3' } });
    expect(await tryTls(strict.port, { maxVersion: 'TLSv1.2' })).toBe('closed');
    expect(await tryTls(strict.port)).toBe('open');
  });

  test('IPv6', async () => {
    const { received, port } = await start({ host: '::1' });
    const client = await peer(port, { host: '::1' });
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(received[0]!.flow.remote).toEqual(client.local);
  });

  test('renegotiation is refused', async () => {
    const { port, received } = await start();
    const client = await peer(port, { maxVersion: 'TLSv1.2' });
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    const error = await new Promise<Error | null>((resolve) => {
      client.socket.renegotiate({}, (each) => each && resolve(each));
      client.socket.once('error', resolve);
    });
    expect(error).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a session is not resumed with %s', async (version) => {
    const { port } = await start();
    const first = await peer(port, { maxVersion: version });
    let session = first.socket.getSession();
    first.socket.on('session', (ticket) => (session = ticket));
    first.socket.write('\r\n\r\n');
    await until(() => first.text() === '\r\n');
    const second = await peer(port, { maxVersion: version, session });
    expect(second.socket.isSessionReused()).toBe(false);
  });
});

describe('time', () => {
  test('a handshake that stops is ended after 10 s, whatever was sent of it', async () => {
    const clock = new ManualClock();
    const { layer, port } = await start({ clock });
    const watching = clock.pendingTimers;
    const silent = await plain(port);
    const half = await plain(port);
    // The first bytes of a ClientHello (RFC 8446 §4.1.2).
    half.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    await until(() => clock.pendingTimers === watching + 2);
    clock.advance(9_999);
    await turn();
    expect([closed(silent)(), closed(half)()]).toEqual([false, false]);
    clock.advance(1);
    await until(() => closed(silent)() && closed(half)());
    await until(() => layer.counters.handshakesFailed === 2);
    expect(layer.connections).toBe(0);
  });

  test('half a message is waited for 30 s, silence is borne for ten minutes', async () => {
    const clock = new ManualClock();
    const { layer, received, port } = await start({ clock });
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    const idle = await peer(port);
    await until(() => layer.connections === 2);
    const timers = clock.pendingTimers;
    client.socket.write(requestBytes().subarray(0, 50));
    await until(() => clock.pendingTimers === timers + 1);
    clock.advance(29_999);
    expect(received[0]!.flow.closed).toBe(false);
    clock.advance(1);
    expect(received[0]!.flow.closed).toBe(true);
    await until(closed(client));
    clock.advance(569_999);
    expect(layer.connections).toBe(1);
    clock.advance(1);
    await until(closed(idle));
    await until(() => layer.connections === 0);
  });

  test('connecting has a time limit, the handshake included', async () => {
    const clock = new ManualClock();
    const { layer } = await start({ clock });
    const silent = await listenPlain();
    const attempt = layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: silent.port });
    attempt.catch(() => {});
    await until(() => silent.accepted.length === 1);
    clock.advance(5_000);
    await expect(attempt).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
    expect(layer.connections).toBe(0);
  });
});

describe('numbers', () => {
  test('beyond the limit of handshakes the one that has taken longest gives way', async () => {
    const { layer, log, port } = await start({ limits: { handshakes: 2 } });
    const first = await plain(port);
    const second = await plain(port);
    const third = await plain(port);
    await until(closed(first));
    expect([closed(second)(), closed(third)()]).toEqual([false, false]);
    // Whoever is quick gets through all the same.
    expect(await tryTls(port)).toBe('open');
    await until(closed(second));
    expect(closed(third)()).toBe(false);
    expect(layer.counters.connectionsAccepted).toBe(4);
    expect(log.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('handshakes count against the limit of a source and of all', async () => {
    const { layer, port } = await start({ limits: { connectionsPerSource: 2 } });
    const first = await plain(port);
    await peer(port);
    await until(closed(await plain(port)));
    expect(layer.counters).toMatchObject({ connectionsAccepted: 2, connectionsRefused: 1 });
    first.socket.destroy();
    await until(() => layer.counters.handshakesFailed === 1);
    expect(await tryTls(port)).toBe('open');

    const small = await start({ limits: { connections: 1 } });
    await plain(small.port);
    await until(closed(await plain(small.port)));
    await expect(small.layer.flowTo({ transport: 'tls', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'TOO_MANY_CONNECTIONS',
    });
  });

  test('what is gone counts no more, accepted or opened', async () => {
    const { layer, port } = await start({ limits: { connections: 2, connectionsPerSource: 2 } });
    const server = await listen();
    for (let i = 0; i < 4; i++) {
      expect(await tryTls(port)).toBe('open');
      const half = await plain(port);
      half.socket.destroy();
      await until(() => layer.connections === 0 && layer.counters.handshakesFailed === i + 1);
      const flow = await layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: server.port });
      await until(() => server.accepted.length === i + 1);
      server.accepted[i]!.socket.destroy();
      await until(() => flow.closed && layer.connections === 0);
    }
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
      await turn();
    }
    expect(flow.closed).toBe(true);
    expect(results).toContain('PEER_TOO_SLOW');
    await until(() => layer.connections === 0);
  });
});

describe('noise on the port', () => {
  test.each([
    ['SIP in the clear', requestBytes()],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['bytes of no meaning', Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5])],
    ['nothing', Buffer.alloc(0)],
  ])('%s: closed, nothing said above debug', async (_, bytes) => {
    const { layer, received, log, port } = await start();
    const client = await plain(port);
    client.socket.end(bytes);
    await until(closed(client));
    await until(() => layer.counters.handshakesFailed === 1);
    expect(client.text()).not.toMatch(/SIP/);
    expect(received).toEqual([]);
    expect(log.filter(({ level }) => level !== 'debug')).toEqual([]);
    expect(await tryTls(port)).toBe('open');
  });

  test('a reset in the handshake disturbs nobody', async () => {
    const { layer, log, port } = await start();
    for (let i = 0; i < 20; i++) {
      const client = await plain(port);
      client.socket.write(Buffer.from([0x16, 3, 1, 2, 0, 1]));
      client.socket.resetAndDestroy();
    }
    await until(() => layer.counters.connectionsAccepted + layer.counters.connectionsRefused === 20);
    await until(() => layer.counters.handshakesFailed === layer.counters.connectionsAccepted);
    expect(log.filter(({ level }) => level !== 'debug')).toEqual([]);
    expect(await tryTls(port)).toBe('open');
  });
});

describe('connecting', () => {
  test('one connection for calls at the same time, used again, also by the peer', async () => {
    const { layer, received, port } = await start();
    const server = await listen();
    const target = { transport: 'tls', host: '127.0.0.1', port: server.port } as const;
    const [one, two] = await Promise.all([layer.flowTo(target), layer.flowTo(target)]);
    expect(one).toBe(two);
    expect(await layer.flowTo(target)).toBe(one);
    await one.send(Buffer.from('hello'));
    await until(() => server.accepted[0]?.text() === 'hello');
    expect(server.accepted.length).toBe(1);
    server.accepted[0]!.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(received[0]!.flow).toBe(one);
    expect(one).toMatchObject({
      transport: 'tls',
      peerCertificate: {
        commonName: 'recorder.example',
        altNames: ['DNS:localhost', 'IP Address:127.0.0.1', 'IP Address:0:0:0:0:0:0:0:1'],
        authorized: true,
      },
    });
    // The Via needs the port that we listen on, not the one that we connected from.
    expect(await layer.localAddressFor(one)).toEqual({ host: '127.0.0.1', port });
  });

  test('a connection that the peer has opened is used for its address', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    expect(await layer.flowTo({ transport: 'tls', ...client.local })).toBe(received[0]!.flow);
    await expect(layer.flowTo({ transport: 'tcp', ...client.local })).rejects.toMatchObject({ code: 'NO_LISTENER' });
  });

  test('a name is told to the server, and is what the certificate must be for', async () => {
    const { layer } = await start();
    const server = await listen();
    const target = { transport: 'tls', host: '127.0.0.1', port: server.port } as const;
    const byName = await layer.flowTo({ ...target, host: 'localhost' });
    expect(await layer.flowTo({ ...target, host: 'LOCALHOST' })).toBe(byName);
    expect(await layer.flowTo(target)).toBe(byName);
    await until(() => server.accepted.length === 1);
    expect(server.names).toEqual(['localhost']);
    await expect(layer.flowTo({ ...target, serverName: 'sbc.example' })).rejects.toMatchObject({
      code: 'WRONG_CERTIFICATE',
      message: `The certificate of 127.0.0.1:${server.port} is not for sbc.example.`,
    });
  });

  test('an open connection serves another name only if its certificate is for that too', async () => {
    const { layer } = await start();
    const server = await listen();
    const target = { transport: 'tls', host: '127.0.0.1', port: server.port } as const;
    const byAddress = await layer.flowTo(target);
    await until(() => server.accepted.length === 1);
    expect(server.names).toEqual([false]);
    expect(await layer.flowTo({ ...target, host: 'localhost' })).toBe(byAddress);
    await expect(layer.flowTo({ ...target, serverName: 'sbc.example' })).rejects.toMatchObject({
      code: 'WRONG_CERTIFICATE',
    });
  });

  test('a client that has shown no certificate does not stand in for a name', async () => {
    const { layer, received, port } = await start();
    const client = await peer(port);
    client.socket.write(requestBytes());
    await until(() => received.length === 1);
    const named = layer.flowTo({ transport: 'tls', ...client.local, serverName: 'sbc.src.example' });
    await expect(named).rejects.toMatchObject({ code: 'ECONNREFUSED' });

    const asking = await start({ tls: { clientCertificates: 'request' } });
    const known = await peer(asking.port, identity('client'));
    known.socket.write(requestBytes());
    await until(() => asking.received.length === 1);
    const target = { transport: 'tls', ...known.local, serverName: 'src.example' } as const;
    expect(await asking.layer.flowTo(target)).toBe(asking.received[0]!.flow);

    // Its certificate says localhost, but nobody whom we trust has signed it.
    const foreign = await peer(asking.port, identity('foreign'));
    foreign.socket.write(requestBytes());
    await until(() => asking.received.length === 2);
    const pretended = asking.layer.flowTo({ transport: 'tls', ...foreign.local, host: 'localhost' });
    await expect(pretended).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a certificate for another address, or of a foreign authority, is refused', async () => {
    const { layer } = await start();
    const elsewhere = await listen({ host: '127.0.0.2' });
    await expect(layer.flowTo({ transport: 'tls', host: '127.0.0.2', port: elsewhere.port })).rejects.toMatchObject({
      code: 'WRONG_CERTIFICATE',
    });
    const foreign = await listen(identity('foreign'));
    await expect(layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: foreign.port })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
    expect(layer.connections).toBe(0);
  });

  test("without an authorities file the system's are asked", async () => {
    const { layer } = await start({ tls: { authoritiesFile: undefined } });
    const server = await listen();
    await expect(layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  test('accept-any takes whoever answers, and says so', async () => {
    const { layer } = await start({ tls: { servers: 'accept-any' } });
    const foreign = await listen({ ...identity('foreign'), host: '127.0.0.2' });
    const flow = await layer.flowTo({ transport: 'tls', host: '127.0.0.2', port: foreign.port });
    expect(flow.peerCertificate).toMatchObject({ commonName: 'src.example', authorized: false });
  });

  test('our own certificate is shown to a server that asks for one', async () => {
    const { layer } = await start();
    const server = await listen({
      requestCert: true,
      rejectUnauthorized: true,
      ca: AUTHORITY,
    });
    await layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: server.port });
    await until(() => server.accepted.length === 1);
    expect(server.accepted[0]!.socket.getPeerCertificate().subject.CN).toBe('recorder.example');
  });

  test('a closed connection is replaced, a refused one rejects with the system code', async () => {
    const { layer } = await start();
    const server = await listen();
    const target = { transport: 'tls', host: '127.0.0.1', port: server.port } as const;
    const one = await layer.flowTo(target);
    await until(() => server.accepted.length === 1);
    server.accepted[0]!.socket.destroy();
    await until(() => one.closed);
    expect(await layer.flowTo(target)).not.toBe(one);
    await expect(one.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(layer.flowTo({ ...target, port: 1 })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('a server that speaks no TLS rejects', async () => {
    const { layer } = await start();
    const { port } = await listenPlain('SIP/2.0 400 Bad Request\r\n\r\n');
    await expect(layer.flowTo({ transport: 'tls', host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'ERR_SSL_WRONG_VERSION_NUMBER',
    });
  });
});

test('port 0 for TCP and TLS of one host gives two ports', async () => {
  const { layer } = await start({ beside: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] });
  const [tls, tcp] = layer.listeningPoints;
  expect([tls?.transport, tcp?.transport]).toEqual(['tls', 'tcp']);
  expect(tls?.port).not.toBe(tcp?.port);
});

test('a taken port is an error that leaves nothing behind', async () => {
  const clock = new ManualClock();
  const { port } = await start();
  await expect(startTls({ port, clock })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  expect(clock.pendingTimers).toBe(0);
});

test('of two TLS listeners the one that accepted is our address', async () => {
  const { layer, received } = await start({
    beside: [{ transport: 'tls', host: '127.0.0.1', port: 0, tls: SETTINGS }],
  });
  const { port } = layer.listeningPoints[1]!;
  const client = await peer(port);
  client.socket.write(requestBytes());
  await until(() => received.length === 1);
  expect(await layer.localAddressFor(received[0]!.flow)).toEqual({ host: '127.0.0.1', port });
});

test('an answer whose connection is lost goes to the address, but must meet the name of the Via', async () => {
  const message = request({ via: 'SIP/2.0/TLS sbc.example:5070;branch=b;received=127.0.0.1' });
  expect(answerTarget(message, 'tls')).toEqual({
    transport: 'tls',
    host: '127.0.0.1',
    port: 5070,
    serverName: 'sbc.example',
  });
  expect(answerTarget(message, 'tcp')).toEqual({ transport: 'tcp', host: '127.0.0.1', port: 5070 });
});

test('closing the layer ends connections both ways, handshakes and attempts, and leaves nothing open', async () => {
  await until(() => openSockets() === 0);
  const clock = new ManualClock();
  const { layer, port } = await startTls({ clock });
  const server = await tlsServer();
  const silent = await plainServer();
  const client = await tlsPeer(port);
  const half = await plainPeer(port);
  const flow = await layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: server.port });
  const attempt = layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: silent.port });
  attempt.catch(() => {});
  await until(() => layer.connections === 2 && silent.accepted.length === 1);
  await layer.close();
  await expect(attempt).rejects.toMatchObject({ code: 'LAYER_CLOSED' });
  await expect(flow.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'CLOSED' });
  expect([layer.connections, clock.pendingTimers]).toEqual([0, 0]);
  await until(() => closed(client)() && closed(half)());
  client.socket.destroy();
  half.socket.destroy();
  await Promise.all([server.close(), silent.close()]);
  await until(() => openSockets() === 0);
});
