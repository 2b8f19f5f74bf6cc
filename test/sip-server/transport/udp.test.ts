import { afterEach, expect, test } from 'vitest';
import { startLayer, type TestLayer, type UdpPeer, udpPeer, until } from '../support/layers.ts';
import { fixture, requestBytes } from '../support/messages.ts';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function start(...options: Parameters<typeof startLayer>): Promise<TestLayer> {
  const layer = await startLayer(...options);
  open.push(layer.layer);
  return layer;
}

async function peer(host?: string): Promise<UdpPeer> {
  const each = await udpPeer(host);
  open.push(each);
  return each;
}

test('a request comes with received and rport, and its flow leads back', async () => {
  const { layer, received, port } = await start();
  const client = await peer();
  client.send(requestBytes({ via: 'SIP/2.0/UDP client.example.com:5099;branch=z9hG4bKx;rport' }), port);
  await until(() => received.length === 1);
  const { message, flow } = received[0]!;
  expect(message.header('Via')).toBe(
    `SIP/2.0/UDP client.example.com:5099;branch=z9hG4bKx;rport=${client.port};received=127.0.0.1`,
  );
  expect(flow).toMatchObject({
    transport: 'udp',
    reliable: false,
    closed: false,
    local: { host: '127.0.0.1', port },
    remote: { host: '127.0.0.1', port: client.port },
  });
  await flow.send(Buffer.from('back'));
  await until(() => client.received.length === 1);
  expect(client.received[0]!.toString()).toBe('back');
  expect(layer.counters).toMatchObject({ messages: 1, malformed: 0 });
});

test('without rport answers go to the port of sent-by, with rport to the source', async () => {
  const { layer, received, port } = await start();
  const client = await peer();
  const server = await peer();
  client.send(requestBytes({ via: `SIP/2.0/UDP 127.0.0.1:${server.port};branch=a` }), port);
  client.send(requestBytes({ via: `SIP/2.0/UDP 127.0.0.1:${server.port};branch=b;rport` }), port);
  await until(() => received.length === 2);
  for (const { message, flow } of received)
    await layer.answerFlow(message, flow).send(Buffer.from(message.topVia!.branch!));
  await until(() => server.received.length === 1 && client.received.length === 1);
  expect([server.received[0]!.toString(), client.received[0]!.toString()]).toEqual(['a', 'b']);
});

test('60 KiB go both ways in one datagram', async () => {
  const { layer, received, port } = await start();
  const client = await peer();
  const body = 'v=0\r\n'.repeat(12_000);
  const bytes = requestBytes({ body });
  expect(bytes.length).toBeGreaterThan(60_000);
  client.send(bytes, port);
  await until(() => received.length === 1);
  expect(received[0]!.message.body.toString()).toBe(body);
  const flow = await layer.flowTo({ transport: 'udp', host: '127.0.0.1', port: client.port });
  await flow.send(received[0]!.message.toBytes());
  await until(() => client.received.length === 1);
  expect(client.received[0]).toEqual(received[0]!.message.toBytes());
  await expect(flow.send(Buffer.alloc(70_000))).rejects.toMatchObject({ code: 'EMSGSIZE' });
});

test('a captured INVITE arrives byte for byte, a cut one as malformed and answerable', async () => {
  const { layer, received, malformed, port } = await start();
  const client = await peer();
  const invite = fixture('opensips-udp-invite');
  client.send(invite, port);
  client.send(invite.subarray(0, 1_480), port);
  client.send(Buffer.from('\r\n\r\n'), port);
  client.send(Buffer.from('\0\0\0\0'), port);
  client.send(Buffer.from('garbage'), port);
  await until(() => received.length === 1 && malformed.length === 3);
  // The Via names 127.0.40.1, so received was filled in.
  expect(received[0]!.message.toText().replace(';received=127.0.0.1', '')).toBe(invite.toString());
  expect(malformed.map(({ malformed: each }) => [each.malformed, each.answerable?.topVia?.received])).toEqual([
    ['truncated', '127.0.0.1'],
    ['nul', undefined],
    ['start-line', undefined],
  ]);
  expect(layer.counters).toMatchObject({ messages: 1, malformed: 3 });
});

test('a port that cannot be sent to, an unknown name and a missing listener are rejections with a code', async () => {
  const { layer } = await start();
  const flow = await layer.flowTo({ transport: 'udp', host: '127.0.0.1', port: 0 });
  await expect(flow.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
  await expect(layer.flowTo({ transport: 'udp', host: '::1', port: 5060 })).rejects.toMatchObject({
    code: 'NO_LISTENER',
  });
  await expect(layer.flowTo({ transport: 'tls', host: '127.0.0.1', port: 5061 })).rejects.toMatchObject({
    code: 'NO_LISTENER',
  });
  await expect(layer.flowTo({ transport: 'udp', host: 'no-such-name.invalid', port: 5060 })).rejects.toMatchObject({
    code: 'UNRESOLVED',
  });
});

test('a name is resolved to an address of a family that is listened on', async () => {
  const { layer } = await start();
  const flow = await layer.flowTo({ transport: 'udp', host: 'localhost', port: 5060 });
  expect(flow.remote).toEqual({ host: '127.0.0.1', port: 5060 });
});

test('IPv6, in brackets or not', async () => {
  const { layer, received, port } = await start({ listeners: [{ transport: 'both', host: '::1', port: 0 }] });
  const client = await peer('::1');
  client.send(requestBytes({ via: `SIP/2.0/UDP [2001:db8::5];branch=b;rport` }), port);
  await until(() => received.length === 1);
  expect(received[0]!.message.header('Via')).toBe(
    `SIP/2.0/UDP [2001:db8::5];branch=b;rport=${client.port};received=::1`,
  );
  const flow = await layer.flowTo({ transport: 'udp', host: '[::1]', port: client.port });
  await flow.send(Buffer.from('back'));
  await until(() => client.received.length === 1);
  expect(await layer.localAddressFor(flow)).toEqual({ host: '::1', port });
});

test('a burst of 300 datagrams of 3 kB is not lost', async () => {
  const { received, port } = await start();
  const client = await peer();
  for (let i = 0; i < 300; i++) client.send(requestBytes({ branch: `z9hG4bK${i}`, body: 'x'.repeat(2_700) }), port);
  await until(() => received.length === 300);
});
