import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { createSiprecDoor, type SiprecDoor } from '../../src/siprec/door.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { CONTENT_TYPE, multipart } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { settle } from './fake-request.ts';
import { FakeSrf, sipMessage } from './fake-srf.ts';

let clock: ManualClock;
let recorder: FakeRecorder;
let srf: FakeSrf;
let door: SiprecDoor;

beforeEach(() => {
  clock = new ManualClock();
  recorder = new FakeRecorder();
  srf = new FakeSrf();
  door = createSiprecDoor({ srf, recorder, clock, log: silentLog, mediaAddress: '192.0.2.10' });
  door.start();
});

const invite = (lines: string[] = []) => sipMessage('INVITE', [...lines, `Content-Type: ${CONTENT_TYPE}`], multipart());

async function call(lines: string[] = []) {
  const { request, response } = srf.receive(invite(lines));
  await settle();
  clock.advance(10);
  await settle();
  return { request, response, dialogId: response.stackDialogId ?? '' };
}

const inside = (method: string, dialogId: string, body = '') =>
  srf.receive(sipMessage(method, ['To: <sip:recorder@srs.example>;tag=t'], body), { stackDialogId: dialogId }).response;

describe('recording sessions', () => {
  test('INVITE, ACK, BYE', async () => {
    const { response, dialogId } = await call();
    expect([response.sent[0]?.status, door.sessions]).toEqual([200, 1]);
    expect(inside('ACK', dialogId).sent).toEqual([]);
    expect(inside('OPTIONS', dialogId).sent[0]?.status).toBe(200);
    expect(inside('BYE', dialogId).sent[0]?.status).toBe(200);
    expect([recorder.recording.stops, door.sessions]).toEqual([['ended'], 0]);
    expect(inside('INFO', dialogId).sent[0]?.status).toBe(481);
  });

  test('two dialogs with one Call-ID are two recordings', async () => {
    const one = await call(['From: <sip:a@b>;tag=1']);
    const two = await call(['From: <sip:a@b>;tag=2']);
    expect([one, two].map(({ response }) => response.sent[0]?.status)).toEqual([200, 200]);
    expect(door.sessions).toBe(2);
    inside('BYE', one.dialogId);
    expect(recorder.recordings.map(({ stops }) => stops)).toEqual([['ended'], []]);
  });

  test('the same INVITE by two paths', async () => {
    const first = srf.receive(invite());
    const second = srf.receive(invite());
    await settle();
    clock.advance(10);
    await settle();
    expect([first, second].map(({ response }) => response.sent[0]?.status)).toEqual([200, 482]);
    expect(recorder.recordings).toHaveLength(1);
  });

  test('a refused session may try again at once', async () => {
    recorder.failStart = 'NO_PORTS';
    expect((await call()).response.sent[0]?.status).toBe(503);
    recorder.failStart = null;
    expect((await call()).response.sent[0]?.status).toBe(200);
  });
});

describe('outside of dialogs', () => {
  test('OPTIONS: what we can', () => {
    const { response } = srf.receive(sipMessage('OPTIONS'));
    expect(response.sent).toEqual([
      {
        status: 200,
        reason: 'OK',
        headers: {
          Allow: 'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY',
          Supported: 'siprec, timer',
          Accept: 'application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed',
          Server: 'sipreel',
        },
      },
    ]);
  });

  test.each(['DRAINING', 'TOO_MANY_RECORDINGS', 'STORAGE_FAILED'] as const)('OPTIONS while %s', (refusal) => {
    recorder.refusing = refusal;
    const [sent] = srf.receive(sipMessage('OPTIONS')).response.sent;
    expect([sent?.status, sent?.headers['Retry-After'] !== undefined]).toEqual([503, true]);
    // Nobody's call was refused.
    expect(recorder.refused).toBe(0);
  });

  test('an INVITE that is refused counts once', async () => {
    recorder.refusing = 'TOO_MANY_RECORDINGS';
    await call();
    expect(recorder.refused).toBe(1);
  });

  test.each(['REGISTER', 'SUBSCRIBE', 'MESSAGE', 'INFO', 'PUBLISH', 'REFER', 'NOTIFY'])('%s: 405', (method) => {
    const [sent] = srf.receive(sipMessage(method)).response.sent;
    expect([sent?.status, sent?.headers.Allow]).toEqual([
      405,
      'INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, MESSAGE, NOTIFY',
    ]);
  });

  test.each(['INVITE', 'INFO', 'OPTIONS', 'BYE'])('%s of a dialog that we do not know: 481', (method) => {
    expect(inside(method, 'unknown').sent[0]?.status).toBe(481);
  });

  test('ACK is never answered', () => {
    expect(inside('ACK', 'unknown').sent).toEqual([]);
    expect(srf.receive(sipMessage('ACK')).response.sent).toEqual([]);
  });
});

describe('close', () => {
  test('BYE to all, waits for the answers, refuses what comes in', async () => {
    const { dialogId } = await call();
    inside('ACK', dialogId);
    let closed = false;
    const closing = door.close().then(() => {
      closed = true;
    });
    await settle();
    expect([srf.outgoing.map(({ method, stackDialogId }) => [method, stackDialogId]), closed]).toEqual([
      [['BYE', dialogId]],
      false,
    ]);
    expect((await call(['From: <sip:x@y>;tag=new'])).response.sent[0]?.status).toBe(503);
    expect(srf.receive(sipMessage('OPTIONS')).response.sent[0]?.status).toBe(503);
    const { request } = srf.receive(sipMessage('BYE'));
    srf.outgoing[0]?.callback(null, request);
    request.emit('response', { status: 200, raw: 'SIP/2.0 200 OK' });
    await closing;
    expect([recorder.recording.stops, door.sessions]).toEqual([['stopped'], 0]);
    expect(door.close()).toBe(door.close());
  });

  test('a client that does not answer is not waited for longer than 2 s', async () => {
    const { dialogId } = await call();
    inside('ACK', dialogId);
    const closing = door.close();
    await settle();
    clock.advance(2000);
    await closing;
    expect(recorder.recording.stops).toEqual(['stopped']);
  });

  test('an INVITE that is being answered is refused', async () => {
    const { response } = srf.receive(invite());
    await settle();
    const closing = door.close();
    clock.advance(10);
    await closing;
    expect([response.sent[0]?.status, recorder.recording.stops]).toEqual([503, ['stopped']]);
  });
});
