// The admin port: login, routes, ping, frames that are none or too long, and who answers when no app can.
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../../src/lib/log.ts';
import { createSipServer } from '../../../src/sip-server/index.ts';
import { AdminClient } from '../support/admin-client.ts';
import { until } from '../support/layers.ts';
import { UdpPeer } from '../support/peer.ts';
import { event, later, newSrf } from '../support/srf.ts';
import { connectApp, FAST, SECRET, startServer, untilIdle } from '../support/stack.ts';

let started: Awaited<ReturnType<typeof startServer>>;
const clients: AdminClient[] = [];

beforeEach(async () => {
  const limits = { admin: { frameBytes: 65_536, connections: 4, loginMs: 100, routes: 3 } };
  started = await startServer({ timers: FAST, limits });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await started.server.close();
});

async function open(): Promise<AdminClient> {
  const client = await AdminClient.open(started.adminPort);
  clients.push(client);
  return client;
}

async function app(...verbs: string[]): Promise<AdminClient> {
  const client = await AdminClient.app(started.adminPort, ...verbs);
  clients.push(client);
  return client;
}

describe('login', () => {
  test('with the secret: addresses and a version that drachtio-srf can read', async () => {
    const client = await open();
    client.send(`m1|authenticate|${SECRET}|tagA,tagB`);
    const reply = await client.next(() => true);
    const points = `udp/127.0.0.1:${started.udpPort},tcp/127.0.0.1:${started.tcpPort}`;
    expect(reply.tokens.slice(1)).toEqual(['response', 'm1', 'OK', points, 'v0.9.10-sipreel', points]);
  });

  test('without the fourth token', async () => {
    const client = await open();
    client.send(`m1|authenticate|${SECRET}`);
    expect((await client.next(() => true)).tokens[3]).toBe('OK');
  });

  test.each(['wrong', '', 'test-secre', 'test-secret2'])('with "%s": NO and the end', async (secret) => {
    const client = await open();
    client.send(`m1|authenticate|${secret}|`);
    expect((await client.next(() => true)).tokens.slice(1)).toEqual(['response', 'm1', 'NO', 'incorrect secret']);
    await client.untilClosed();
  });

  test.each([
    ['m1|route|invite', 'not authenticated'],
    ['m1|ping', 'not authenticated'],
    ['m1|sip||\r\nOPTIONS sip:127.0.0.2 SIP/2.0\r\n\r\n', 'not authenticated'],
    ['m1|proxy|x', 'not authenticated'],
    ['m1|route', 'Invalid message format'],
    ['m1|nonsense', 'Unknown message type'],
    ['m1', 'Invalid message format'],
  ])('before it %j is refused', async (payload, reason) => {
    const client = await open();
    client.send(payload);
    client.send(`m2|authenticate|${SECRET}|`);
    expect((await client.next(() => true)).tokens.slice(1)).toEqual(['response', 'm1', 'NO', reason]);
    await client.untilClosed();
    expect(client.frames).toEqual([]);
  });

  test('a large frame before it is refused', async () => {
    const client = await open();
    client.send(`m1|${'x'.repeat(70_000)}`);
    expect((await client.next(() => true)).tokens.slice(1)).toEqual(['response', 'm1', 'NO', 'not authenticated']);
    await client.untilClosed();
  });

  test('too late: the connection is closed', async () => {
    const client = await open();
    await client.untilClosed();
    expect(client.frames).toEqual([]);
  });

  test('the real drachtio-srf with a wrong secret', async () => {
    const srf = newSrf();
    srf.on('error', () => {});
    srf.connect({ host: '127.0.0.1', port: started.adminPort, secret: 'wrong', reconnect: { maxAttempts: 1 } });
    const [error] = await once(srf, 'connect');
    expect(error).toMatchObject({ message: 'failed to authenticate to server' });
  });

  test('more connections than allowed are turned away', async () => {
    for (let i = 0; i < 4; i++) await app();
    const fifth = await open();
    await fifth.untilClosed();
    expect(started.server.statistics().apps).toBe(4);
  });
});

describe('commands', () => {
  test('ping, route, remove_route, proxy', async () => {
    const client = await app();
    expect((await client.command('ping')).tokens.slice(3)).toEqual(['OK', 'pong']);
    expect((await client.command('route|invite')).tokens.slice(3)).toEqual(['OK']);
    expect((await client.command('route|cdr:start')).tokens.slice(3)).toEqual(['OK']);
    expect((await client.command('remove_route|invite')).tokens.slice(3)).toEqual(['OK']);
    expect((await client.command('remove_route|never')).tokens.slice(3)).toEqual(['OK']);
    expect((await client.command('proxy|x|||||||sip:a@b\r\nINVITE sip:a@b SIP/2.0\r\n\r\n')).tokens.slice(3)).toEqual([
      'NOK',
      'proxy is not supported by this server',
    ]);
    expect((await client.command(`route|${'x'.repeat(33)}`)).tokens[3]).toBe('NOK');
    for (const verb of ['a', 'b']) await client.command(`route|${verb}`);
    expect((await client.command('route|c')).tokens[3]).toBe('NOK');
  });

  test.each([
    ['m1|nonsense|x', 'Unknown message type'],
    ['m1', 'Invalid message format'],
    ['m1|sip|x|y', 'Invalid message format'],
    ['m1|sip||\r\nSIP/2.0 200 OK\r\n\r\n', 'transaction id missing'],
    ['m1|sip|txn|\r\nINFO sip:a@b SIP/2.0\r\n\r\n', 'Invalid message format'],
  ])('%j is answered NO and ends the connection', async (payload, reason) => {
    const client = await app();
    client.send(payload);
    expect((await client.next(() => true)).tokens.slice(1)).toEqual(['response', 'm1', 'NO', reason]);
    await client.untilClosed();
  });

  test.each([
    ['sip|unknown|\r\nSIP/2.0 200 OK\r\n\r\n', 'Response not sent due to unknown transaction'],
    ['sip|unknown|\r\nSIP/2.0 OK\r\n\r\n', 'invalid status line: SIP/2.0 OK'],
    [
      'sip|x|\r\nSIP/2.0 200 OK\r\ncseq: 1 CANCEL\r\n\r\n',
      '200 OK to incoming CANCEL is automatically generated by the stack',
    ],
    [
      'sip||none;from-tag=1\r\nINFO sip:placeholder SIP/2.0\r\n\r\n',
      'Server error: unable to find dialog for dialog id provided',
    ],
    [
      'sip||none;from-tag=1\r\nACK sip:x SIP/2.0\r\n\r\n',
      'Server error: ACK for non-success final response is automatically generated by server',
    ],
    ['sip||none;from-tag=1\r\nINFO sip:x SIP/2.0\r\n\r\nabc', 'Server error: missing content-type'],
    ['sip||none;from-tag=1\r\ngarbage\r\n\r\n', 'invalid request-uri: garbage'],
    ['sip|gone|\r\nCANCEL sip:x SIP/2.0\r\n\r\n', 'unable to cancel unknown transaction id: gone'],
    ['sip||\r\nACK sip:a@127.0.0.2 SIP/2.0\r\n\r\n', 'invalid request-uri: ACK sip:a@127.0.0.2 SIP/2.0'],
    ['sip||\r\nOPTIONS a|b SIP/2.0\r\n\r\n', 'invalid request-uri: OPTIONS a b SIP/2.0'],
    ['sip|||nonsense\r\nOPTIONS sip:a@127.0.0.2 SIP/2.0\r\n\r\n', 'requested protocol/transport not available'],
  ])('%j is answered NOK and the connection stays', async (rest, reason) => {
    const client = await app();
    expect((await client.command(rest)).tokens.slice(3)).toEqual(['NOK', reason]);
    expect((await client.command('ping')).tokens[3]).toBe('OK');
  });

  test('a frame above the limit: NOK, the connection stays in step', async () => {
    const client = await app();
    const reply = await client.command(`sip||\r\nMESSAGE sip:a@127.0.0.2 SIP/2.0\r\n\r\n${'x'.repeat(70_000)}`);
    expect(reply.tokens[3]).toBe('NOK');
    expect(reply.tokens[4]).toMatch(/^frame of 70\d\d\d bytes is over the limit of 65536$/);
    expect((await client.command('ping')).tokens.slice(3)).toEqual(['OK', 'pong']);
  });

  test.each(['x', '#', '12x#', '12345678901#'])('"%s" is no frame: closed without a word', async (bytes) => {
    const client = await app();
    client.socket.write(bytes);
    await client.untilClosed();
    expect(client.frames).toEqual([]);
  });
});

const options = (peer: UdpPeer, callId: string, method = 'OPTIONS') => peer.request({ method, callId, cseq: 1 });

describe('new requests', () => {
  test('go to the registered apps in turn, a method registered twice counts once', async () => {
    const a = await app('options', 'options');
    const b = await app('OPTIONS');
    const peer = await UdpPeer.open(started.udpPort);
    for (let i = 0; i < 4; i++) {
      peer.send(options(peer, `call-${i}`));
      const client = i % 2 === 0 ? a : b;
      const frame = await client.sip('OPTIONS');
      expect(frame.tokens.slice(2, 7)).toEqual([
        'network',
        String(Buffer.byteLength(frame.text)),
        'udp',
        '127.0.0.1',
        String(peer.port),
      ]);
      expect(frame.tokens.slice(9)).toEqual(['', '127.0.0.1', String(started.udpPort), '']);
      const sent = await client.answer(frame, 'SIP/2.0 200 OK\r\nX-App: hello\r\n\r\n');
      expect(sent.tokens.slice(10)).toEqual([frame.tokens[8], '', '', 'Msg sent:', '']);
      expect((await peer.next(200)).toText()).toBe(sent.text);
    }
    await a.command('remove_route|options');
    for (let i = 5; i < 7; i++) {
      peer.send(options(peer, `call-${i}`));
      await b.answer(await b.sip('OPTIONS'), 'SIP/2.0 200 OK\r\n\r\n');
      await peer.next(200);
    }
    await untilIdle(started.server);
    await peer.close();
  });

  test.each([
    ['INVITE', 503],
    ['OPTIONS', 503],
    ['REGISTER', 503],
    ['FROBNICATE', 501],
    ['invite', 501],
    ['BYE', 481],
    ['UPDATE', 481],
    ['PRACK', 481],
    ['CANCEL', 481],
  ])('%s without an app is answered %i', async (method, statusCode) => {
    await app('message');
    const peer = await UdpPeer.open(started.udpPort);
    const request = peer.request({ method, callId: 'call-1', cseq: 1, branch: 'z9hG4bK-none' });
    peer.send(request);
    const answer = await peer.next(statusCode);
    expect(answer.toTag).toMatch(/^\w{16}$/);
    if (method === 'INVITE') {
      peer.send(
        peer.request({ method: 'ACK', callId: 'call-1', cseq: 1, branch: 'z9hG4bK-none', toTag: answer.toTag }),
      );
    }
    await peer.close();
  });

  test('remove_route takes away one method only', async () => {
    const client = await app('options', 'message');
    await client.command('remove_route|message');
    const peer = await UdpPeer.open(started.udpPort);
    peer.send(options(peer, 'call-1', 'MESSAGE'));
    await peer.next(503);
    peer.send(options(peer, 'call-2'));
    await client.answer(await client.sip('OPTIONS'), 'SIP/2.0 200 OK\r\n\r\n');
    await peer.next(200);
    await peer.close();
  });

  test.each(['INVITE', 'BYE', 'INFO', 'OPTIONS', 'NOTIFY'])('%s with a To tag of no dialog: 481', async (method) => {
    await app('invite', 'info');
    const peer = await UdpPeer.open(started.udpPort);
    peer.send(peer.request({ method, callId: 'call-1', cseq: 1, toTag: 'unknown', branch: 'z9hG4bK-x' }));
    await peer.next(481);
    await peer.close();
  });

  test('method handlers of the real drachtio-srf: OPTIONS, one added later, and its 404 for what it has none for', async () => {
    const srf = await connectApp(started.adminPort, (each) => {
      each.options((req, res) => res.send(200, { headers: { 'X-Received-On': req.receivedOn ?? '' } }));
    });
    const peer = await UdpPeer.open(started.udpPort);
    peer.send(options(peer, 'call-1'));
    expect((await peer.next(200)).header('X-Received-On')).toBe(`127.0.0.1:${started.udpPort}`);
    const added = later<void>();
    srf.message((_req, res) => {
      res.send(202);
      added.resolve();
    });
    await until(() => started.server.statistics().apps === 1);
    // The route frame travels while this request does: one of the first must get through.
    for (let i = 2; ; i++) {
      peer.send(options(peer, `call-${i}`, 'MESSAGE'));
      if ((await peer.next((message) => message.statusCode >= 200)).statusCode === 202) break;
    }
    await added.promise;
    const closed = event(srf, 'close');
    srf.disconnect();
    await closed;
    await peer.close();
  });
});

describe('start', () => {
  test('an address in use: the error names it, nothing stays open', async () => {
    const second = createSipServer({
      listeners: [
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
        { transport: 'udp', host: '127.0.0.1', port: started.udpPort },
      ],
      admin: { host: '127.0.0.1', port: 0, secret: SECRET },
      log: silentLog,
    });
    await expect(second.start()).rejects.toThrow(
      `The SIP address udp 127.0.0.1:${started.udpPort} could not be bound: another program is using it (EADDRINUSE).`,
    );
    await second.close();
  });

  test('an admin port in use', async () => {
    const second = createSipServer({
      listeners: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
      admin: { host: '127.0.0.1', port: started.adminPort, secret: SECRET },
    });
    await expect(second.start()).rejects.toThrow(
      `The admin address tcp 127.0.0.1:${started.adminPort} could not be bound: another program is using it (EADDRINUSE).`,
    );
  });

  test('an address of another machine', async () => {
    const second = createSipServer({
      listeners: [{ transport: 'tcp', host: '192.0.2.1', port: 5060 }],
      admin: { host: '127.0.0.1', port: 0, secret: SECRET },
    });
    await expect(second.start()).rejects.toThrow(
      'The SIP address tcp 192.0.2.1:5060 could not be bound: this machine has no such address (EADDRNOTAVAIL).',
    );
  });

  test('an unreadable advertised address', () => {
    const listeners = [{ transport: 'udp', host: '127.0.0.1', port: 0, advertise: 'a b' }] as const;
    expect(() => createSipServer({ listeners, admin: { host: '127.0.0.1', port: 0, secret: SECRET } })).toThrow(
      'The advertised address a b is neither host nor host:port.',
    );
  });
});

describe('limits', () => {
  test('dialogs: beyond, INVITE and SUBSCRIBE are answered 503', async () => {
    const small = await startServer({ limits: { dialogs: 1 } });
    const client = await AdminClient.app(small.adminPort, 'invite', 'subscribe', 'options');
    const peer = await UdpPeer.open(small.udpPort);
    peer.send(options(peer, 'call-1', 'INVITE'));
    await client.answer(await client.sip('INVITE'), 'SIP/2.0 200 OK\r\n\r\n');
    await peer.next(200);
    peer.send(options(peer, 'call-2', 'INVITE'));
    peer.send(options(peer, 'call-3', 'SUBSCRIBE'));
    expect((await peer.next((message) => message.callId === 'call-2' && message.statusCode > 100)).statusCode).toBe(
      503,
    );
    expect((await peer.next((message) => message.callId === 'call-3')).statusCode).toBe(503);
    peer.send(options(peer, 'call-4'));
    await client.answer(await client.sip('OPTIONS'), 'SIP/2.0 200 OK\r\n\r\n');
    client.close();
    await peer.close();
    await small.server.close();
  });

  test('an app that does not read is disconnected', async () => {
    const small = await startServer({ limits: { admin: { writeQueueBytes: 100_000 } } });
    const client = await AdminClient.app(small.adminPort, 'message');
    client.socket.pause();
    const peer = await UdpPeer.open(small.udpPort);
    const body = 'x'.repeat(50_000);
    let i = 0;
    await until(() => {
      peer.send(peer.request({ method: 'MESSAGE', callId: `call-${++i}`, cseq: 1, body }));
      return small.server.statistics().apps === 0;
    });
    expect(small.server.statistics().pendingRequests).toBe(0);
    await peer.close();
    client.close();
    await small.server.close();
  });
});

test('closing twice, and while calls wait for an app: 503', async () => {
  const client = await app('invite');
  const peer = await UdpPeer.open(started.udpPort);
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 1 }));
  await client.sip('INVITE');
  await Promise.all([started.server.close(), started.server.close()]);
  await peer.next(503);
  await client.untilClosed();
  expect(started.server.statistics()).toMatchObject({ dialogs: 0, serverTransactions: 0, timers: 0, apps: 0 });
  await peer.close();
});

test('the advertised address goes into Contact, From and the greeting', async () => {
  const nat = await startServer({
    listeners: [
      { transport: 'udp', host: '0.0.0.0', port: 0, advertise: '192.0.2.7:5070' },
      { transport: 'tcp', host: '127.0.0.1', port: 0, advertise: 'srs.example.org' },
    ],
  });
  const client = await AdminClient.open(nat.adminPort);
  const greeting = await client.command(`authenticate|${SECRET}|`);
  expect(greeting.tokens.slice(4)).toEqual([
    `udp/192.0.2.7:5070,tcp/srs.example.org:${nat.tcpPort}`,
    'v0.9.10-sipreel',
    `udp/0.0.0.0:${nat.udpPort},tcp/127.0.0.1:${nat.tcpPort}`,
  ]);
  const peer = await UdpPeer.open(nat.udpPort);
  client.send(`m1|sip||\r\nSUBSCRIBE sip:a@127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`);
  const subscribe = await peer.next('SUBSCRIBE');
  expect([subscribe.header('Contact'), subscribe.header('From')?.split(';')[0]]).toEqual([
    '<sip:192.0.2.7:5070>',
    '<sip:192.0.2.7:5070>',
  ]);
  client.close();
  await peer.close();
  await nat.server.close();
});
