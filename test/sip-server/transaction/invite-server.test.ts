import { expect, test } from 'vitest';
import { addToTag, createResponse } from '../../../src/sip-server/message/build.ts';
import { InviteServerTransaction } from '../../../src/sip-server/transaction/invite-server.ts';
import { Path } from '../../../src/sip-server/transaction/path.ts';
import { DEFAULT_TIMING } from '../../../src/sip-server/transaction/timing.ts';
import { FakeFlow, settle, WatchedClock } from '../support/fakes.ts';
import { request } from '../support/messages.ts';

const T1 = 500;
const T4 = 5_000;
const BASE = 64 * T1;
const UNANSWERED = 64_000;
const TRYING = 200;

function start(transport: 'udp' | 'tcp' = 'udp') {
  const clock = new WatchedClock();
  const flow = new FakeFlow(transport);
  const invite = request({ extra: 'Timestamp: 54\n' });
  const ended: string[] = [];
  const server = new InviteServerTransaction({
    request: invite,
    flow,
    path: new Path(flow, async () => flow),
    clock,
    timing: DEFAULT_TIMING,
    onEnded: () => ended.push('ended'),
  });
  const results: string[] = [];
  /** Numbers answer, words are what comes from the network, +n lets n ms pass. */
  const step = async (event: string) => {
    if (event === 'INVITE') server.receiveRetransmission();
    else if (event === 'ACK') results.push(server.receiveAck() ? 'absorbed' : 'to user');
    else if (event.startsWith('+')) clock.advance(Number(event));
    else {
      const response = createResponse(invite, Number(event), 'x');
      addToTag(response, server.toTag);
      await server.respond(response).catch((error) => results.push(error.code));
    }
    await settle();
  };
  return { server, clock, flow, ended, results, step };
}

// State reached by, event → state, sent, timers running, told. RFC 3261 figure 7 with RFC 6026 §7.1.
test.each([
  ['', '', 'proceeding', [], [TRYING, UNANSWERED], []],
  ['', `+${TRYING - 1}`, 'proceeding', [], [TRYING, UNANSWERED], []],
  ['', `+${TRYING}`, 'proceeding', ['100'], [UNANSWERED], []],
  ['', 'INVITE', 'proceeding', ['100'], [UNANSWERED], []],
  ['INVITE', `+${TRYING}`, 'proceeding', [], [UNANSWERED], []],
  [`+${TRYING}`, 'INVITE', 'proceeding', ['100'], [UNANSWERED], []],
  ['', 'ACK', 'proceeding', [], [TRYING, UNANSWERED], ['absorbed']],
  ['', '180', 'proceeding', ['180'], [UNANSWERED], []],
  ['180', 'INVITE', 'proceeding', ['180'], [UNANSWERED], []],
  ['180', '183', 'proceeding', ['183'], [UNANSWERED], []],
  ['', '200', 'accepted', ['200'], [BASE], []],
  ['180', '299', 'accepted', ['299'], [BASE], []],
  ['200', 'INVITE', 'accepted', [], [BASE], []],
  ['200', '200', 'accepted', ['200'], [BASE], []],
  ['200', '180', 'accepted', [], [BASE], ['TRANSACTION_OVER']],
  ['200', '486', 'accepted', [], [BASE], ['TRANSACTION_OVER']],
  ['200', 'ACK', 'accepted', [], [BASE], ['to user']],
  ['200', `+${BASE - 1}`, 'accepted', [], [BASE], []],
  ['200', `+${BASE}`, 'terminated', [], [], []],
  ['', '300', 'completed', ['300'], [T1, BASE], []],
  ['180', '486', 'completed', ['486'], [T1, BASE], []],
  ['486', 'INVITE', 'completed', ['486'], [T1, BASE], []],
  ['486', '200', 'completed', [], [T1, BASE], ['TRANSACTION_OVER']],
  ['486', '+500', 'completed', ['486'], [2 * T1, BASE], []],
  ['486', `+${BASE - 1}`, 'completed', Array(10).fill('486'), [4_000, BASE], []],
  ['486', `+${BASE}`, 'terminated', Array(10).fill('486'), [], []],
  ['486', 'ACK', 'confirmed', [], [T4], ['absorbed']],
  ['486 ACK', 'ACK', 'confirmed', [], [T4], ['absorbed']],
  ['486 ACK', 'INVITE', 'confirmed', [], [T4], []],
  ['486 ACK', '200', 'confirmed', [], [T4], ['TRANSACTION_OVER']],
  ['486 ACK', `+${T4}`, 'terminated', [], [], []],
  [`200 +${BASE}`, '200', 'terminated', [], [], ['TRANSACTION_OVER']],
  [`200 +${BASE}`, 'INVITE', 'terminated', [], [], []],
  ['', `+${UNANSWERED}`, 'completed', ['100', '408'], [T1, BASE], []],
  ['+63000 180', '+63999', 'proceeding', [], [UNANSWERED], []],
  ['+63000 180', '+64000', 'completed', ['408'], [T1, BASE], []],
])('UDP, [%s] then %s: %s', async (reached, event, state, sent, delays, told) => {
  const { server, clock, flow, ended, results, step } = start();
  if (event !== '') flow.take();
  for (const each of reached.split(' ').filter(Boolean)) await step(each);
  if (event !== '') flow.take();
  results.length = 0;
  if (event !== '') await step(event);
  expect({ state: server.state, sent: flow.take(), delays: clock.delays, told: results }).toEqual({
    state,
    sent,
    delays,
    told,
  });
  expect(ended).toEqual(state === 'terminated' ? ['ended'] : []);
});

test.each([
  ['486', 'completed', ['486'], [BASE]],
  ['486 ACK', 'terminated', ['486'], []],
  ['200', 'accepted', ['200'], [BASE]],
])('TCP, [%s]: no timer G, no timer I', async (events, state, sent, delays) => {
  const { server, clock, flow, step } = start('tcp');
  for (const event of events.split(' ')) await step(event);
  expect([server.state, flow.take(), clock.delays]).toEqual([state, sent, delays]);
});

test('timer G doubles up to T2', async () => {
  const { clock, flow, step } = start();
  await step('486');
  flow.take();
  const atMs: number[] = [];
  for (let ms = 100; ms <= 16_000; ms += 100) {
    await step('+100');
    for (const _ of flow.take()) atMs.push(ms);
  }
  expect(atMs).toEqual([500, 1_500, 3_500, 7_500, 11_500, 15_500]);
  expect(clock.delays).toEqual([4_000, BASE]);
});

test('the 100 carries the Timestamp and no To tag; the made-up 408 carries the tag of the 180', async () => {
  const { server, flow, step } = start();
  await step(`+${TRYING}`);
  await step('180');
  await step(`+${UNANSWERED}`);
  const [trying, ringing, timeout] = flow.sent;
  expect([trying!.header('Timestamp'), trying!.toTag]).toEqual(['54', null]);
  expect([ringing!.toTag, timeout!.toTag]).toEqual([server.toTag, server.toTag]);
});

test('an answer that cannot be sent rejects, and the next repetition gets another try', async () => {
  const { server, clock, flow, results, step } = start();
  flow.failure = Object.assign(new Error('no route'), { code: 'ENETUNREACH' });
  await step('486');
  expect([server.state, results]).toEqual(['completed', ['ENETUNREACH']]);
  flow.failure = null;
  flow.take();
  clock.advance(500);
  await settle();
  expect(flow.take()).toEqual(['486']);
});

test('terminate ends every state without a word, once', async () => {
  for (const reached of ['', '180', '200', '486', '486 ACK']) {
    const { server, clock, flow, ended, step } = start();
    for (const each of reached.split(' ').filter(Boolean)) await step(each);
    flow.take();
    server.terminate();
    server.terminate();
    expect([server.state, clock.pendingTimers, flow.take(), ended]).toEqual(['terminated', 0, [], ['ended']]);
  }
});
