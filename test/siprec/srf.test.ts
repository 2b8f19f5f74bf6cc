import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { type IncomingRequest, receiveRequests, requestInDialog, type SendOutcome } from '../../src/siprec/srf.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeSrf, FakeSrfRequest, FakeSrfResponse, sipMessage } from './fake-srf.ts';

let clock: ManualClock;
let srf: FakeSrf;
let received: IncomingRequest[];

beforeEach(() => {
  clock = new ManualClock(1000);
  srf = new FakeSrf();
  received = [];
  receiveRequests(srf, { clock, log: silentLog }, (request) => received.push(request));
});

const receive = (...parameters: Parameters<FakeSrf['receive']>) => {
  const pair = srf.receive(...parameters);
  return { ...pair, incoming: received.at(-1)! };
};

describe('requests', () => {
  test('what the SIP server shall hand to us', () => {
    expect(srf.routes).toContain('invite');
    expect(srf.routes).toContain('options');
    // BYE and UPDATE inside dialogs come without a route; outside of dialogs the server answers 481 itself.
    expect(srf.routes).not.toContain('bye');
  });

  test('are read from the message, not from what the library made of it', () => {
    const body = 'v=0\r\n\r\nafter an empty line';
    const raw = sipMessage('INVITE', ['From: "A" <sip:a@b>;tag=abc', 'X-Tenant: acme'], body).replace(
      /Content-Length.*\r\n/,
      '',
    );
    const { incoming } = receive(raw);
    const { headers, respond, onCancel, onUpdate, ...rest } = incoming;
    expect(rest).toEqual({
      method: 'INVITE',
      requestUri: 'sip:recorder@srs.example',
      body,
      raw,
      callId: 'rs-1',
      fromTag: 'abc',
      hasToTag: false,
      dialogId: null,
      transport: 'udp',
      remote: { host: '192.0.2.1', port: 5060 },
      local: { host: '192.0.2.10', port: 5070 },
      arrivalMs: 1000,
      fromServer: false,
    });
    expect(headers).toContainEqual({ name: 'X-Tenant', value: 'acme' });
  });

  test('inside dialogs, with less said by the server', () => {
    const raw = sipMessage('ACK', ['To: <sip:recorder@srs.example>;tag=t']);
    const { incoming } = receive(raw, { stackDialogId: 'rs-1;from-tag=a', protocol: '', receivedOn: undefined });
    expect([incoming.dialogId, incoming.hasToTag, incoming.transport, incoming.local]).toEqual([
      'rs-1;from-tag=a',
      true,
      null,
      null,
    ]);
  });

  test('IPv6 addresses', () => {
    expect(receive(sipMessage('INVITE'), { receivedOn: '[2001:db8::1]:5060' }).incoming.local).toEqual({
      host: '2001:db8::1',
      port: 5060,
    });
    expect(receive(sipMessage('INVITE'), { receivedOn: '2001:db8::1:5060' }).incoming.local).toEqual({
      host: '2001:db8::1',
      port: 5060,
    });
  });

  test('broken From, To and Call-ID give empty values', () => {
    const { incoming } = receive('INVITE sip:x SIP/2.0\r\nFrom: ;;;\r\nTo:\r\n\r\n');
    expect([incoming.callId, incoming.fromTag, incoming.hasToTag]).toEqual(['', '', false]);
  });

  test('a handler that throws costs a 500', () => {
    const broken = new FakeSrf();
    receiveRequests(broken, { clock, log: silentLog }, () => {
      throw new Error('a mistake');
    });
    const request = new FakeSrfRequest(sipMessage('OPTIONS'), {});
    const response = new FakeSrfResponse(request);
    broken.handlers[0]?.(request, response);
    expect(response.sent.map(({ status }) => status)).toEqual([500]);
  });
});

describe('answers', () => {
  test('are reported with the message as sent and the dialog', () => {
    const { incoming, response } = receive(sipMessage('INVITE'));
    const outcomes: SendOutcome[] = [];
    incoming.respond({ status: 200, reason: 'OK', headers: { Contact: '<sip:x>' }, body: 'v=0' }, (outcome) =>
      outcomes.push(outcome),
    );
    expect(outcomes).toEqual([{ ok: true, raw: 'SIP/2.0 200 OK\r\n\r\n', dialogId: 'rs-1;from-tag=a' }]);
    expect(response.sent).toEqual([{ status: 200, reason: 'OK', headers: { Contact: '<sip:x>' }, body: 'v=0' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([
    [
      'refused by the server',
      'Response not sent due to unknown transaction',
      'Response not sent due to unknown transaction',
    ],
    ['impossible', 'throws', 'status is required'],
  ])('%s', (_name, mode, error) => {
    const { incoming, response } = receive(sipMessage('INVITE'));
    response.mode = mode;
    const outcomes: SendOutcome[] = [];
    incoming.respond({ status: 200, headers: {} }, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([{ ok: false, error }]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a server that says nothing is not waited for for ever', () => {
    const { incoming, response } = receive(sipMessage('INVITE'));
    response.mode = 'silent';
    const outcomes: SendOutcome[] = [];
    incoming.respond({ status: 200, headers: {} }, (outcome) => outcomes.push(outcome));
    clock.advance(5000);
    expect(outcomes).toEqual([{ ok: false, error: 'no acknowledgement from the SIP server' }]);
  });

  test('are given once', () => {
    const { incoming, response } = receive(sipMessage('INVITE'));
    const outcomes: SendOutcome[] = [];
    incoming.respond({ status: 503, headers: {} }, () => {});
    incoming.respond({ status: 200, headers: {} }, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([{ ok: false, error: 'answered already' }]);
    expect(response.sent.map(({ status }) => status)).toEqual([503]);
  });

  test("a BYE of the server's own is not answered", () => {
    const { incoming, response } = receive(sipMessage('BYE'), { source: 'application' });
    const outcomes: SendOutcome[] = [];
    incoming.respond({ status: 200, headers: {} }, (outcome) => outcomes.push(outcome));
    expect([incoming.fromServer, outcomes, response.sent]).toEqual([true, [{ ok: true, raw: '', dialogId: null }], []]);
  });
});

describe('CANCEL and UPDATE while an INVITE is open', () => {
  const cancelled = (cancel: string) => {
    const { request, incoming } = receive(sipMessage('INVITE', ['From: <sip:a@b>;tag=one', 'CSeq: 2 INVITE']));
    let count = 0;
    incoming.onCancel(() => count++);
    const { request: message } = srf.receive(cancel);
    request.emit('cancel', message);
    return count;
  };

  test('the CANCEL of this INVITE', () => {
    expect(cancelled(sipMessage('CANCEL', ['From: <sip:a@b>;tag=one', 'CSeq: 2 CANCEL']))).toBe(1);
  });

  test('the CANCEL of another INVITE with the same Call-ID', () => {
    expect(cancelled(sipMessage('CANCEL', ['From: <sip:a@b>;tag=two', 'CSeq: 2 CANCEL']))).toBe(0);
    expect(cancelled(sipMessage('CANCEL', ['From: <sip:a@b>;tag=one', 'CSeq: 3 CANCEL']))).toBe(0);
  });

  test('UPDATE', () => {
    const { request, incoming } = receive(sipMessage('INVITE'));
    const updates: IncomingRequest[] = [];
    incoming.onUpdate((update) => updates.push(update));
    const { request: message, response } = srf.receive(sipMessage('UPDATE'));
    request.emit('update', message, response);
    updates[0]?.respond({ status: 200, headers: {} }, () => {});
    expect([updates[0]?.method, response.sent[0]?.status]).toEqual(['UPDATE', 200]);
  });
});

describe('requests of our own', () => {
  const bye = () => requestInDialog(srf, clock, { method: 'BYE', dialogId: 'd', headers: { Reason: 'x' } });

  test('are sent inside the dialog; provisional responses are passed over', async () => {
    const result = bye();
    const [{ callback, ...sent } = { callback: () => {} }] = srf.outgoing;
    expect(sent).toEqual({ uri: 'sip:placeholder', method: 'BYE', stackDialogId: 'd', headers: { Reason: 'x' } });
    const { request } = srf.receive(sipMessage('BYE'));
    callback(null, request);
    request.emit('response', { status: 100, raw: '' });
    request.emit('response', { status: 405, raw: 'SIP/2.0 405 No' });
    expect(await result).toEqual({ sentRaw: request.raw, receivedRaw: 'SIP/2.0 405 No', status: 405, error: null });
    expect(clock.pendingTimers).toBe(0);
  });

  test('that cannot be sent', async () => {
    const result = bye();
    srf.outgoing[0]?.callback(new Error('unable to find dialog'));
    expect(await result).toEqual({ sentRaw: null, receivedRaw: null, status: 0, error: 'unable to find dialog' });
    srf.requestFails = new Error('no socket');
    expect((await bye()).error).toBe('no socket');
  });

  test('that nobody answers', async () => {
    const result = bye();
    clock.advance(35_000);
    expect(await result).toEqual({ sentRaw: null, receivedRaw: null, status: 0, error: 'no response' });
  });
});
