// RFC 4028 from the server's side: what is answered, when we refresh, when we give up.
import { beforeEach, describe, expect, test } from 'vitest';
import { refuseInterval, SessionTimer } from '../../src/siprec/session-timer.ts';
import type { SipHeader } from '../../src/siprec/sip-headers.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { settle } from './fake-request.ts';

let clock: ManualClock;
let sent: { atS: number; method: string; headers: Record<string, string> }[];
/** What the client answers to our refreshes, one after the other; the last one for ever. */
let answers: { status: number; headers?: string[] }[];
let expired: string[];
let startMs: number;
let timer: SessionTimer;

beforeEach(() => {
  clock = new ManualClock();
  startMs = clock.nowMs();
  sent = [];
  answers = [{ status: 200 }];
  expired = [];
  timer = new SessionTimer({
    clock,
    refresh: async (method, headers) => {
      sent.push({ atS: (clock.nowMs() - startMs) / 1000, method, headers });
      const { status, headers: lines = [] } = answers.length > 1 ? answers.shift()! : answers[0]!;
      const receivedRaw = status === 0 ? null : ['SIP/2.0 200 OK', ...lines, '', ''].join('\r\n');
      return { sentRaw: '', receivedRaw, status, error: null };
    },
    onExpired: (why) => expired.push(`${(clock.nowMs() - startMs) / 1000} s: ${why}`),
  });
});

function lines(...texts: string[]): SipHeader[] {
  return texts.map((text) => {
    const [name = '', value = ''] = text.split(/:\s*/);
    return { name, value };
  });
}

async function pass(seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    clock.advance(1_000);
    await settle();
  }
}

describe('the answer', () => {
  const TIMER = 'Supported: timer';
  test.each<[string, string[], Record<string, string>]>([
    ['nothing asked, nothing imposed', [TIMER], {}],
    [
      'the client refreshes, if it does not mind',
      [TIMER, 'Session-Expires: 1800'],
      { 'Session-Expires': '1800;refresher=uac', Require: 'timer' },
    ],
    [
      'or says so',
      [TIMER, 'Session-Expires: 1800;refresher=uac'],
      { 'Session-Expires': '1800;refresher=uac', Require: 'timer' },
    ],
    [
      'we do, if it wants that',
      [TIMER, 'Session-Expires: 1800 ; Refresher=UAS'],
      { 'Session-Expires': '1800;refresher=uas' },
    ],
    ['compact names', ['k: 100rel, timer', 'x: 90'], { 'Session-Expires': '90;refresher=uac', Require: 'timer' }],
    [
      'a proxy asks for a client that knows no timers',
      ['Session-Expires: 600'],
      { 'Session-Expires': '600;refresher=uas' },
    ],
    [
      'a year is cut to a day',
      [TIMER, 'Session-Expires: 31536000'],
      { 'Session-Expires': '86400;refresher=uac', Require: 'timer' },
    ],
    [
      'but not below the least of the client',
      [TIMER, 'Session-Expires: 172800', 'Min-SE: 100000'],
      { 'Session-Expires': '100000;refresher=uac', Require: 'timer' },
    ],
    ['what cannot be read', [TIMER, 'Session-Expires: soon'], {}],
    ['zero', [TIMER, 'Session-Expires: 0'], {}],
  ])('%s', (_, headers, expected) => {
    expect(timer.answer(lines(...headers))).toEqual(expected);
    expect(clock.pendingTimers > 0).toBe('Session-Expires' in expected);
    timer.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test.each<[string[], number | null]>([
    [[TIMER, 'Session-Expires: 89'], 422],
    [[TIMER, 'Session-Expires: 90'], null],
    [['Require: timer', 'Session-Expires: 10'], 422],
    [['Session-Expires: 10'], null],
    [[TIMER], null],
  ])('%j: %s', (headers, status) => {
    const refusal = refuseInterval(lines(...headers));
    expect(refusal?.status ?? null).toBe(status);
    if (refusal)
      expect(refusal.headers).toMatchObject({ 'Min-SE': '90', Warning: expect.stringMatching('90 seconds') });
  });
});

describe('the client refreshes', () => {
  const asks = lines('Supported: timer', 'Session-Expires: 1800');

  test('in time: nothing happens; not any more: it is gone 32 s before the end', async () => {
    timer.answer(asks);
    for (let i = 0; i < 3; i++) {
      clock.advance(900_000);
      timer.answer(asks);
    }
    clock.advance(1_767_999);
    expect(expired).toEqual([]);
    clock.advance(1);
    expect(expired).toEqual(['4468 s: the client has not refreshed the session']);
    expect([sent, clock.pendingTimers]).toEqual([[], 0]);
  });

  test('of a short interval a third is left for the BYE', () => {
    timer.answer(lines('Supported: timer', 'Session-Expires: 90'));
    clock.advance(60_000);
    expect(expired).toEqual(['60 s: the client has not refreshed the session']);
  });

  test('a re-INVITE that says nothing of timers ends them', () => {
    timer.answer(asks);
    expect(timer.answer(lines('Supported: timer'))).toEqual({});
    clock.advance(1e9);
    expect(expired).toEqual([]);
  });
});

describe('we refresh', () => {
  const asks = (...more: string[]) => lines('Supported: timer', 'Session-Expires: 120;refresher=uas', ...more);

  test('with UPDATE at half the interval, where the client takes it', async () => {
    timer.answer(asks('Allow: INVITE, UPDATE, BYE'));
    await pass(200);
    expect(sent.map(({ atS, method }) => [atS, method])).toEqual([60, 120, 180].map((atS) => [atS, 'UPDATE']));
    expect(sent[0]!.headers).toEqual({ 'Session-Expires': '120;refresher=uac', 'Min-SE': '90' });
    expect(expired).toEqual([]);
  });

  test('with a re-INVITE otherwise, also after UPDATE was refused', async () => {
    answers = [{ status: 405 }, { status: 200 }];
    timer.answer(asks('Allow: UPDATE'));
    await pass(130);
    expect(sent.map(({ method }) => method)).toEqual(['UPDATE', 'INVITE', 'INVITE']);
    timer.answer(asks());
    await pass(60);
    expect(sent.at(-1)!.method).toBe('INVITE');
  });

  test.each([408, 481])('%d: nobody is there any more', async (status) => {
    answers = [{ status }];
    timer.answer(asks());
    await pass(60);
    expect(expired).toEqual([`60 s: ${status} to our refresh`]);
  });

  test('no answer at all: tried again until the session expires', async () => {
    answers = [{ status: 0 }];
    timer.answer(asks());
    await pass(300);
    expect(expired).toEqual(['88 s: our refreshes had no answer']);
    expect(sent.length).toBe(14);
  });

  test('422: the interval that the client can bear', async () => {
    answers = [{ status: 422, headers: ['Min-SE: 600'] }, { status: 200 }];
    timer.answer(asks());
    await pass(61);
    expect(sent.at(-1)!.headers['Session-Expires']).toBe('600;refresher=uac');
    await pass(299);
    expect(sent.length).toBe(2);
    await pass(2);
    expect(sent.length).toBe(3);
  });

  test('glare (491) is tried again at once; any other refusal shows that the client lives', async () => {
    answers = [{ status: 491 }, { status: 500 }, { status: 200 }];
    timer.answer(asks());
    await pass(63);
    expect(sent.map(({ atS }) => atS)).toEqual([60, 62]);
    await pass(60);
    expect([sent.length, expired]).toEqual([3, []]);
  });

  test('the client takes the refreshing over', async () => {
    answers = [{ status: 200, headers: ['Session-Expires: 120;refresher=uas'] }];
    timer.answer(asks());
    await pass(147);
    expect([sent.length, expired]).toEqual([1, []]);
    await pass(2);
    expect(expired).toEqual(['148 s: the client has not refreshed the session']);
  });

  test('what the client does while ours is under way counts', async () => {
    const { promise, resolve } = Promise.withResolvers<{
      sentRaw: null;
      receivedRaw: null;
      status: number;
      error: null;
    }>();
    const slow = new SessionTimer({ clock, refresh: () => promise, onExpired: (why) => expired.push(why) });
    slow.answer(asks());
    clock.advance(60_000);
    slow.answer(lines('Supported: timer'));
    resolve({ sentRaw: null, receivedRaw: null, status: 481, error: null });
    await settle();
    expect([expired, clock.pendingTimers]).toEqual([[], 0]);
  });
});

test('after a restart it goes on with a whole interval', async () => {
  timer.answer(lines('Supported: timer', 'Session-Expires: 120;refresher=uas', 'Allow: UPDATE'));
  const state = structuredClone(timer.state);
  timer.stop();
  timer.restore(state);
  await pass(60);
  expect(sent.map(({ atS, method }) => [atS, method])).toEqual([[60, 'UPDATE']]);
  timer.restore(null);
  expect(clock.pendingTimers).toBe(0);
});
