// Requests that the real drachtio-srf sends: createUAC, srf.request, challenges, CANCEL, made-up answers, forks, PRACK.
import { afterEach, describe, expect, test } from 'vitest';
import type { SipMessage } from '../../src/sip-server/message/message.ts';
import { type Peer, TcpPeer, UdpPeer } from './support/peer.ts';
import { event, later, type SrfDialog, type SrfMessage, type SrfRequest, type SrfResponse } from './support/srf.ts';
import { ANSWER, connectApp, FAST, OFFER, type Stack, startServer, startStack, untilIdle } from './support/stack.ts';

let stack: Stack;
const peers: Peer[] = [];

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close();
  await stack.close();
});

async function open(): Promise<UdpPeer> {
  stack = await startStack(() => {}, { timers: FAST });
  const peer = await UdpPeer.open(stack.udpPort);
  peers.push(peer);
  return peer;
}

const accept = (peer: Peer, invite: SipMessage, toTag = 'bob-tag') =>
  peer.answer(invite, 200, 'OK', { toTag, Contact: peer.contact, 'Content-Type': 'application/sdp' }, ANSWER);

test('createUAC: defaults, 180, 200, ACK; requests of the callee; BYE of the callee', async () => {
  const peer = await open();
  const provisional = later<SrfMessage>();
  const calling = stack.srf.createUAC(
    `sip:bob@127.0.0.1:${peer.port}`,
    { localSdp: OFFER, headers: { 'X-Custom': 'a', 'User-Agent': 'appUA' }, callingNumber: '1001' },
    { cbProvisional: provisional.resolve },
  );
  const invite = await peer.next('INVITE');
  const own = `127.0.0.1:${stack.udpPort}`;
  expect(
    invite.headers.map(({ name, value }) =>
      `${name}: ${value}`.replace(/tag=\w+|branch=\w+/g, (all) => all.split('=')[0]!),
    ),
  ).toEqual([
    `Via: SIP/2.0/UDP ${own};branch;rport`,
    'Max-Forwards: 70',
    `From: <sip:1001@${own}>;tag`,
    `To: <sip:bob@127.0.0.1:${peer.port}>`,
    `Call-ID: ${invite.callId}`,
    `CSeq: ${invite.cseq?.number} INVITE`,
    'X-Custom: a',
    'User-Agent: appUA',
    `Contact: <sip:1001@${own}>`,
    'Content-Type: application/sdp',
    `Content-Length: ${OFFER.length}`,
  ]);
  peer.answer(invite, 100, 'Trying');
  peer.answer(invite, 180, 'Ringing', { toTag: 'bob-tag', Contact: peer.contact });
  expect((await provisional.promise).status).toBe(180);
  accept(peer, invite);
  const dialog = await calling;
  const ack = await peer.next('ACK');
  expect([ack.cseq?.number, ack.toTag, ack.requestUri]).toEqual([
    invite.cseq?.number,
    'bob-tag',
    `sip:alice@127.0.0.1:${peer.port}`,
  ]);
  expect(dialog.id).toBe(`${invite.callId};from-tag=${invite.fromTag}`);

  const inside = { callId: invite.callId!, fromTag: 'bob-tag', toTag: invite.fromTag };
  const info = event(dialog, 'info');
  peer.send(peer.request({ method: 'INFO', cseq: 1, ...inside }));
  (await info)[1].send(200);
  await peer.next(200);
  const destroyed = event(dialog, 'destroy');
  peer.send(peer.request({ method: 'BYE', cseq: 2, ...inside }));
  await destroyed;
  await peer.next(200);
  await untilIdle(stack.server);
});

test('between two servers, over TCP, with drachtio-srf on both sides', async () => {
  stack = await startStack(() => {}, { timers: FAST });
  const far = await startServer({ timers: FAST });
  const answered = later<SrfDialog>();
  const farSrf = await connectApp(far.adminPort, (srf) => {
    srf.invite((req, res) => {
      srf.createUAS(req, res, { localSdp: ANSWER }).then(answered.resolve, answered.reject);
    });
  });
  const caller = await stack.srf.createUAC(`sip:far@127.0.0.1:${far.tcpPort};transport=tcp`, { localSdp: OFFER });
  const callee = await answered.promise;
  expect([caller.remote.sdp, callee.remote.sdp]).toEqual([ANSWER, OFFER]);
  await event(callee, 'ack');

  callee.on('modify', (_req: SrfRequest, res: SrfResponse) => res.send(200, { body: 'v=0 callee\r\n' }));
  caller.on('modify', (_req: SrfRequest, res: SrfResponse) => res.send(200, { body: 'v=0 caller\r\n' }));
  expect(await caller.modify(OFFER.replace('1 1', '1 2'))).toBe('v=0 callee\r\n');
  expect(await callee.modify(ANSWER.replace('1 1', '1 2'))).toBe('v=0 caller\r\n');
  callee.on('info', (req: SrfRequest, res: SrfResponse) =>
    res.send(200, { body: req.body, headers: { 'Content-Type': 'text/plain' } }),
  );
  const echoed = await caller.request({ method: 'INFO', body: 'Ä€😀', headers: { 'Content-Type': 'text/plain' } });
  expect(echoed.body).toBe('Ä€😀');

  const destroyed = event(caller, 'destroy');
  await callee.destroy();
  await destroyed;
  await untilIdle(stack.server);
  await untilIdle(far.server);
  expect(stack.server.statistics().connections).toBe(1);
  farSrf.disconnect();
  await far.server.close();
});

describe('refused', () => {
  test("by the peer: the ACK is the server's", async () => {
    const peer = await open();
    const calling = stack.srf.createUAC(`sip:bob@127.0.0.1:${peer.port}`, { localSdp: OFFER });
    const invite = await peer.next('INVITE');
    peer.answer(invite, 486, 'Busy Here', { toTag: 'bob-tag' });
    await expect(calling).rejects.toMatchObject({ status: 486, reason: 'Busy Here' });
    expect((await peer.next('ACK')).topVia?.branch).toBe(invite.topVia?.branch);
    await untilIdle(stack.server, 1);
    expect(stack.srf.idle).toBe(true);
  });

  test('by silence: 408', async () => {
    const peer = await open();
    await expect(stack.srf.createUAC(`sip:bob@127.0.0.1:${peer.port}`, { localSdp: OFFER })).rejects.toMatchObject({
      status: 408,
    });
    const options = await stack.srf.request(`sip:bob@127.0.0.1:${peer.port}`, { method: 'OPTIONS' });
    const [response] = await event<[SrfMessage]>(options, 'response');
    expect([response.status, response.get('To')]).toEqual([408, expect.stringMatching(/;tag=\w+$/)]);
    await untilIdle(stack.server);
  });

  test('because nobody listens: 503', async () => {
    await open();
    const calling = stack.srf.createUAC('sip:bob@127.0.0.1:1;transport=tcp', { localSdp: OFFER });
    await expect(calling).rejects.toMatchObject({ status: 503 });
    await untilIdle(stack.server);
  });

  test('by the server: bad URI, itself, no such transport, body without type', async () => {
    await open();
    const attempt = (uri: string, options: object = {}) => stack.srf.request(uri, { method: 'MESSAGE', ...options });
    await expect(attempt('http://127.0.0.1')).rejects.toThrow('invalid request-uri: MESSAGE http://127.0.0.1 SIP/2.0');
    await expect(attempt(`sip:127.0.0.1:${stack.udpPort}`)).rejects.toThrow('can not send request to myself');
    await expect(attempt('sip:127.0.0.1;transport=sctp')).rejects.toThrow('requested protocol/transport not available');
    await expect(attempt('sip:127.0.0.2', { body: 'hello' })).rejects.toThrow('missing content-type');
    await untilIdle(stack.server);
  });
});

test('a challenge is answered by drachtio-srf with the same Call-ID and tag and the next CSeq', async () => {
  const peer = await open();
  const calling = stack.srf.createUAC(`sip:bob@localhost:${peer.port}`, {
    localSdp: OFFER,
    auth: { username: 'u', password: 'p' },
    proxy: `sip:127.0.0.1:${peer.port}`,
  });
  const first = await peer.next('INVITE');
  peer.answer(first, 401, 'Unauthorized', { toTag: 'x', 'WWW-Authenticate': 'Digest realm="r",nonce="n1",qop="auth"' });
  await peer.next('ACK');
  const second = await peer.next('INVITE');
  expect([second.callId, second.fromTag, second.cseq?.number, second.requestUri]).toEqual([
    first.callId,
    first.fromTag,
    first.cseq!.number + 1,
    `sip:bob@localhost:${peer.port}`,
  ]);
  expect(second.header('Authorization')).toContain('realm="r"');
  accept(peer, second);
  const dialog = await calling;
  await peer.next('ACK');

  const done = dialog.destroy();
  const bye = await peer.next('BYE');
  expect(bye.cseq?.number).toBe(second.cseq!.number + 1);
  peer.answer(bye, 407, 'Proxy Authentication Required', { 'Proxy-Authenticate': 'Digest realm="r",nonce="n2"' });
  const again = await peer.next('BYE');
  expect([again.cseq?.number, again.header('Proxy-Authorization')?.includes('n2')]).toEqual([
    bye.cseq!.number + 1,
    true,
  ]);
  peer.answer(again, 200, 'OK');
  await done;
  await untilIdle(stack.server, 1);
});

test('requests outside dialogs: OPTIONS and MESSAGE, headers and body', async () => {
  const peer = await open();
  const sent = stack.srf.request(`sip:bob@127.0.0.1:${peer.port}`, {
    method: 'MESSAGE',
    body: 'Jürgen 中文',
    headers: { 'Content-Type': 'text/plain;charset=utf-8', From: '<sip:me@localhost>', 'max-forwards': '5' },
  });
  const message = await peer.next('MESSAGE');
  expect(message.body.toString()).toBe('Jürgen 中文');
  expect(message.header('From')).toMatch(new RegExp(`^<sip:me@127.0.0.1:${stack.udpPort}>;tag=\\w+$`));
  expect([message.header('Max-Forwards'), message.header('Contact')]).toEqual(['5', undefined]);
  const request = await sent;
  expect([request.get('Call-ID'), request.get('Via').includes(message.topVia!.branch!)]).toEqual([
    message.callId,
    true,
  ]);
  peer.answer(message, 202, 'Accepted');
  const [response] = await event<[SrfMessage]>(request, 'response');
  expect(response.status).toBe(202);
  await untilIdle(stack.server);
});

describe('CANCEL of the app', () => {
  async function calling(peer: Peer) {
    const sent = later<SrfRequest>();
    const call = stack.srf.createUAC(
      `sip:bob@127.0.0.1:${peer.port}`,
      { localSdp: OFFER },
      { cbRequest: (_error: unknown, request: SrfRequest) => sent.resolve(request) },
    );
    call.catch(() => {});
    return { call, request: await sent.promise, invite: await peer.next('INVITE') };
  }

  test('ends the INVITE with 487', async () => {
    const peer = await open();
    const { call, request, invite } = await calling(peer);
    peer.answer(invite, 180, 'Ringing', { toTag: 'bob-tag' });
    const cancelled = later<SrfMessage>();
    request.cancel({ headers: { Reason: 'SIP;cause=200;text="elsewhere"' } }, (_error, cancel) =>
      cancelled.resolve(cancel),
    );
    const cancel = await peer.next('CANCEL');
    expect([cancel.topVia?.branch, cancel.header('Reason')]).toEqual([
      invite.topVia?.branch,
      'SIP;cause=200;text="elsewhere"',
    ]);
    expect((await cancelled.promise).get('CSeq')).toBe(cancel.header('CSeq'));
    peer.answer(cancel, 200, 'OK');
    peer.answer(invite, 487, 'Request Terminated', { toTag: 'bob-tag' });
    await expect(call).rejects.toMatchObject({ status: 487 });
    const late = later<unknown>();
    request.cancel((error) => late.resolve(error));
    expect(String(await late.promise)).toMatch(/unable to cancel unknown transaction id: [0-9a-f-]{36}/);
    await untilIdle(stack.server, 1);
    expect(stack.srf.idle).toBe(true);
  });

  test('that crosses a 200: ACK, then BYE of the server, reported as unsolicited', async () => {
    const peer = await open();
    const { call, request, invite } = await calling(peer);
    peer.answer(invite, 180, 'Ringing', { toTag: 'bob-tag' });
    request.cancel();
    const cancel = await peer.next('CANCEL');
    accept(peer, invite);
    peer.answer(cancel, 481, 'Call/Transaction Does Not Exist');
    const destroyed = event<[SrfRequest, string]>(await call, 'destroy');
    await peer.next('ACK');
    const bye = await peer.next('BYE');
    expect(bye.header('Reason')).toBe('SIP;cause=200;text="ACK-BYE due to cancel race condition"');
    peer.answer(bye, 200, 'OK');
    expect((await destroyed)[1]).toBe('ACK-BYE due to cancel race condition');
    await untilIdle(stack.server);
  });
});

test('a fork: the app gets the first 200, the server ends the second', async () => {
  const peer = await open();
  const calling = stack.srf.createUAC(`sip:bob@127.0.0.1:${peer.port}`, { localSdp: OFFER });
  const invite = await peer.next('INVITE');
  peer.answer(invite, 183, 'Session Progress', { toTag: 'one', Contact: peer.contact });
  peer.answer(invite, 183, 'Session Progress', { toTag: 'two', Contact: peer.contact });
  accept(peer, invite, 'two');
  const dialog = await calling;
  expect((await peer.next('ACK')).toTag).toBe('two');
  expect(stack.server.statistics().dialogs).toBe(1);
  accept(peer, invite, 'three');
  expect((await peer.next('ACK')).toTag).toBe('three');
  const bye = await peer.next('BYE');
  expect(bye.toTag).toBe('three');
  peer.answer(bye, 200, 'OK');
  const done = dialog.destroy();
  const own = await peer.next('BYE');
  expect(own.toTag).toBe('two');
  peer.answer(own, 200, 'OK');
  await done;
  await untilIdle(stack.server);
});

test('a reliable 183 is acknowledged by drachtio-srf with PRACK, a repetition is not reported', async () => {
  const peer = await open();
  const heard: number[] = [];
  const calling = stack.srf.createUAC(
    `sip:bob@127.0.0.1:${peer.port}`,
    { localSdp: OFFER, headers: { Supported: '100rel' } },
    { cbProvisional: (response: SrfMessage) => heard.push(response.status) },
  );
  const invite = await peer.next('INVITE');
  const reliable = { toTag: 'bob-tag', Contact: peer.contact, Require: '100rel', RSeq: '55' };
  peer.answer(invite, 183, 'Session Progress', reliable);
  const prack = await peer.next('PRACK');
  expect([prack.header('RAck'), prack.toTag]).toEqual([`55 ${invite.header('CSeq')}`, 'bob-tag']);
  peer.answer(invite, 183, 'Session Progress', reliable);
  peer.answer(prack, 200, 'OK');
  accept(peer, invite);
  const dialog = await calling;
  await peer.next('ACK');
  expect(heard).toEqual([183]);
  const done = dialog.destroy();
  peer.answer(await peer.next('BYE'), 200, 'OK');
  await done;
  await untilIdle(stack.server);
});

test('late offer: the ACK carries the answer', async () => {
  const peer = await open();
  const calling = stack.srf.createUAC(`sip:bob@127.0.0.1:${peer.port}`, { noAck: true });
  const invite = await peer.next('INVITE');
  expect(invite.body.length).toBe(0);
  accept(peer, invite);
  const { sdp, ack } = (await calling) as unknown as { sdp: string; ack(sdp: string): Promise<SrfDialog> };
  expect(sdp).toBe(ANSWER);
  const dialog = await ack(OFFER);
  const acked = await peer.next('ACK');
  expect([acked.body.toString(), acked.header('Content-Type')]).toEqual([OFFER, 'application/sdp']);
  const done = dialog.destroy();
  peer.answer(await peer.next('BYE'), 200, 'OK');
  await done;
  await untilIdle(stack.server);
});

test('a call over TCP to a peer that calls back over its own connection', async () => {
  stack = await startStack(() => {}, { timers: FAST });
  const peer = await TcpPeer.open(stack.tcpPort);
  peers.push(peer);
  // The peer's connection is reused because its address is the target's.
  const calling = stack.srf.createUAC(`sip:bob@127.0.0.1:${peer.port};transport=tcp`, { localSdp: OFFER });
  const invite = await peer.next('INVITE');
  expect(invite.header('Contact')).toBe(`<sip:127.0.0.1:${stack.tcpPort};transport=tcp>`);
  accept(peer, invite);
  const dialog = await calling;
  await peer.next('ACK');
  const done = dialog.destroy();
  peer.answer(await peer.next('BYE'), 200, 'OK');
  await done;
  await untilIdle(stack.server);
});
