// What happens when somebody is silent, on a clock that moves when told: lost ACK, lost PRACK, apps that never answer or go.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../support/manual-clock.ts';
import { AdminClient, type Frame } from '../support/admin-client.ts';
import { until } from '../support/layers.ts';
import { UdpPeer } from '../support/peer.ts';
import { OFFER, startServer } from '../support/stack.ts';

let clock: ManualClock;
let started: Awaited<ReturnType<typeof startServer>>;
let app: AdminClient;
let peer: UdpPeer;

beforeEach(async () => {
  clock = new ManualClock();
  started = await startServer({ clock });
  app = await AdminClient.app(started.adminPort, 'invite', 'options');
  peer = await UdpPeer.open(started.udpPort);
  peer.keepsRepetitions = true;
});

afterEach(async () => {
  app.close();
  await peer.close();
  await started.server.close();
  expect(clock.pendingTimers).toBe(0);
});

const left = () => {
  const { dialogs, serverTransactions, clientTransactions, pendingRequests, timers } = started.server.statistics();
  return { dialogs, serverTransactions, clientTransactions, pendingRequests, timers };
};
const NOTHING = { dialogs: 0, serverTransactions: 0, clientTransactions: 0, pendingRequests: 0, timers: 0 };

/** Lets everything that has been sent arrive, by sending one more thing in each direction. */
async function settle(): Promise<void> {
  await app.command('ping');
  const callId = `probe-${Math.random()}`;
  peer.send(peer.request({ method: 'REGISTER', callId, cseq: 1 }));
  await peer.next((message) => message.callId === callId);
}

async function invite(parts: { extra?: string } = {}): Promise<Frame> {
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 1, body: OFFER, branch: 'z9hG4bK-1', ...parts }));
  return app.sip('INVITE');
}

async function call(): Promise<{ toTag: string; dialogId: string }> {
  const sent = await app.answer(await invite(), 'SIP/2.0 200 OK\r\n\r\n');
  const { toTag } = await peer.next(200);
  peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 1, toTag }));
  await app.sip('ACK');
  return { toTag: toTag!, dialogId: sent.tokens[11]! };
}

/** Counts messages with that first line that arrive after each step. */
async function heardAfter(stepsMs: number[], line: string): Promise<number[]> {
  const counts: number[] = [];
  for (const stepMs of stepsMs) {
    clock.advance(stepMs);
    await settle();
    counts.push(peer.lines().filter((each) => each === line).length);
    peer.heard.length = 0;
  }
  return counts;
}

test('a 200 is repeated after 0.5, 1, 2, 4, 4 … s; after 32 s BYE, reported as unsolicited', async () => {
  const sent = await app.answer(await invite(), 'SIP/2.0 200 OK\r\n\r\n');
  const ok = await peer.next(200);
  const steps = [499, 1, 999, 1, 1_999, 1, 3_999, 1, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000];
  expect(await heardAfter(steps, 'SIP/2.0 200 OK')).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1]);
  clock.advance(499);
  await settle();
  expect(peer.lines()).toEqual([]);
  clock.advance(1);
  const bye = await peer.next('BYE');
  const { value: reason } = bye.headers.find(({ name }) => name === 'Reason')!;
  expect(reason).toBe('SIP;cause=200;text="ACK timeout"');
  expect([bye.requestUri, bye.fromTag, bye.toTag]).toEqual([`sip:alice@127.0.0.1:${peer.port}`, ok.toTag, 'alice-tag']);
  const told = await app.sip('BYE');
  expect(told.text).toBe(bye.toText());
  const at = told.tokens[7];
  expect(told.tokens.slice(1)).toEqual([
    'sip',
    'application',
    String(told.text.length),
    'udp',
    '127.0.0.1',
    String(started.udpPort),
    at,
    'unsolicited',
    sent.tokens[11],
    '',
  ]);
  peer.answer(bye, 200, 'OK');
  await settle();
  clock.advance(64_000);
  expect(left()).toEqual(NOTHING);
  expect((await app.command(`sip||${sent.tokens[11]}\r\nINFO sip:x SIP/2.0\r\n\r\n`)).tokens[3]).toBe('NOK');
});

describe('an app that does not answer', () => {
  test('an INVITE: 408 after 64 s, its late answer gets NOK', async () => {
    const frame = await invite();
    clock.advance(63_999);
    await settle();
    expect(peer.lines()).toEqual([]);
    clock.advance(1);
    const timeout = await peer.next(408);
    peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 1, branch: 'z9hG4bK-1', toTag: timeout.toTag }));
    expect((await app.answer(frame, 'SIP/2.0 200 OK\r\n\r\n')).tokens.slice(3)).toEqual([
      'NOK',
      'Response not sent due to unknown transaction',
    ]);
    await settle();
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('an INVITE after 180: 408 after three minutes, with the same tag', async () => {
    await app.answer(await invite(), 'SIP/2.0 180 Ringing\r\n\r\n');
    const ringing = await peer.next(180);
    expect(left().dialogs).toBe(1);
    clock.advance(179_999);
    await settle();
    expect(peer.lines()).toEqual([]);
    clock.advance(1);
    expect((await peer.next(408)).toTag).toBe(ringing.toTag);
    expect(left().dialogs).toBe(0);
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('a request: 500 after 30 s; a BYE: 200', async () => {
    const { toTag } = await call();
    peer.send(peer.request({ method: 'OPTIONS', callId: 'other', cseq: 1 }));
    await app.sip('OPTIONS');
    peer.send(peer.request({ method: 'INFO', callId: 'call-1', cseq: 2, toTag }));
    await app.sip('INFO');
    clock.advance(29_000);
    peer.send(peer.request({ method: 'BYE', callId: 'call-1', cseq: 3, toTag }));
    await app.sip('BYE');
    expect((await peer.next(487)).header('CSeq')).toBe('2 INFO');
    expect(left().dialogs).toBe(0);
    clock.advance(1_000);
    expect((await peer.next(500)).header('CSeq')).toBe('1 OPTIONS');
    clock.advance(29_000);
    expect((await peer.next(200)).header('CSeq')).toBe('3 BYE');
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });
});

describe('reliable provisional answers (RFC 3262)', () => {
  const answer = 'SIP/2.0 183 Session Progress\r\nRequire: 100rel\r\nRSeq: 99\r\n\r\n';

  test('repeated without a longest gap; after 32 s 504', async () => {
    await app.answer(await invite({ extra: 'Supported: 100rel\r\n' }), answer);
    const first = await peer.next(183);
    expect([first.header('Require'), Number(first.header('RSeq')) > 0, first.header('RSeq') === '99']).toEqual([
      '100rel',
      true,
      false,
    ]);
    const steps = [500, 1_000, 2_000, 4_000, 4_000, 4_000, 16_000];
    expect(await heardAfter(steps, 'SIP/2.0 183 Session Progress')).toEqual([1, 1, 1, 1, 0, 1, 1]);
    clock.advance(500);
    await peer.next(504);
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('PRACK ends the repetition and reaches the app; a second one, or one for nothing, gets 481', async () => {
    const frame = await invite({ extra: 'Require: 100rel\r\n' });
    // The INVITE requires it: then every provisional answer is reliable.
    const sent = await app.answer(frame, 'SIP/2.0 180 Ringing\r\n\r\n');
    const ringing = await peer.next(180);
    expect(sent.text).toContain(`RSeq: ${ringing.header('RSeq')}\r\n`);
    expect((await app.answer(frame, answer)).tokens[3]).toBe('NOK');
    const prack = (cseq: number, rseq: number) =>
      peer.send(
        peer.request({
          method: 'PRACK',
          callId: 'call-1',
          cseq,
          toTag: ringing.toTag,
          extra: `RAck: ${rseq} 1 INVITE\r\n`,
        }),
      );
    const rseq = Number(ringing.header('RSeq'));
    prack(2, rseq + 1);
    await peer.next(481);
    prack(3, rseq);
    const told = await app.sip('PRACK');
    expect([told.tokens[9], told.tokens[8] === frame.tokens[8]]).toEqual([sent.tokens[11], false]);
    await app.answer(told, 'SIP/2.0 200 OK\r\n\r\n');
    await peer.next(200);
    prack(4, rseq);
    await peer.next(481);
    await app.answer(frame, answer);
    expect(Number((await peer.next(183)).header('RSeq'))).toBe(rseq + 1);
    peer.heard.length = 0;
    await app.answer(frame, 'SIP/2.0 486 Busy Here\r\n\r\n');
    await peer.next(486);
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('a peer that does not know them: NOK, the INVITE stays open', async () => {
    const frame = await invite();
    expect((await app.answer(frame, answer)).tokens.slice(3)).toEqual([
      'NOK',
      'Remote endpoint does not support 100rel',
    ]);
    expect((await app.answer(frame, 'SIP/2.0 486 Busy Here\r\n\r\n')).tokens[3]).toBe('OK');
    await peer.next(486);
  });
});

describe('an app whose connection drops', () => {
  const gone = async () => {
    app.close();
    await until(() => started.server.statistics().apps === 0);
    app = await AdminClient.app(started.adminPort);
  };

  test('its INVITEs are answered 503, other requests too', async () => {
    await app.answer(await invite(), 'SIP/2.0 180 Ringing\r\n\r\n');
    peer.send(peer.request({ method: 'OPTIONS', callId: 'other', cseq: 1 }));
    await app.sip('OPTIONS');
    await gone();
    const refused = [await peer.next(503), await peer.next(503)];
    expect(refused.map((message) => message.header('CSeq')).sort()).toEqual(['1 INVITE', '1 OPTIONS']);
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('its dialogs answer 481 and are over then', async () => {
    const { toTag, dialogId } = await call();
    await gone();
    expect(left().dialogs).toBe(1);
    peer.send(peer.request({ method: 'INFO', callId: 'call-1', cseq: 2, toTag }));
    await peer.next(481);
    expect(left().dialogs).toBe(0);
    expect((await app.command(`sip||${dialogId}\r\nBYE sip:x SIP/2.0\r\n\r\n`)).tokens[3]).toBe('NOK');
  });

  test('another app may hang up for it, and gets the answer', async () => {
    const { dialogId } = await call();
    await gone();
    const sent = app.command(`sip||${dialogId}\r\nBYE sip:x SIP/2.0\r\n\r\n`);
    peer.answer(await peer.next('BYE'), 200, 'OK');
    const answer = await app.sip('SIP/2.0 200');
    expect(answer.tokens.slice(8)).toEqual([(await sent).tokens[10], dialogId, '']);
    await settle();
    expect(left().dialogs).toBe(0);
  });

  test('its dialogs are forgotten after five minutes', async () => {
    await call();
    await gone();
    clock.advance(299_999);
    expect(left().dialogs).toBe(1);
    clock.advance(1);
    expect(left().dialogs).toBe(0);
  });

  test('its own calls are cancelled; one that is accepted all the same gets ACK and BYE', async () => {
    app.send(`m1|sip||\r\nINVITE sip:bob@127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`);
    const invited = await peer.next('INVITE');
    peer.answer(invited, 180, 'Ringing', { toTag: 'bob', Contact: peer.contact });
    await app.sip('SIP/2.0 180');
    await gone();
    await peer.next('CANCEL');
    peer.answer(invited, 200, 'OK', { toTag: 'bob', Contact: peer.contact });
    expect((await peer.next('ACK')).toTag).toBe('bob');
    peer.answer(await peer.next('BYE'), 200, 'OK');
    await settle();
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });

  test('a call of its own whose 200 it did not acknowledge gets ACK and BYE', async () => {
    app.send(`m1|sip||\r\nINVITE sip:bob@127.0.0.1:${peer.port} SIP/2.0\r\n\r\n`);
    peer.answer(await peer.next('INVITE'), 200, 'OK', { toTag: 'bob', Contact: peer.contact });
    await app.sip('SIP/2.0 200');
    await gone();
    await peer.next('ACK');
    peer.answer(await peer.next('BYE'), 200, 'OK');
    await settle();
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
  });
});

describe('CANCEL of the peer', () => {
  const cancel = () =>
    peer.send(peer.request({ method: 'CANCEL', callId: 'call-1', cseq: 1, branch: 'z9hG4bK-1', contact: null }));

  test('before any answer: 200, 487, told with the id of the INVITE and no dialog id', async () => {
    const frame = await invite();
    cancel();
    const told = await app.sip('CANCEL');
    expect([told.tokens.slice(8), told.tokens[2]]).toEqual([[frame.tokens[8], '', ''], 'network']);
    expect((await peer.next(200)).header('CSeq')).toBe('1 CANCEL');
    const terminated = await peer.next(487);
    peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 1, branch: 'z9hG4bK-1', toTag: terminated.toTag }));
    expect((await app.answer(frame, 'SIP/2.0 487 Request Terminated\r\n\r\n')).tokens[3]).toBe('NOK');
    await settle();
    clock.advance(64_000);
    expect(left()).toEqual(NOTHING);
    expect(app.frames).toEqual([]);
  });

  test('after 180: with the dialog id, and the tag of the 180', async () => {
    const frame = await invite();
    const sent = await app.answer(frame, 'SIP/2.0 180 Ringing\r\nTo: <sip:app@127.0.0.1>;tag=mine\r\n\r\n');
    expect((await peer.next(180)).toTag).toBe('mine');
    cancel();
    const told = await app.sip('CANCEL');
    expect(told.tokens.slice(8)).toEqual([frame.tokens[8], sent.tokens[11], '']);
    expect((await peer.next(487)).toTag).toBe('mine');
    expect(left().dialogs).toBe(0);
  });

  test('after the 200 it changes nothing', async () => {
    const frame = await invite();
    await app.answer(frame, 'SIP/2.0 200 OK\r\n\r\n');
    const ok = await peer.next(200);
    cancel();
    const answer = await peer.next((message) => message.header('CSeq') === '1 CANCEL');
    expect([answer.statusCode, answer.toTag]).toEqual([200, ok.toTag]);
    peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 1, toTag: ok.toTag }));
    await app.sip('ACK');
    expect([left().dialogs, app.frames]).toEqual([1, []]);
  });
});

test('an UPDATE before the INVITE is answered carries the id of the INVITE; its answer is told apart by CSeq', async () => {
  const frame = await invite();
  await app.answer(frame, 'SIP/2.0 183 Session Progress\r\n\r\n');
  const early = await peer.next(183);
  peer.send(peer.request({ method: 'UPDATE', callId: 'call-1', cseq: 2, toTag: early.toTag, body: OFFER }));
  const update = await app.sip('UPDATE');
  expect(update.tokens.slice(8)).toEqual([frame.tokens[8], 'call-1;from-tag=alice-tag', '']);
  const sent = await app.answer(update, `SIP/2.0 200 OK\r\ncseq: 2 UPDATE\r\n\r\n${OFFER}`);
  expect(sent.tokens.slice(10)).toEqual([frame.tokens[8], '', '', 'Msg sent:', '']);
  expect((await peer.next(200)).header('CSeq')).toBe('2 UPDATE');
  await app.answer(frame, 'SIP/2.0 200 OK\r\ncseq: 1 INVITE\r\n\r\n');
  expect((await peer.next(200)).header('CSeq')).toBe('1 INVITE');
});

test('INFO before the INVITE is answered belongs to the early dialog', async () => {
  const frame = await invite();
  const ringing = await app.answer(frame, 'SIP/2.0 180 Ringing\r\n\r\n');
  const { toTag } = await peer.next(180);
  peer.send(peer.request({ method: 'INFO', callId: 'call-1', cseq: 2, toTag }));
  const info = await app.sip('INFO');
  expect([info.tokens[9], info.tokens[8] === frame.tokens[8]]).toEqual([ringing.tokens[11], false]);
  expect((await app.answer(info, 'SIP/2.0 200 OK\r\n\r\n')).tokens[3]).toBe('OK');
  expect((await peer.next(200)).header('CSeq')).toBe('2 INFO');
});

test('a re-INVITE of the app: a 1xx above 100 is told, then the 200', async () => {
  const { dialogId } = await call();
  void app.command(`sip||${dialogId}\r\nINVITE sip:x SIP/2.0\r\n\r\n`);
  const reinvite = await peer.next('INVITE');
  peer.answer(reinvite, 100, 'Trying');
  peer.answer(reinvite, 183, 'Session Progress');
  peer.answer(reinvite, 200, 'OK');
  for (const status of ['183', '200']) {
    expect((await app.sip(`SIP/2.0 ${status}`)).tokens[9]).toBe(dialogId);
  }
  void app.command(`sip||${dialogId}\r\nACK sip:x SIP/2.0\r\n\r\n`);
  expect((await peer.next('ACK')).cseq?.number).toBe(reinvite.cseq?.number);
});

test('a second INVITE with the Call-ID and From tag of a running dialog: 480, NOK', async () => {
  await call();
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 2 }));
  const frame = await app.sip('INVITE');
  expect((await app.answer(frame, 'SIP/2.0 200 OK\r\n\r\n')).tokens.slice(3)).toEqual([
    'NOK',
    'dialog already exists, rejecting this request',
  ]);
  await peer.next(480);
  expect(left().dialogs).toBe(1);
});

describe('SUBSCRIBE (RFC 6665)', () => {
  test('of the peer: dialog by the 202, ended by the answer to the terminating NOTIFY of the app', async () => {
    await app.command('route|subscribe');
    peer.send(peer.request({ method: 'SUBSCRIBE', callId: 'call-1', cseq: 1, extra: 'Event: presence\r\n' }));
    const sent = await app.answer(await app.sip('SUBSCRIBE'), 'SIP/2.0 202 Accepted\r\n\r\n');
    const accepted = await peer.next(202);
    expect(accepted.header('Contact')).toBe(`<sip:127.0.0.1:${started.udpPort}>`);
    const dialogId = sent.tokens[11]!;
    expect([dialogId, left().dialogs]).toEqual(['call-1;from-tag=alice-tag', 1]);
    for (const state of ['active', 'terminated']) {
      void app.command(`sip||${dialogId}\r\nNOTIFY sip:x SIP/2.0\r\nSubscription-State: ${state}\r\n\r\n`);
      peer.answer(await peer.next('NOTIFY'), 200, 'OK');
      await app.sip('SIP/2.0 200');
    }
    expect(left().dialogs).toBe(0);
  });

  test('of the app: a NOTIFY that overtakes the 202 waits; a terminating one ends the dialog when answered', async () => {
    const sent = app.command(`sip||\r\nSUBSCRIBE sip:bob@127.0.0.1:${peer.port} SIP/2.0\r\nEvent: presence\r\n\r\n`);
    const subscribe = await peer.next('SUBSCRIBE');
    const inside = { callId: subscribe.callId!, fromTag: 'bob', toTag: subscribe.fromTag };
    peer.send(peer.request({ method: 'NOTIFY', cseq: 1, ...inside, extra: 'Subscription-State: active\r\n' }));
    await settle();
    peer.answer(subscribe, 202, 'Accepted', { toTag: 'bob', Contact: peer.contact });
    const accepted = await app.sip('SIP/2.0 202');
    const dialogId = `${subscribe.callId};from-tag=${subscribe.fromTag}`;
    expect(accepted.tokens.slice(8)).toEqual([(await sent).tokens[10], dialogId, '']);
    clock.advance(500);
    const notify = await app.sip('NOTIFY');
    expect(notify.tokens[9]).toBe(dialogId);
    await app.answer(notify, 'SIP/2.0 200 OK\r\n\r\n');
    await peer.next(200);
    expect(left().dialogs).toBe(1);
    peer.send(
      peer.request({ method: 'NOTIFY', cseq: 2, ...inside, extra: 'Subscription-State: terminated;reason=x\r\n' }),
    );
    await app.answer(await app.sip('NOTIFY'), 'SIP/2.0 200 OK\r\n\r\n');
    await peer.next(200);
    expect(left().dialogs).toBe(0);
  });

  test('a terminating NOTIFY for a REFER does not end an INVITE dialog', async () => {
    const { toTag, dialogId } = await call();
    peer.send(
      peer.request({ method: 'REFER', callId: 'call-1', cseq: 2, toTag, extra: 'Refer-To: <sip:c@127.0.0.1>\r\n' }),
    );
    await app.answer(await app.sip('REFER'), 'SIP/2.0 202 Accepted\r\n\r\n');
    await peer.next(202);
    app.send(`m1|sip||${dialogId}\r\nNOTIFY sip:x SIP/2.0\r\nSubscription-State: terminated\r\n\r\n`);
    peer.answer(await peer.next('NOTIFY'), 200, 'OK');
    await app.sip('SIP/2.0 200');
    expect(left().dialogs).toBe(1);
  });
});
