// Drives one client transaction with words, and writes down what it tells its user.
import { addToTag, createResponse } from '../../../src/sip-server/message/build.ts';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { InviteClientTransaction } from '../../../src/sip-server/transaction/invite-client.ts';
import { NonInviteClientTransaction } from '../../../src/sip-server/transaction/non-invite-client.ts';
import { Path } from '../../../src/sip-server/transaction/path.ts';
import { DEFAULT_TIMING } from '../../../src/sip-server/transaction/timing.ts';
import { FakeFlow, settle, WatchedClock } from './fakes.ts';
import { request } from './messages.ts';

export function startClient(method: 'INVITE' | 'OPTIONS', transport: 'udp' | 'tcp' = 'udp') {
  const clock = new WatchedClock();
  const flow = new FakeFlow(transport);
  const message = request({ method, extra: 'Route: <sip:r;lr>\n' });
  const told: string[] = [];
  const cancels: SipMessage[] = [];
  const options = {
    request: message,
    clock,
    timing: DEFAULT_TIMING,
    events: {
      onSent: () => told.push('sent'),
      onResponse: (response: SipMessage) => told.push(`${response.statusCode}`),
      onTimeout: () => told.push('timeout'),
      onTransportError: (error: Error & { code?: string }) => told.push(`error ${error.code}`),
      onTerminated: () => told.push('terminated'),
    },
    onEnded: () => told.push('ended'),
  };
  const client =
    method === 'INVITE'
      ? new InviteClientTransaction({ ...options, sendCancel: (cancel) => cancels.push(cancel) })
      : new NonInviteClientTransaction(options);
  /** `begin` finds the flow, numbers are responses, +n lets n ms pass. */
  const step = async (event: string) => {
    if (event === 'begin') client.begin(message, new Path(flow, async () => flow));
    else if (event === 'fail') client.fail(Object.assign(new Error('no flow'), { code: 'NO_LISTENER' }));
    else if (event === 'cancel') void client.cancel();
    else if (event.startsWith('+')) clock.advance(Number(event));
    else {
      const response = createResponse(message, Number(event), 'x');
      addToTag(response, 'remote');
      client.receive(response, flow);
    }
    await settle();
  };
  return { client, clock, flow, told, cancels, step };
}
