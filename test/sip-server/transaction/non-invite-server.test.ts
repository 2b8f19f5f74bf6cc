import { expect, test } from 'vitest';
import { createResponse } from '../../../src/sip-server/message/build.ts';
import { NonInviteServerTransaction } from '../../../src/sip-server/transaction/non-invite-server.ts';
import { Path } from '../../../src/sip-server/transaction/path.ts';
import { DEFAULT_TIMING } from '../../../src/sip-server/transaction/timing.ts';
import { FakeFlow, settle, WatchedClock } from '../support/fakes.ts';
import { request } from '../support/messages.ts';

const J = 32_000;
const UNANSWERED = 64_000;

function start(transport: 'udp' | 'tcp') {
  const clock = new WatchedClock();
  const flow = new FakeFlow(transport);
  const ended: string[] = [];
  const server = new NonInviteServerTransaction({
    request: request({ method: 'OPTIONS' }),
    flow,
    path: new Path(flow, async () => flow),
    clock,
    timing: DEFAULT_TIMING,
    onEnded: () => ended.push('ended'),
  });
  const results: string[] = [];
  const step = async (event: string) => {
    if (event === 'OPTIONS') server.receiveRetransmission();
    else if (event.startsWith('+')) clock.advance(Number(event));
    else await server.respond(createResponse(server.request, Number(event), 'x')).catch((e) => results.push(e.code));
    await settle();
  };
  return { server, clock, flow, ended, results, step };
}

// RFC 3261 figure 8.
test.each([
  ['udp', '', 'OPTIONS', 'trying', [], [UNANSWERED], []],
  ['udp', '', '100', 'proceeding', ['100'], [UNANSWERED], []],
  ['udp', '100', 'OPTIONS', 'proceeding', ['100'], [UNANSWERED], []],
  ['udp', '100', '183', 'proceeding', ['183'], [UNANSWERED], []],
  ['udp', '', '200', 'completed', ['200'], [J], []],
  ['udp', '100', '404', 'completed', ['404'], [J], []],
  ['udp', '404', 'OPTIONS', 'completed', ['404'], [J], []],
  ['udp', '404', '200', 'completed', [], [J], ['TRANSACTION_OVER']],
  ['udp', '404', '+31999', 'completed', [], [J], []],
  ['udp', '404', '+32000', 'terminated', [], [], []],
  ['udp', '404 +32000', '200', 'terminated', [], [], ['TRANSACTION_OVER']],
  ['udp', '', '+64000', 'terminated', [], [], []],
  ['udp', '100', '+64000', 'terminated', [], [], []],
  ['tcp', '', '200', 'terminated', ['200'], [], []],
  ['tcp', '200', 'OPTIONS', 'terminated', [], [], []],
] as const)('%s, [%s] then %s: %s', async (transport, reached, event, state, sent, delays, told) => {
  const { server, clock, flow, ended, results, step } = start(transport);
  for (const each of reached.split(' ').filter(Boolean)) await step(each);
  flow.take();
  results.length = 0;
  await step(event);
  expect({ state: server.state, sent: flow.take(), delays: clock.delays, told: results }).toEqual({
    state,
    sent,
    delays,
    told,
  });
  expect(ended).toEqual(state === 'terminated' ? ['ended'] : []);
});

test('an answer that cannot be sent rejects, and the next retransmission gets another try', async () => {
  const { server, flow, results, step } = start('udp');
  flow.failure = Object.assign(new Error('no route'), { code: 'ENETUNREACH' });
  await step('200');
  expect([server.state, results]).toEqual(['completed', ['ENETUNREACH']]);
  flow.failure = null;
  await step('OPTIONS');
  expect(flow.take()).toEqual(['200']);
});
