import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { canonicalHost } from '../../../src/sip-server/transport/addresses.ts';
import { withDefaults } from '../../../src/sip-server/transport/limits.ts';
import { startLayer, type TestLayer, udpPeer, until } from '../support/layers.ts';
import { requestBytes } from '../support/messages.ts';

const open: TestLayer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map(({ layer }) => layer.close()));
});

async function start(...options: Parameters<typeof startLayer>): Promise<TestLayer> {
  const layer = await startLayer(...options);
  open.push(layer);
  return layer;
}

/** An address of this machine that is not loopback, if it has one. */
const outside = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

describe('binding', () => {
  test('both: UDP and TCP get the same free port', async () => {
    const { layer, port } = await start();
    expect(port).toBeGreaterThan(0);
    expect(layer.listeningPoints).toEqual([
      { transport: 'udp', host: '127.0.0.1', port },
      { transport: 'tcp', host: '127.0.0.1', port },
    ]);
  });

  test('UDP and TCP that both ask for port 0 of one host get the same one, other listeners their own', async () => {
    const { layer } = await start({
      listeners: [
        { transport: 'udp', host: '127.0.0.1', port: 0 },
        { transport: 'udp', host: '127.0.0.2', port: 0 },
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
      ],
    });
    const [udp, tcp, other] = layer.listeningPoints;
    expect([udp, tcp].map((point) => `${point?.transport} ${point?.host}`)).toEqual(['udp 127.0.0.1', 'tcp 127.0.0.1']);
    expect(udp?.port).toBe(tcp?.port);
    expect(other).toMatchObject({ transport: 'udp', host: '127.0.0.2' });
  });

  test('a taken port is an error, and what was bound before is given back', async () => {
    const { port } = await start();
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const address = free.address();
    const freePort = address !== null && typeof address === 'object' ? address.port : 0;
    await new Promise((resolve) => free.close(resolve));
    const attempt = startLayer({
      listeners: [
        { transport: 'tcp', host: '127.0.0.1', port: freePort },
        { transport: 'udp', host: '127.0.0.1', port },
      ],
    });
    await expect(attempt).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await start({ listeners: [{ transport: 'tcp', host: '127.0.0.1', port: freePort }] });
  });

  test('both: a fixed port that UDP cannot have leaves no TCP listener behind', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const { port } = socket.address();
    await expect(startLayer({ listeners: [{ transport: 'both', host: '127.0.0.1', port }] })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
    socket.close();
    await start({ listeners: [{ transport: 'both', host: '127.0.0.1', port }] });
  });

  test('IPv4 and IPv6 wildcards stand side by side on one port', async () => {
    const { port } = await start({ listeners: [{ transport: 'both', host: '0.0.0.0', port: 0 }] });
    const { layer } = await start({ listeners: [{ transport: 'both', host: '::', port }] });
    expect(layer.listeningPoints.map((point) => point.port)).toEqual([port, port]);
  });

  test('close is idempotent, and afterwards nothing can be sent or opened', async () => {
    const { layer } = await start();
    const flow = await layer.flowTo({ transport: 'udp', host: '127.0.0.1', port: 9 });
    await Promise.all([layer.close(), layer.close()]);
    expect(flow.closed).toBe(true);
    await expect(flow.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'LAYER_CLOSED' });
    await expect(layer.flowTo({ transport: 'tcp', host: '127.0.0.1', port: 9 })).rejects.toMatchObject({
      code: 'LAYER_CLOSED',
    });
  });
});

test('a user that throws does not stop the layer', async () => {
  const { received, port } = await start({
    onMessage: () => {
      throw new Error('user');
    },
  });
  const client = await udpPeer();
  client.send(requestBytes(), port);
  client.send(requestBytes({ method: 'BYE' }), port);
  await until(() => received.length === 2);
  await client.close();
});

describe('own addresses', () => {
  test('a concrete listener is itself only', async () => {
    const { layer, port } = await start();
    expect(layer.isOwnAddress('127.0.0.1', port)).toBe(true);
    expect(layer.isOwnAddress('127.0.0.1', port + 1)).toBe(false);
    expect(layer.isOwnAddress('127.0.0.2', port)).toBe(false);
    expect(layer.isOwnAddress('example.com', port)).toBe(false);
  });

  test('a wildcard is every address of the machine in its family', async () => {
    const { layer, port } = await start({
      listeners: [
        { transport: 'udp', host: '0.0.0.0', port: 0 },
        { transport: 'udp', host: '::1', port: 0 },
      ],
    });
    const port6 = layer.listeningPoints[1]!.port;
    expect(layer.isOwnAddress('127.0.0.7', port)).toBe(true);
    if (outside) expect(layer.isOwnAddress(outside, port)).toBe(true);
    expect(layer.isOwnAddress('192.0.2.1', port)).toBe(false);
    expect(layer.isOwnAddress('::1', port)).toBe(false);
    expect(layer.isOwnAddress('[0:0::1]', port6)).toBe(true);
  });

  test('the local address behind a wildcard is the one that faces the peer', async () => {
    const { layer, port } = await start({ listeners: [{ transport: 'both', host: '0.0.0.0', port: 0 }] });
    const loopback = await layer.flowTo({ transport: 'udp', host: '127.0.0.1', port: 9 });
    expect(await layer.localAddressFor(loopback)).toEqual({ host: '127.0.0.1', port });
    if (!outside) return;
    const far = await layer.flowTo({ transport: 'udp', host: outside, port: 9 });
    expect(await layer.localAddressFor(far)).toEqual({ host: outside, port });
  });

  test('of several UDP listeners the one that faces the peer is taken', async () => {
    if (!outside) return;
    const { layer } = await start({
      listeners: [
        { transport: 'udp', host: outside, port: 0 },
        { transport: 'udp', host: '127.0.0.1', port: 0 },
      ],
    });
    const near = await layer.flowTo({ transport: 'udp', host: '127.0.0.1', port: 9 });
    const far = await layer.flowTo({ transport: 'udp', host: outside, port: 9 });
    expect([near.local.host, far.local.host]).toEqual(['127.0.0.1', outside]);
  });
});

test.each([
  ['[2001:DB8:0:0::1]', '2001:db8::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['10.0.0.1', '10.0.0.1'],
  ['Example.COM', 'example.com'],
  ['[::ffff:10.0.0.1]', '::ffff:10.0.0.1'],
])('canonicalHost %s', (host, expected) => {
  expect(canonicalHost(host)).toBe(expected);
});

test('withDefaults: undefined does not hide a default', () => {
  expect(withDefaults({ a: 1, b: 2, c: 3 }, { a: undefined, b: 0 })).toEqual({ a: 1, b: 0, c: 3 });
  expect(withDefaults({ a: 1 }, undefined)).toEqual({ a: 1 });
});
