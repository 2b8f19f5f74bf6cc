// Clients that send an octet now and then.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { BodyDeadlines } from '../../src/http/body-deadlines.ts';

/** A request of which only the beginning comes. */
async function halfRequest(deadlines: (request: IncomingMessage) => void) {
  const server = createServer((request) => {
    request.resume();
    deadlines(request);
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const dripping = setInterval(() => socket.write('x'), 10);
  // A reset, if the last octets come after the server has gone, ends the connection as well.
  const closed = new Promise<void>((resolve) => {
    socket
      .on('error', () => {})
      .on('close', () => {
        clearInterval(dripping);
        resolve();
      });
  });
  socket.write('PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n');
  return { server, closed };
}

test('the connection is closed when the time is over, however busy it is', async () => {
  const { closed } = await halfRequest((request) => new BodyDeadlines(50).begin(request));
  await closed;
});

test('a route may give more time, and what is left after the answer has the usual limit again', async () => {
  const deadlines = new BodyDeadlines(50);
  let request: IncomingMessage | undefined;
  const { server, closed } = await halfRequest((one) => {
    request = one;
    deadlines.begin(one);
    deadlines.set(one, 3_600_000);
  });
  const [outlived] = (await once(server, 'request').then(() =>
    Promise.race([closed.then(() => ['closed']), new Promise((resolve) => setTimeout(resolve, 200, ['alive']))]),
  )) as string[];
  expect(outlived).toBe('alive');
  deadlines.begin(request!);
  await closed;
});
