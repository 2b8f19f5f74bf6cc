import { expect, test } from 'vitest';
import { startClient } from '../support/client.ts';
import { settle } from '../support/fakes.ts';

const T1 = 500;
const BASE = 64 * T1;
const C = 180_000;
const D = 32_000;

// State reached by, event → state, sent, timers running, told. RFC 3261 figure 5 with RFC 6026 §7.2.
test.each([
  ['udp', '', 'begin', 'calling', ['INVITE'], [T1, BASE], ['sent']],
  ['tcp', '', 'begin', 'calling', ['INVITE'], [BASE], ['sent']],
  ['udp', '', 'fail', 'terminated', [], [], ['error NO_LISTENER', 'ended', 'terminated']],
  ['udp', '', '200', 'opening', [], [], []],
  ['udp', 'begin', '+500', 'calling', ['INVITE'], [2 * T1, BASE], []],
  ['udp', 'begin', '+31500', 'calling', Array(6).fill('INVITE'), [BASE, BASE], []],
  ['udp', 'begin', '+32000', 'terminated', Array(6).fill('INVITE'), [], ['timeout', 'ended', 'terminated']],
  ['tcp', 'begin', '+32000', 'terminated', [], [], ['timeout', 'ended', 'terminated']],
  ['udp', 'begin', '100', 'proceeding', [], [C], ['100']],
  ['udp', 'begin 100', '180', 'proceeding', [], [C], ['180']],
  ['udp', 'begin 100', '+179999', 'proceeding', [], [C], []],
  ['udp', 'begin 100', '+180000', 'terminated', [], [], ['timeout', 'ended', 'terminated']],
  ['udp', 'begin 100 +100000 180', '+100000', 'proceeding', [], [C], []],
  ['udp', 'begin', '200', 'accepted', [], [BASE], ['200']],
  ['udp', 'begin 180', '200', 'accepted', [], [BASE], ['200']],
  ['udp', 'begin 200', '200', 'accepted', [], [BASE], ['200']],
  ['udp', 'begin 200', '180', 'accepted', [], [BASE], []],
  ['udp', 'begin 200', '486', 'accepted', [], [BASE], []],
  ['tcp', 'begin', '200', 'accepted', [], [BASE], ['200']],
  ['udp', 'begin 200', `+${BASE}`, 'terminated', [], [], ['ended', 'terminated']],
  ['udp', 'begin', '486', 'completed', ['ACK'], [D], ['486']],
  ['udp', 'begin 180', '302', 'completed', ['ACK'], [D], ['302']],
  ['udp', 'begin 486', '486', 'completed', ['ACK'], [D], []],
  ['udp', 'begin 486', '200', 'completed', [], [D], []],
  ['udp', 'begin 486', '180', 'completed', [], [D], []],
  ['udp', 'begin 486', `+${D}`, 'terminated', [], [], ['ended', 'terminated']],
  ['tcp', 'begin', '486', 'terminated', ['ACK'], [], ['486', 'ended', 'terminated']],
  ['tcp', 'begin 486', '486', 'terminated', [], [], []],
  ['udp', 'begin 100 cancel', `+${BASE}`, 'terminated', [], [], ['timeout', 'ended', 'terminated']],
  ['udp', 'begin 100 cancel', '180', 'proceeding', [], [BASE], ['180']],
  ['udp', 'begin 100 cancel', '487', 'completed', ['ACK'], [D], ['487']],
  ['udp', 'begin 100 cancel', '200', 'accepted', [], [BASE], ['200']],
] as const)('%s, [%s] then %s: %s', async (transport, reached, event, state, sent, delays, expected) => {
  const { client, clock, flow, told, step } = startClient('INVITE', transport);
  for (const each of reached.split(' ').filter(Boolean)) await step(each);
  flow.take();
  told.length = 0;
  await step(event);
  expect({ state: client.state, sent: flow.take(), delays: clock.delays, told }).toEqual({
    state,
    sent,
    delays,
    told: expected,
  });
});

test('timer A doubles without bound', async () => {
  const { flow, step } = startClient('INVITE');
  await step('begin');
  flow.take();
  const atMs: number[] = [];
  for (let ms = 500; ms < 32_000; ms += 500) {
    await step('+500');
    for (const _ of flow.take()) atMs.push(ms);
  }
  expect(atMs).toEqual([500, 1_500, 3_500, 7_500, 15_500, 31_500]);
});

test('the ACK has the INVITE branch and Route, and the To of the response', async () => {
  const { client, flow, step } = startClient('INVITE');
  await step('begin');
  await step('486');
  const ack = flow.sent.at(-1)!;
  expect(ack.toText()).toBe(
    [
      'ACK sip:srs@127.0.0.1 SIP/2.0',
      `Via: ${client.request.header('Via')}`,
      'Route: <sip:r;lr>',
      'Max-Forwards: 70',
      'From: <sip:src@127.0.0.1>;tag=from-1',
      'To: <sip:srs@127.0.0.1>;tag=remote',
      'Call-ID: call-1',
      'CSeq: 1 ACK',
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
});

test('a failure of the first sending ends it; of a later one does not', async () => {
  const first = startClient('INVITE');
  first.flow.failure = Object.assign(new Error('x'), { code: 'EMSGSIZE' });
  await first.step('begin');
  expect([first.told, first.clock.pendingTimers]).toEqual([['error EMSGSIZE', 'ended', 'terminated'], 0]);

  const later = startClient('INVITE');
  await later.step('begin');
  later.flow.failure = Object.assign(new Error('x'), { code: 'ENETUNREACH' });
  await later.step('+500');
  expect([later.client.state, later.told]).toEqual(['calling', ['sent']]);
});

test('a response that is quicker than the word of the kernel still comes after onSent', async () => {
  const { client, flow, told, step } = startClient('INVITE');
  const held = Promise.withResolvers<void>();
  flow.send = () => held.promise;
  await step('begin');
  expect(told).toEqual([]);
  await step('180');
  held.resolve();
  await settle();
  expect([told, client.state]).toEqual([['sent', '180'], 'proceeding']);
});

test('CANCEL waits for the first 1xx, and is made once', async () => {
  const { client, cancels, step } = startClient('INVITE');
  const early = client.cancel([{ name: 'Reason', value: 'SIP;cause=200' }]);
  await step('begin');
  const cancel = await early;
  expect([cancels.length, cancel?.method, cancel?.header('Reason')]).toEqual([0, 'CANCEL', 'SIP;cause=200']);
  expect(cancel?.header('Via')).toBe(client.request.header('Via'));
  expect(await client.cancel()).toBeNull();
  await step('100');
  expect(cancels).toEqual([cancel]);
  await step('180');
  expect(cancels.length).toBe(1);
});

test.each(['200', '486', 'fail'])('CANCEL after %s is too late', async (event) => {
  const { client, cancels, step } = startClient('INVITE');
  if (event !== 'fail') await step('begin');
  await step(event);
  expect(await client.cancel()).toBeNull();
  expect(cancels).toEqual([]);
});

test('a final answer before any 1xx leaves the held CANCEL unsent', async () => {
  const { client, cancels, step } = startClient('INVITE');
  await step('begin');
  await client.cancel();
  await step('486');
  expect(cancels).toEqual([]);
});

test('terminate ends every state, once', async () => {
  for (const reached of ['', 'begin', 'begin 180', 'begin 180 cancel', 'begin 200', 'begin 486']) {
    const { client, clock, told, step } = startClient('INVITE');
    for (const each of reached.split(' ').filter(Boolean)) await step(each);
    told.length = 0;
    client.terminate();
    client.terminate();
    await settle();
    expect([client.state, clock.pendingTimers, told]).toEqual(['terminated', 0, ['ended', 'terminated']]);
  }
});
