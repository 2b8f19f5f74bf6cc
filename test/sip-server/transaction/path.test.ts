import { expect, test } from 'vitest';
import { Path } from '../../../src/sip-server/transaction/path.ts';
import { FakeFlow, settle } from '../support/fakes.ts';
import { requestBytes } from '../support/messages.ts';

const OPTIONS = requestBytes({ method: 'OPTIONS' });
const BYE = requestBytes({ method: 'BYE' });
const INFO = requestBytes({ method: 'INFO' });

test('a closed connection is replaced once for all who wait, and their order kept', async () => {
  const lost = new FakeFlow('tcp');
  const found = new FakeFlow('tcp');
  const opened = Promise.withResolvers<FakeFlow>();
  let asked = 0;
  const path = new Path(lost, () => {
    asked++;
    return opened.promise;
  });
  lost.closed = true;
  const sent = [path.send(OPTIONS), path.send(BYE)];
  await settle();
  sent.push(path.send(INFO));
  opened.resolve(found);
  await Promise.all(sent);
  expect([asked, found.take(), path.flow]).toEqual([1, ['OPTIONS', 'BYE', 'INFO'], found]);
});

test('a connection that is lost while sending is replaced', async () => {
  const lost = new FakeFlow('tcp');
  const found = new FakeFlow('tcp');
  const path = new Path(lost, async () => found);
  lost.failure = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
  await Promise.all([path.send(OPTIONS), path.send(BYE)]);
  await path.send(INFO);
  expect(found.take()).toEqual(['OPTIONS', 'BYE', 'INFO']);
});

test('a sending that comes when the new connection is there still queues behind those that wait', async () => {
  const lost = new FakeFlow('tcp');
  const found = new FakeFlow('tcp');
  lost.closed = true;
  const path = new Path(lost, async () => found);
  const held = Promise.withResolvers<void>();
  const send = found.send.bind(found);
  found.send = async (bytes) => {
    await send(bytes);
    await held.promise;
  };
  const sent = [path.send(OPTIONS), path.send(BYE)];
  await settle();
  sent.push(path.send(INFO));
  await settle();
  expect(found.take()).toEqual(['OPTIONS']);
  held.resolve();
  await Promise.all(sent);
  expect(found.take()).toEqual(['BYE', 'INFO']);
});

test('without a new connection it rejects, and asks again the next time', async () => {
  const lost = new FakeFlow('tcp');
  lost.closed = true;
  const found = new FakeFlow('tcp');
  const ways: (FakeFlow | Error)[] = [new Error('refused'), found];
  const path = new Path(lost, async () => {
    const way = ways.shift()!;
    if (way instanceof Error) throw way;
    return way;
  });
  await expect(path.send(OPTIONS)).rejects.toThrow('refused');
  await path.send(BYE);
  expect(found.take()).toEqual(['BYE']);
});

test('over UDP a failure is only reported', async () => {
  const flow = new FakeFlow('udp');
  flow.failure = Object.assign(new Error('x'), { code: 'EMSGSIZE' });
  const path = new Path(flow, async () => {
    throw new Error('must not be asked');
  });
  await expect(path.send(OPTIONS)).rejects.toMatchObject({ code: 'EMSGSIZE' });
});
