// An app's frames in their order, when an answer takes its time to leave.
import { expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { type Log, silentLog } from '../../../src/lib/log.ts';
import type { DialogLayer } from '../../../src/sip-server/dialog/layer.ts';
import { type Answered, DialogError } from '../../../src/sip-server/dialog/owner.ts';
import { App } from '../../../src/sip-server/drachtio/app.ts';
import { parseAppMessage } from '../../../src/sip-server/drachtio/app-message.ts';
import { createResponse } from '../../../src/sip-server/message/build.ts';
import type { Flow } from '../../../src/sip-server/transport/flow.ts';
import { request } from '../support/messages.ts';

const flow: Flow = {
  transport: 'udp',
  reliable: false,
  local: { host: '127.0.0.1', port: 5060 },
  remote: { host: '127.0.0.1', port: 5080 },
  closed: false,
  send: () => Promise.resolve(),
};

function open() {
  const answered = Promise.withResolvers<Answered>();
  const written: string[] = [];
  const errors: object[] = [];
  const log: Log = { ...silentLog, error: (fields) => errors.push(fields) };
  const dialogs: Pick<DialogLayer, 'answer' | 'callIdOf' | 'requestInDialog'> = {
    answer: () => answered.promise,
    callIdOf: () => 'call-1',
    requestInDialog: () => {
      throw new Error('a bug');
    },
  };
  const app = new App({
    dialogs: dialogs as DialogLayer,
    clock: systemClock,
    log,
    userAgent: null,
    defaultTransport: 'udp',
    isOwnAddress: () => false,
    write: (frame) => {
      const [line, start] = frame.toString().split('\r\n');
      const tokens = line!.split('|');
      written.push(tokens[1] === 'response' ? tokens.slice(2, 5).join(' ') : (start ?? ''));
    },
  });
  const message = parseAppMessage(Buffer.from('SIP/2.0 200 OK\r\n\r\n'));
  app.execute({ kind: 'answer', id: 'm1', transactionId: 'txn', message });
  app.onAck(request({ method: 'ACK' }), flow, 'txn', 'dlg');
  app.onRequest({ request: request({ method: 'INFO', callId: 'other' }), flow, transactionId: 't', dialogId: null });
  return { answered, app, written, errors };
}

test('the ACK waits for the acknowledgement of the 200, another call does not', async () => {
  const { answered, written } = open();
  expect(written).toEqual(['INFO sip:srs@127.0.0.1 SIP/2.0']);
  answered.resolve({ response: createResponse(request(), 200, 'OK'), flow, transactionId: 'txn', dialogId: 'dlg' });
  await expect
    .poll(() => written)
    .toEqual(['INFO sip:srs@127.0.0.1 SIP/2.0', 'm1 OK application', 'ACK sip:srs@127.0.0.1 SIP/2.0']);
});

test('a failed answer lets them go too', async () => {
  const { answered, written, errors } = open();
  answered.reject(new DialogError('NOT_SENT', 'x'));
  await expect
    .poll(() => written.slice(1))
    .toEqual(['m1 NOK transport for response has been shutdown or closed', 'ACK sip:srs@127.0.0.1 SIP/2.0']);
  expect(errors).toEqual([]);
});

test('a failure that nobody expected is acknowledged and logged', () => {
  const { app, written, errors } = open();
  const message = parseAppMessage(Buffer.from('INFO sip:placeholder SIP/2.0\r\n\r\n'));
  app.execute({ kind: 'request-in-dialog', id: 'm2', dialogId: 'dlg', message });
  expect(written.at(-1)).toBe('m2 NOK Server error: unexpected failure, see the log of the server');
  expect(errors).toEqual([{ err: new Error('a bug') }]);
});
