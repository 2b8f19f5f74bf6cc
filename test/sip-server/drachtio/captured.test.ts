// Whole exchanges, frame by frame, after captures of drachtio-server v0.9.10-1-g9c2dd4cb6a with drachtio-srf 5.0.29 on
// loopback. What differs from one run to the next is written as {placeholders}. Meant differences from the captures:
// `received` in the Via, the protocol token filled for every message, `bytes` is the size of the text, a Contact in 180
// and in the 2xx to UPDATE, rport and branch in another order, the sent-by of our own Via with its port.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeFrame, FrameReader } from '../../../src/sip-server/drachtio/frame.ts';
import { AdminClient } from '../support/admin-client.ts';
import { UdpPeer } from '../support/peer.ts';
import { FAST, startServer, untilIdle } from '../support/stack.ts';

let started: Awaited<ReturnType<typeof startServer>>;
let app: AdminClient;
let peer: UdpPeer;
let frames: string[];

const SDP = (port: number, version: number) =>
  [
    'v=0',
    `o=- 1 ${version} IN IP4 127.0.0.1`,
    's=-',
    'c=IN IP4 127.0.0.1',
    't=0 0',
    `m=audio ${port} RTP/AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    'a=sendrecv',
    '',
  ].join('\n');

beforeEach(async () => {
  started = await startServer({ timers: FAST });
  app = await AdminClient.app(started.adminPort, 'invite', 'options');
  peer = await UdpPeer.open(started.udpPort);
  frames = [];
  const reader = new FrameReader({
    onFrame: (payload) => frames.push(payload.toString()),
    onOversize: () => {},
    onBadPrefix: () => {},
  });
  app.socket.on('data', (chunk) => reader.push(chunk));
});

afterEach(async () => {
  app.close();
  await peer.close();
  await started.server.close();
});

/** A frame with what changes from run to run replaced. */
function shown(payload: string | undefined): string {
  return (payload ?? 'no frame')
    .replaceAll(`:${peer.port}`, ':{peer}')
    .replaceAll(`=${peer.port}`, '={peer}')
    .replaceAll(`|${peer.port}|`, '|{peer}|')
    .replaceAll(`:${started.udpPort}`, ':{server}')
    .replaceAll(`|${started.udpPort}|`, '|{server}|')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '{uuid}')
    .replace(/\d\d:\d\d:\d\d\.\d{6}/, '{time}')
    .replace(/(network|application)\|\d+\|/, '$1|{bytes}|')
    .replace(/tag=[0-9a-f]{16}/g, 'tag={tag}')
    .replace(/z9hG4bK[0-9a-f]{24}/g, '{branch}')
    .replace(/CSeq: \d{4,} /, 'CSeq: {cseq} ')
    .replaceAll('\r\n', '\n');
}

const crlf = (text: string) => text.replaceAll('\n', '\r\n').replaceAll('{peer}', String(peer.port));

async function nextFrames(count: number): Promise<string[]> {
  await expect.poll(() => frames.length).toBeGreaterThanOrEqual(count);
  return frames.splice(0, count).map(shown);
}

/** The transaction id in a frame as received. */
function transactionOf(frame: string): string {
  return frame.split('|')[8] ?? '';
}

test('INVITE, 200, ACK, then BYE (main 02)', async () => {
  peer.send(
    crlf(`INVITE sip:plain@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport;branch=z9hG4bK18dc70e84ac4
Max-Forwards: 70
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>
Call-ID: b13170929e12@127.0.0.1
CSeq: 1 INVITE
Contact: <sip:alice@127.0.0.1:{peer}>
Content-Type: application/sdp
Content-Length: 122

${SDP(30000, 1)}`),
  );
  await expect.poll(() => frames.length).toBe(1);
  const invite = transactionOf(frames[0]!);
  expect(await nextFrames(1)).toEqual([
    `{uuid}|sip|network|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}||127.0.0.1|{server}|
INVITE sip:plain@127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport={peer};branch=z9hG4bK18dc70e84ac4;received=127.0.0.1
Max-Forwards: 70
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>
Call-ID: b13170929e12@127.0.0.1
CSeq: 1 INVITE
Contact: <sip:alice@127.0.0.1:{peer}>
Content-Type: application/sdp
Content-Length: 122

${SDP(30000, 1)}`,
  ]);

  app.socket.write(
    encodeFrame(
      crlf(`c4e6e6bc|sip|${invite}|
SIP/2.0 200 OK
Call-ID: b13170929e12@127.0.0.1
cseq: 1 INVITE
from: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
to: <sip:plain@127.0.0.1:5060>
Content-Length: 122

${SDP(40000, 1)}`),
    ),
  );
  const ok = `SIP/2.0 200 OK
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport={peer};branch=z9hG4bK18dc70e84ac4;received=127.0.0.1
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>;tag={tag}
Call-ID: b13170929e12@127.0.0.1
CSeq: 1 INVITE
Contact: <sip:127.0.0.1:{server}>
Content-Type: application/sdp
Content-Length: 122

${SDP(40000, 1)}`;
  expect(await nextFrames(1)).toEqual([
    `{uuid}|response|c4e6e6bc|OK|application|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}|b13170929e12@127.0.0.1;from-tag=c5897c7e||Msg sent:|\n${ok}`,
  ]);
  const received = await peer.next(200);
  expect(shown(received.toText())).toBe(ok);

  const inside = (method: string, number: number) =>
    crlf(`${method} sip:127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport;branch=z9hG4bK674ebd6e71b${number}
Max-Forwards: 70
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>;tag=${received.toTag}
Call-ID: b13170929e12@127.0.0.1
CSeq: ${number} ${method}
Content-Length: 0

`);
  const insideShown = (method: string, number: number) =>
    `{uuid}|sip|network|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}|b13170929e12@127.0.0.1;from-tag=c5897c7e|
${method} sip:127.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport={peer};branch=z9hG4bK674ebd6e71b${number};received=127.0.0.1
Max-Forwards: 70
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>;tag={tag}
Call-ID: b13170929e12@127.0.0.1
CSeq: ${number} ${method}
Content-Length: 0

`;
  peer.send(inside('ACK', 1));
  await expect.poll(() => frames.length).toBe(1);
  expect(transactionOf(frames[0]!)).toBe(invite);
  expect(await nextFrames(1)).toEqual([insideShown('ACK', 1)]);

  peer.send(inside('BYE', 2));
  await expect.poll(() => frames.length).toBe(1);
  const bye = transactionOf(frames[0]!);
  expect(bye).not.toBe(invite);
  expect(await nextFrames(1)).toEqual([insideShown('BYE', 2)]);
  app.socket.write(encodeFrame(`de044bd7|sip|${bye}|\r\nSIP/2.0 200 OK\r\ncseq: 2 BYE\r\nContent-Length: 0\r\n\r\n`));
  const byeOk = `SIP/2.0 200 OK
Via: SIP/2.0/UDP 127.0.0.1:{peer};rport={peer};branch=z9hG4bK674ebd6e71b2;received=127.0.0.1
From: <sip:alice@127.0.0.1:{peer}>;tag=c5897c7e
To: <sip:plain@127.0.0.1:5060>;tag={tag}
Call-ID: b13170929e12@127.0.0.1
CSeq: 2 BYE
Content-Length: 0

`;
  expect(await nextFrames(1)).toEqual([
    `{uuid}|response|de044bd7|OK|application|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}|||Msg sent:|\n${byeOk}`,
  ]);
  expect(shown((await peer.next((message) => message.header('CSeq') === '2 BYE')).toText())).toBe(byeOk);
  await untilIdle(started.server);
});

test('INVITE of the app, 180, 200, ACK, INFO and BYE inside the dialog (main 20, 07)', async () => {
  const send = (payload: string) => app.socket.write(encodeFrame(crlf(payload)));
  send(`7267c8e7|sip||
INVITE sip:bob@127.0.0.1:{peer} SIP/2.0
X-Custom: a
User-Agent: appUA
from: sip:1001@localhost
contact: sip:1001@localhost
Content-Length: 122

${SDP(41000, 1)}`);
  const invite = await peer.next('INVITE');
  const inviteText = `INVITE sip:bob@127.0.0.1:{peer} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{server};branch={branch};rport
Max-Forwards: 70
From: <sip:1001@127.0.0.1:{server}>;tag={tag}
To: <sip:bob@127.0.0.1:{peer}>
Call-ID: {uuid}
CSeq: {cseq} INVITE
X-Custom: a
User-Agent: appUA
Contact: <sip:1001@127.0.0.1:{server}>
Content-Type: application/sdp
Content-Length: 122

${SDP(41000, 1)}`;
  expect(shown(invite.toText())).toBe(inviteText);
  expect(await nextFrames(1)).toEqual([
    `{uuid}|response|7267c8e7|OK|application|{bytes}|udp|127.0.0.1|{server}|{time}|{uuid}|Msg sent:|\n${inviteText}`,
  ]);

  peer.answer(invite, 100, 'Trying');
  const answers = { toTag: '7f1897be', Contact: `<sip:bob@127.0.0.1:${peer.port}>` };
  peer.answer(invite, 180, 'Ringing', answers);
  peer.answer(invite, 200, 'OK', { ...answers, 'Content-Type': 'application/sdp' }, SDP(31000, 1));
  const answerShown = (status: string, rest: string) =>
    `{uuid}|sip|network|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}|{uuid};from-tag={tag}|
SIP/2.0 ${status}
Via: SIP/2.0/UDP 127.0.0.1:{server};branch={branch};rport
From: <sip:1001@127.0.0.1:{server}>;tag={tag}
To: <sip:bob@127.0.0.1:{peer}>;tag=7f1897be
Call-ID: {uuid}
CSeq: {cseq} INVITE
Contact: <sip:bob@127.0.0.1:{peer}>
${rest}`;
  const received = (await nextFrames(2)).map((each) => each.replace(/from-tag=[0-9a-f]{16}/, 'from-tag={tag}'));
  expect(received).toEqual([
    answerShown('180 Ringing', 'Content-Length: 0\n\n'),
    answerShown('200 OK', `Content-Type: application/sdp\nContent-Length: ${SDP(31000, 1).length}\n\n${SDP(31000, 1)}`),
  ]);

  const dialogId = `${invite.callId};from-tag=${invite.fromTag}`;
  const number = invite.cseq!.number;
  const outgoing: [string, string, number, string, string][] = [
    ['ACK', 'sip:bob@127.0.0.1:{peer}', number, '', ''],
    ['INFO', 'sip:placeholder', number + 1, 'Content-Type: text/plain\n', 'abc'],
    ['BYE', 'sip:placeholder', number + 2, '', ''],
  ];
  for (const [method, uri, cseq, type, body] of outgoing) {
    send(`f3ed2c24|sip||${dialogId}\n${method} ${uri} SIP/2.0\n${type}Content-Length: ${body.length}\n\n${body}`);
    const request = await peer.next(method);
    expect(request.cseq).toEqual({ number: cseq, method });
    const text = `${method} sip:bob@127.0.0.1:{peer} SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:{server};branch={branch};rport
Max-Forwards: 70
From: <sip:1001@127.0.0.1:{server}>;tag={tag}
To: <sip:bob@127.0.0.1:{peer}>;tag=7f1897be
Call-ID: {uuid}
CSeq: {cseq} ${method}
${type}Content-Length: ${body.length}

${body}`;
    expect(shown(request.toText())).toBe(text);
    expect(await nextFrames(1)).toEqual([
      `{uuid}|response|f3ed2c24|OK|application|{bytes}|udp|127.0.0.1|{server}|{time}|{uuid}|Msg sent:|\n${text}`,
    ]);
    if (method === 'ACK') continue;
    peer.answer(request, 200, 'OK');
    const [line] = (await nextFrames(1))[0]!.split('\n');
    expect(line?.replace(invite.fromTag!, '{tag}')).toBe(
      '{uuid}|sip|network|{bytes}|udp|127.0.0.1|{peer}|{time}|{uuid}|{uuid};from-tag={tag}|',
    );
  }
  await untilIdle(started.server);
});
