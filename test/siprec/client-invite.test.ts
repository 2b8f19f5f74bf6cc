// Our INVITE to clients that say nothing, say it too late, or cannot be reached.
import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { inviteClient } from '../../src/siprec/client-invite.ts';
import type { ConnectedSrf } from '../../src/siprec/srf.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeSrf } from './fake-srf.ts';

const OK = [
  'SIP/2.0 200 OK',
  'Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK1',
  'From: <sip:sipreel@192.0.2.9>;tag=ours',
  'To: <sip:src@192.0.2.1>;tag=theirs',
  'Call-ID: c1',
  'CSeq: 1 INVITE',
  'Content-Type: application/sdp',
  '',
  'v=0\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\nm=audio 4002 RTP/AVP 0\r\na=sendonly\r\n',
].join('\r\n');

function invite() {
  const srf = new FakeSrf();
  const clock = new ManualClock();
  const giving = new AbortController();
  const outcome = inviteClient(srf as unknown as ConnectedSrf, clock, {
    uri: 'sip:src@192.0.2.1;transport=tcp',
    headers: {},
    credentials: [{ realm: null, user: 'recorder', secret: 's3cret' }],
    answerWithinMs: 30_000,
    signal: giving.signal,
  }).catch((error) => error);
  const cancels: number[] = [];
  const request = Object.assign(new EventEmitter(), { raw: 'INVITE', cancel: () => cancels.push(clock.nowMs()) });
  srf.outgoing[0]!.callback(null, request);
  const acks: { body?: string }[] = [];
  const answer = (status: number, raw = '') =>
    request.emit(
      'response',
      { status, raw, reason: 'So', stackDialogId: 'd1' },
      (options: { body?: string }, sent: (error: unknown, message: object) => void) => {
        acks.push(options);
        sent(null, { raw: 'ACK' });
      },
    );
  return { srf, clock, giving, outcome, cancels, acks, answer };
}

test('nothing but 180: cancelled in the end; a 200 that crosses takes no media and is hung up', async () => {
  const { clock, outcome, cancels, answer, acks, srf } = invite();
  answer(180);
  clock.advance(30_000);
  expect(await outcome).toMatchObject({ code: 'CLIENT_SILENT', message: expect.stringContaining('30 s') });
  expect(cancels).toHaveLength(1);
  answer(200, OK);
  expect(acks[0]?.body?.match(/^m=.*/gm)).toEqual(['m=audio 0 RTP/AVP 0', 'm=audio 0 RTP/AVP 0']);
  expect(srf.outgoing[1]).toMatchObject({ method: 'BYE', stackDialogId: 'd1' });
});

test('the recorder closes: cancelled at once', async () => {
  const { giving, outcome, cancels, clock } = invite();
  giving.abort();
  expect(await outcome).toMatchObject({ code: 'CLIENT_SILENT' });
  expect(cancels).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});

test.each([
  [408, 'CLIENT_SILENT'],
  [302, 'CLIENT_REFUSED'],
  [401, 'CLIENT_REFUSED'],
  [503, 'CLIENT_REFUSED'],
])('%i is %s', async (status, code) => {
  const { answer, outcome } = invite();
  answer(status);
  expect(await outcome).toMatchObject({ code, message: expect.stringContaining(`${status} So`) });
});

test('a 200 as the INVITE that the client would have sent; what we answer goes into the ACK', async () => {
  const { answer, outcome, acks, clock } = invite();
  answer(200, OK);
  const { asRequest, responded, sent } = await outcome;
  expect(sent.raw).toBe('INVITE');
  expect(asRequest).toMatchObject({
    method: 'INVITE',
    callId: 'c1',
    fromTag: 'ours',
    dialogId: 'd1',
    transport: 'tcp',
  });
  expect(asRequest.local).toEqual({ host: '192.0.2.9', port: 5060 });
  const told: unknown[] = [];
  asRequest.respond({ status: 200, headers: {}, body: 'v=0 ours' }, (outcome: unknown) => told.push(outcome));
  expect(acks.map(({ body }) => body)).toEqual(['v=0 ours']);
  expect(told).toEqual([{ ok: true, raw: 'ACK', dialogId: 'd1' }]);
  expect(await responded).toMatchObject({ status: 200 });
  expect(clock.pendingTimers).toBe(0);
});

test('what the session refuses is acknowledged without media, and ended', async () => {
  const { answer, outcome, acks, srf } = invite();
  answer(200, OK);
  const { asRequest, responded } = await outcome;
  asRequest.respond({ status: 488, headers: {} }, () => {});
  expect(acks[0]?.body).toContain('m=audio 0 ');
  expect(srf.outgoing[1]).toMatchObject({ method: 'BYE' });
  expect(await responded).toMatchObject({ status: 488 });
});

test('a client that asks who we are gets its answer for the BYE of what is not recorded, too', async () => {
  const { answer, outcome, srf } = invite();
  answer(200, OK);
  const { asRequest } = await outcome;
  asRequest.respond({ status: 488, headers: {} }, () => {});
  const bye = Object.assign(new EventEmitter(), { raw: 'BYE sip:src@192.0.2.1 SIP/2.0\r\n\r\n' });
  srf.outgoing[1]!.callback(null, bye);
  const raw = 'SIP/2.0 401 So\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n';
  bye.emit('response', { status: 401, raw }, () => {});
  await new Promise((resolve) => setImmediate(resolve));
  expect(srf.outgoing[2]).toMatchObject({ method: 'BYE', stackDialogId: 'd1' });
  expect(srf.outgoing[2]!.headers.Authorization).toMatch(/^Digest username="recorder", realm="r"/);
});
