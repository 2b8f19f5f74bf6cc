import { expect, test } from 'vitest';
import { startClient } from '../support/client.ts';
import { settle } from '../support/fakes.ts';

const T1 = 500;
const T2 = 4_000;
const F = 32_000;
const K = 5_000;

// State reached by, event → state, sent, timers running, told. RFC 3261 figure 6.
test.each([
  ['udp', '', 'begin', 'trying', ['OPTIONS'], [T1, F], ['sent']],
  ['tcp', '', 'begin', 'trying', ['OPTIONS'], [F], ['sent']],
  ['udp', '', 'fail', 'terminated', [], [], ['error NO_LISTENER', 'ended', 'terminated']],
  ['udp', '', '200', 'opening', [], [], []],
  ['udp', 'begin', '+500', 'trying', ['OPTIONS'], [2 * T1, F], []],
  ['udp', 'begin', '+31999', 'trying', Array(10).fill('OPTIONS'), [T2, F], []],
  ['udp', 'begin', '+32000', 'terminated', Array(10).fill('OPTIONS'), [], ['timeout', 'ended', 'terminated']],
  ['udp', 'begin', '100', 'proceeding', [], [T1, F], ['100']],
  ['udp', 'begin 100', '+500', 'proceeding', ['OPTIONS'], [T2, F], []],
  ['udp', 'begin 100', '183', 'proceeding', [], [T1, F], ['183']],
  ['udp', 'begin 100', '+32000', 'terminated', Array(8).fill('OPTIONS'), [], ['timeout', 'ended', 'terminated']],
  ['tcp', 'begin 100', '+32000', 'terminated', [], [], ['timeout', 'ended', 'terminated']],
  ['udp', 'begin', '200', 'completed', [], [K], ['200']],
  ['udp', 'begin 100', '503', 'completed', [], [K], ['503']],
  ['udp', 'begin 200', '200', 'completed', [], [K], []],
  ['udp', 'begin 200', `+${K}`, 'terminated', [], [], ['ended', 'terminated']],
  ['tcp', 'begin', '200', 'terminated', [], [], ['200', 'ended', 'terminated']],
  ['udp', 'begin', 'cancel', 'trying', [], [T1, F], []],
] as const)('%s, [%s] then %s: %s', async (transport, reached, event, state, sent, delays, expected) => {
  const { client, clock, flow, told, step } = startClient('OPTIONS', transport);
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

test('timer E doubles up to T2', async () => {
  const { flow, step } = startClient('OPTIONS');
  await step('begin');
  flow.take();
  const atMs: number[] = [];
  for (let ms = 500; ms < 20_000; ms += 500) {
    await step('+500');
    for (const _ of flow.take()) atMs.push(ms);
  }
  expect(atMs).toEqual([500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500]);
});

test('a response that is quicker than the word of the kernel still comes after onSent', async () => {
  const { flow, told, step } = startClient('OPTIONS');
  const held = Promise.withResolvers<void>();
  flow.send = () => held.promise;
  await step('begin');
  await step('200');
  held.resolve();
  await settle();
  expect(told).toEqual(['sent', '200']);
});

test('only an INVITE can be cancelled', async () => {
  const { client, step } = startClient('OPTIONS');
  await step('begin');
  expect(await client.cancel()).toBeNull();
});
