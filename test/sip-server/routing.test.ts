// Where messages of a dialog go: Record-Route, refreshed targets, lost connections, broken Contacts; and their order.
import { afterEach, describe, expect, test } from 'vitest';
import { AdminClient, type Frame } from './support/admin-client.ts';
import { until } from './support/layers.ts';
import { type Peer, TcpPeer, UdpPeer } from './support/peer.ts';
import { FAST, OFFER, startServer, untilIdle } from './support/stack.ts';

type Started = Awaited<ReturnType<typeof startServer>>;
let started: Started;
let app: AdminClient;
const peers: Peer[] = [];

afterEach(async () => {
  app.close();
  for (const peer of peers.splice(0)) await peer.close();
  await started.server.close();
});

async function open(...transports: ('udp' | 'tcp')[]): Promise<Peer[]> {
  started = await startServer({ timers: FAST });
  app = await AdminClient.app(started.adminPort, 'invite', 'info');
  for (const each of transports) {
    peers.push(each === 'udp' ? await UdpPeer.open(started.udpPort) : await TcpPeer.open(started.tcpPort));
  }
  return peers;
}

/** The peer calls, the app accepts; what the peer then knows. */
async function call(peer: Peer, parts: { contact?: string | null; extra?: string } = {}) {
  peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 10, body: OFFER, ...parts }));
  const invite = await app.sip('INVITE');
  const accepted = await app.answer(invite, `SIP/2.0 200 OK\r\n\r\n${OFFER}`);
  const ok = await peer.next(200);
  peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 10, toTag: ok.toTag }));
  await app.sip('ACK');
  return { invite, ok, toTag: ok.toTag!, dialogId: accepted.tokens[11]! };
}

const fromApp = (dialogId: string, method: string) =>
  app.command(`sip||${dialogId}\r\n${method} sip:placeholder SIP/2.0\r\n\r\n`);

async function hangUp(peer: Peer, dialogId: string): Promise<Frame> {
  const sent = fromApp(dialogId, 'BYE');
  peer.answer(await peer.next('BYE'), 200, 'OK');
  return sent;
}

test('the route set is kept: Record-Route copied into the 200, loose routes in front of requests', async () => {
  const [proxy] = await open('udp');
  const hop = `<sip:127.0.0.1:${proxy!.port};lr;x=1>`;
  const { ok, dialogId } = await call(proxy!, {
    contact: '<sip:alice@192.0.2.9:5070>',
    extra: `Record-Route: ${hop}\r\nRecord-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>\r\n`,
  });
  expect(ok.headerValues('Record-Route')).toEqual([hop, '<sip:192.0.2.1;lr>, <sip:192.0.2.2;lr>']);
  const sent = fromApp(dialogId, 'INFO');
  const info = await proxy!.next('INFO');
  expect(info.requestUri).toBe('sip:alice@192.0.2.9:5070');
  expect(info.listValues('Route')).toEqual([hop, '<sip:192.0.2.1;lr>', '<sip:192.0.2.2;lr>']);
  expect((await sent).tokens[3]).toBe('OK');
  proxy!.answer(info, 200, 'OK');
  await app.sip('SIP/2.0 200 OK');
  await hangUp(proxy!, dialogId);
  await untilIdle(started.server);
});

test('a strict router becomes the request URI', async () => {
  const [proxy] = await open('udp');
  const { dialogId } = await call(proxy!, {
    contact: '<sip:alice@192.0.2.9:5070>',
    extra: `Record-Route: <sip:127.0.0.1:${proxy!.port}>, <sip:192.0.2.1;lr>\r\n`,
  });
  void fromApp(dialogId, 'BYE');
  const bye = await proxy!.next('BYE');
  expect([bye.requestUri, bye.listValues('Route')]).toEqual([
    `sip:127.0.0.1:${proxy!.port}`,
    ['<sip:192.0.2.1;lr>', '<sip:alice@192.0.2.9:5070>'],
  ]);
  proxy!.answer(bye, 200, 'OK');
  await untilIdle(started.server);
});

describe('target refresh (RFC 3261 §12.2, RFC 3311)', () => {
  test.each(['INVITE', 'UPDATE'])('by a %s of the peer, once it is accepted', async (method) => {
    const [peer, moved] = await open('udp', 'udp');
    const { toTag, dialogId } = await call(peer!);
    const send = async (cseq: number, status: string) => {
      const branch = `z9hG4bK-${cseq}`;
      peer!.send(peer!.request({ method, callId: 'call-1', cseq, toTag, contact: moved!.contact, branch }));
      await app.answer(await app.sip(method), `SIP/2.0 ${status}\r\n\r\n`);
      const answer = await peer!.next((message) => message.statusCode >= 200);
      const ackBranch = answer.statusCode >= 300 ? { branch } : {};
      if (method === 'INVITE')
        peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq, toTag, ...ackBranch }));
    };
    await send(11, '488 Not Acceptable Here');
    void fromApp(dialogId, 'INFO');
    peer!.answer(await peer!.next('INFO'), 200, 'OK');
    await send(12, '200 OK');
    void fromApp(dialogId, 'INFO');
    const info = await moved!.next('INFO');
    expect(info.requestUri).toBe(`sip:alice@127.0.0.1:${moved!.port}`);
    moved!.answer(info, 200, 'OK');
    await hangUp(moved!, dialogId);
    await untilIdle(started.server);
  });

  test('by the 2xx to an INVITE of the app, unless its Contact is broken', async () => {
    const [peer, moved] = await open('udp', 'udp');
    const { dialogId } = await call(peer!);
    // As OpenSIPS 3.6.8 writes it in every answer.
    void fromApp(dialogId, 'UPDATE');
    peer!.answer(await peer!.next('UPDATE'), 200, 'OK', { Contact: `<${moved!.contact.replace('>', '>;+sip.src>')}` });
    await app.sip('SIP/2.0 200');
    void fromApp(dialogId, 'INVITE');
    peer!.answer(await peer!.next('INVITE'), 200, 'OK', { Contact: moved!.contact });
    await app.sip('SIP/2.0 200');
    void fromApp(dialogId, 'ACK');
    expect((await moved!.next('ACK')).requestUri).toBe(`sip:alice@127.0.0.1:${moved!.port}`);
    await hangUp(moved!, dialogId);
    await untilIdle(started.server);
  });

  test('by the 2xx to an UPDATE of the app', async () => {
    const [peer, moved] = await open('udp', 'udp');
    const { dialogId } = await call(peer!);
    void fromApp(dialogId, 'UPDATE');
    peer!.answer(await peer!.next('UPDATE'), 200, 'OK', { Contact: moved!.contact });
    await app.sip('SIP/2.0 200');
    await hangUp(moved!, dialogId);
    await untilIdle(started.server);
  });

  test.each(['<<sip:127.0.40.1:5060>;+sip.src>', 'sip:', '<mailto:a@b>'])(
    'Contact: %s in a re-INVITE changes nothing',
    async (contact) => {
      const [peer] = await open('udp');
      const { toTag, dialogId } = await call(peer!);
      peer!.send(peer!.request({ method: 'UPDATE', callId: 'call-1', cseq: 11, toTag, contact }));
      await app.answer(await app.sip('UPDATE'), 'SIP/2.0 200 OK\r\n\r\n');
      await peer!.next(200);
      await hangUp(peer!, dialogId);
      await untilIdle(started.server);
    },
  );
});

test('an INVITE without a usable Contact works: the app is shown the address that the server will use', async () => {
  const [peer] = await open('udp');
  const { invite, dialogId } = await call(peer!, { contact: null });
  expect(invite.text).toContain(`\r\nContact: <sip:127.0.0.1:${peer!.port}>\r\n`);
  await hangUp(peer!, dialogId);
  await untilIdle(started.server);
});

describe('connections', () => {
  test('requests of the app take the connection that the dialog was last heard on', async () => {
    const [first, second] = await open('tcp', 'tcp');
    const { toTag, dialogId } = await call(first!, { contact: '<sip:alice@192.0.2.9;transport=tcp>' });
    void fromApp(dialogId, 'INFO');
    first!.answer(await first!.next('INFO'), 200, 'OK');
    second!.send(second!.request({ method: 'INFO', callId: 'call-1', cseq: 11, toTag }));
    await app.answer(await app.sip('INFO'), 'SIP/2.0 200 OK\r\n\r\n');
    await second!.next(200);
    await hangUp(second!, dialogId);
    await untilIdle(started.server);
  });

  test('a BYE over another connection, after the first one was lost, finds the dialog', async () => {
    const [first, second] = await open('tcp', 'tcp');
    const { toTag } = await call(first!);
    await first!.close();
    second!.send(second!.request({ method: 'BYE', callId: 'call-1', cseq: 11, toTag }));
    const bye = await app.sip('BYE');
    expect(bye.tokens.slice(2, 7).toSpliced(1, 1)).toEqual(['network', 'tcp', '127.0.0.1', String(second!.port)]);
    await app.answer(bye, 'SIP/2.0 200 OK\r\n\r\n');
    expect((await second!.next(200)).header('CSeq')).toBe('11 BYE');
    await untilIdle(started.server);
  });

  test('the connection lost and the peer not reachable: 503 made up after the acknowledgement', async () => {
    const [peer] = await open('tcp');
    const { dialogId } = await call(peer!, { contact: '<sip:alice@127.0.0.1:1;transport=tcp>' });
    await peer!.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const sent = await fromApp(dialogId, 'BYE');
    expect(sent.tokens.slice(3, 6)).toEqual(['OK', 'application', '0']);
    const answer = await app.sip('SIP/2.0 503');
    expect(answer.tokens.slice(2, 7)).toEqual(['network', '0', 'udp', '', '0']);
    expect(answer.tokens.slice(8)).toEqual([sent.tokens[10], dialogId, '']);
    await untilIdle(started.server);
  });
});

test('a 200 that cannot be sent: NOK, and no dialog is left', async () => {
  const [peer] = await open('tcp');
  const invite = peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 1 });
  peer!.send(invite.replace(`127.0.0.1:${peer!.port};rport`, '127.0.0.1:1'));
  const frame = await app.sip('INVITE');
  await peer!.close();
  await until(() => started.server.statistics().connections === 0);
  expect((await app.answer(frame, 'SIP/2.0 200 OK\r\n\r\n')).tokens.slice(3)).toEqual([
    'NOK',
    'transport for response has been shutdown or closed',
  ]);
  expect(started.server.statistics().dialogs).toBe(0);
  await untilIdle(started.server);
});

describe('order and glare inside a dialog', () => {
  test('an older CSeq is refused with 500, a BYE is taken all the same', async () => {
    const [peer] = await open('udp');
    const { toTag } = await call(peer!);
    peer!.send(peer!.request({ method: 'INFO', callId: 'call-1', cseq: 9, toTag }));
    expect((await peer!.next(500)).header('CSeq')).toBe('9 INFO');
    peer!.send(peer!.request({ method: 'BYE', callId: 'call-1', cseq: 8, toTag }));
    await app.answer(await app.sip('BYE'), 'SIP/2.0 200 OK\r\n\r\n');
    await peer!.next(200);
    await untilIdle(started.server);
  });

  test('a second INVITE while one is open: 500 with Retry-After', async () => {
    const [peer] = await open('udp');
    const { toTag, dialogId } = await call(peer!);
    peer!.send(peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 11, toTag }));
    const first = await app.sip('INVITE');
    peer!.send(peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 12, toTag, branch: 'z9hG4bK-second' }));
    const refused = await peer!.next(500);
    expect([refused.header('CSeq'), Number(refused.header('Retry-After')) <= 10]).toEqual(['12 INVITE', true]);
    peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq: 12, toTag, branch: 'z9hG4bK-second' }));
    await app.answer(first, `SIP/2.0 200 OK\r\n\r\n${OFFER}`);
    await peer!.next(200);
    peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq: 11, toTag }));
    await hangUp(peer!, dialogId);
    await untilIdle(started.server);
  });

  test('an INVITE of the peer while ours is open: 491; an INVITE of the app while one is open: NOK', async () => {
    const [peer] = await open('udp');
    const { toTag, dialogId } = await call(peer!);
    void fromApp(dialogId, 'INVITE');
    const ours = await peer!.next('INVITE');
    peer!.send(peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 11, toTag, branch: 'z9hG4bK-glare' }));
    await peer!.next(491);
    peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq: 11, toTag, branch: 'z9hG4bK-glare' }));
    const second = await fromApp(dialogId, 'INVITE');
    expect(second.tokens.slice(3)).toEqual(['NOK', 'Server error: another INVITE is in progress in this dialog']);
    peer!.answer(ours, 200, 'OK', { Contact: peer!.contact });
    await app.sip('SIP/2.0 200');
    void fromApp(dialogId, 'ACK');
    const ack = await peer!.next('ACK');
    // A repeated 200 gets the same ACK from the server alone.
    peer!.answer(ours, 200, 'OK', { Contact: peer!.contact });
    const again = await peer!.next('ACK');
    expect([again.header('CSeq'), again.toText().replace(/branch=\w+/, '')]).toEqual([
      ack.header('CSeq'),
      ack.toText().replace(/branch=\w+/, ''),
    ]);
    await hangUp(peer!, dialogId);
    await untilIdle(started.server);
    expect(app.frames.filter(({ tokens }) => tokens[1] === 'sip').map(({ text }) => text.split('\r\n')[0])).toEqual([
      'SIP/2.0 200 OK',
    ]);
  });

  test('a second UPDATE while one is open: 500 with Retry-After', async () => {
    const [peer] = await open('udp');
    const { toTag, dialogId } = await call(peer!);
    peer!.send(peer!.request({ method: 'UPDATE', callId: 'call-1', cseq: 11, toTag }));
    const first = await app.sip('UPDATE');
    peer!.send(peer!.request({ method: 'UPDATE', callId: 'call-1', cseq: 12, toTag }));
    expect((await peer!.next(500)).header('Retry-After')).toMatch(/^\d+$/);
    await app.answer(first, 'SIP/2.0 200 OK\r\n\r\n');
    await peer!.next(200);
    await hangUp(peer!, dialogId);
    await untilIdle(started.server);
  });

  test('both sides hang up at once: each BYE is answered, the app hears of its own only', async () => {
    const [peer] = await open('udp');
    const { toTag, dialogId } = await call(peer!);
    void fromApp(dialogId, 'BYE');
    const ours = await peer!.next('BYE');
    peer!.send(peer!.request({ method: 'BYE', callId: 'call-1', cseq: 11, toTag }));
    expect((await peer!.next(200)).header('CSeq')).toBe('11 BYE');
    peer!.send(peer!.request({ method: 'INFO', callId: 'call-1', cseq: 12, toTag }));
    await peer!.next(481);
    peer!.answer(ours, 481, 'Call/Transaction Does Not Exist');
    await app.sip('SIP/2.0 481');
    await untilIdle(started.server);
    expect(app.frames.filter(({ tokens }) => tokens[1] === 'sip')).toEqual([]);
  });

  test('open requests are answered 487 when the dialog ends', async () => {
    const [peer] = await open('udp');
    const { toTag } = await call(peer!);
    peer!.send(peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 11, toTag, branch: 'z9hG4bK-open' }));
    const reinvite = await app.sip('INVITE');
    peer!.send(peer!.request({ method: 'BYE', callId: 'call-1', cseq: 12, toTag }));
    expect((await peer!.next(487)).header('CSeq')).toBe('11 INVITE');
    peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq: 11, toTag, branch: 'z9hG4bK-open' }));
    await app.answer(await app.sip('BYE'), 'SIP/2.0 200 OK\r\n\r\n');
    await peer!.next(200);
    expect((await app.answer(reinvite, 'SIP/2.0 200 OK\r\n\r\n')).tokens.slice(3)).toEqual([
      'NOK',
      'Response not sent due to unknown transaction',
    ]);
    await untilIdle(started.server);
  });
});

test('compact headers are understood and given to the app in full', async () => {
  const [peer] = await open('udp');
  peer!.send(
    [
      'INVITE sip:app@127.0.0.1 SIP/2.0',
      `v: SIP/2.0/UDP 127.0.0.1:${peer!.port};rport;branch=z9hG4bK-compact`,
      'f: "A B" <sip:alice@127.0.0.1>;tag=1',
      't: <sip:app@127.0.0.1>',
      'i: compact',
      'CSeq: 7 INVITE',
      'Subject: first line',
      '  second line',
      'X-Multi: a',
      'X-Multi: b',
      'k: timer, 100rel',
      'o: presence',
      'x: 90',
      `m: ${peer!.contact}`,
      'c: application/sdp',
      `l: ${OFFER.length}`,
      '',
      OFFER,
    ].join('\r\n'),
  );
  const invite = await app.sip('INVITE');
  expect(invite.text.split('\r\n').slice(0, -OFFER.split('\r\n').length - 1)).toEqual([
    'INVITE sip:app@127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:${peer!.port};rport=${peer!.port};branch=z9hG4bK-compact;received=127.0.0.1`,
    'From: "A B" <sip:alice@127.0.0.1>;tag=1',
    'To: <sip:app@127.0.0.1>',
    'Call-ID: compact',
    'CSeq: 7 INVITE',
    'Subject: first line second line',
    'X-Multi: a',
    'X-Multi: b',
    'Supported: timer, 100rel',
    'Event: presence',
    'Session-Expires: 90',
    `Contact: ${peer!.contact}`,
    'Content-Type: application/sdp',
    `Content-Length: ${OFFER.length}`,
  ]);
  await app.answer(invite, 'SIP/2.0 603 Decline\r\n\r\n');
  const declined = await peer!.next(603);
  peer!.send(
    `ACK sip:app@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:${peer!.port};branch=z9hG4bK-compact\r\nf: <sip:alice@127.0.0.1>;tag=1\r\nt: ${declined.header('To')}\r\ni: compact\r\nCSeq: 7 ACK\r\n\r\n`,
  );
  await untilIdle(started.server);
});

test('a `|` in Call-ID and tag does not cut the lines that they are told in', async () => {
  const [peer] = await open('udp');
  peer!.send(peer!.request({ method: 'INVITE', callId: 'a|b', fromTag: 'c|d', cseq: 1 }));
  const sent = await app.answer(await app.sip('INVITE'), 'SIP/2.0 200 OK\r\n\r\n');
  expect(sent.tokens.slice(11)).toEqual(['a%7Cb;from-tag=c%7Cd', '', 'Msg sent:', '']);
  await peer!.next(200);
  await hangUp(peer!, sent.tokens[11]!);
  await untilIdle(started.server);
});

test('bodies of 100 KiB over TCP, both ways, byte for byte', async () => {
  const [peer] = await open('tcp');
  const body = 'Jürgen 中文 '.repeat(6_000);
  peer!.send(
    peer!.request({ method: 'INVITE', callId: 'call-1', cseq: 1, body, extra: 'Content-Type: text/plain\r\n' }),
  );
  const invite = await app.sip('INVITE');
  expect(invite.text.slice(invite.text.indexOf('\r\n\r\n') + 4) === body).toBe(true);
  await app.answer(invite, `SIP/2.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n${body}`);
  const ok = await peer!.next(200);
  expect(ok.body.equals(Buffer.from(body))).toBe(true);
  peer!.send(peer!.request({ method: 'ACK', callId: 'call-1', cseq: 1, toTag: ok.toTag }));
  await hangUp(peer!, 'call-1;from-tag=alice-tag');
  await untilIdle(started.server);
});
