import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { probeDrachtio } from '../../src/drachtio/probe.ts';

/** A server that answers each connection's first bytes. Returns its port. */
async function serverThat(behaves: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    behaves(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

const frame = (payload: string) => `${Buffer.byteLength(payload)}#${payload}`;
const probe = (port: number, timeoutMs = 2_000) => probeDrachtio({ host: '127.0.0.1', port, secret: 's' }, timeoutMs);

describe('what is wrong with a drachtio address', () => {
  test('nothing: the version is told, whatever the packet boundaries', async () => {
    const reply = frame('x|response|sipreel-probe|OK|udp/127.0.0.1:5060|v0.9.10-1-g9c2dd4cb6a|udp/127.0.0.1:5060');
    const port = await serverThat((socket) => {
      socket.on('data', (bytes) => {
        expect(bytes.toString()).toBe(frame('sipreel-probe|authenticate|s|'));
        for (const byte of reply) socket.write(byte);
      });
    });
    await expect(probe(port)).resolves.toBe('v0.9.10-1-g9c2dd4cb6a');
  });

  test.each([
    ['a wrong secret', frame('x|response|sipreel-probe|NO|incorrect secret'), 'DRACHTIO_REFUSED'],
    ['too old a server', frame('x|response|sipreel-probe|OK|a|v0.7.3|a'), 'DRACHTIO_UNSUITABLE'],
    ['no version', frame('x|response|sipreel-probe|OK|a'), 'DRACHTIO_UNSUITABLE'],
    ['a web server', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'DRACHTIO_UNSUITABLE'],
    ['an answer to something else', frame('x|response|other|OK|a|v0.9.0|a'), 'DRACHTIO_UNSUITABLE'],
    ['a flood', `99999#${'x'.repeat(20_000)}`, 'DRACHTIO_UNSUITABLE'],
  ])('%s', async (_, reply, code) => {
    const port = await serverThat((socket) => socket.on('data', () => socket.write(reply)));
    await expect(probe(port)).rejects.toMatchObject({ code });
  });

  test('it hangs up', async () => {
    const port = await serverThat((socket) => socket.end());
    await expect(probe(port)).rejects.toMatchObject({ code: 'DRACHTIO_UNREACHABLE' });
  });

  test('it says nothing', async () => {
    const port = await serverThat(() => {});
    await expect(probe(port, 50)).rejects.toMatchObject({ code: 'DRACHTIO_UNREACHABLE' });
  });

  test('nobody is there', async () => {
    await expect(probe(1)).rejects.toMatchObject({ code: 'DRACHTIO_UNREACHABLE', message: /ECONNREFUSED/ });
  });
});
