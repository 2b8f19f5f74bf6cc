// Dialogs that outlive the process: their state given out as JSON by one server and taken in by the next, on the same ports.
import { afterEach, describe, expect, test } from 'vitest';
import { createSipServer, type DialogState, type SipServer } from '../../src/sip-server/index.ts';
import { type Peer, TcpPeer, UdpPeer } from './support/peer.ts';
import { event, type SrfHandler, type SrfRequest, type SrfResponse, type TestSrf } from './support/srf.ts';
import { ANSWER, connectApp, establish, FAST, SECRET, startStack, untilIdle } from './support/stack.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type Transport = 'udp' | 'tcp';
const DIALOG = 'call-1;from-tag=alice-tag';

/** A call answered by a process that is gone afterwards; what is left of it is text and the ports that it had. */
async function answeredBefore(transport: Transport, extra = '') {
  const accept: SrfHandler = (req, res) => void stack.srf.createUAS(req, res, { localSdp: ANSWER });
  const stack = await startStack((srf) => srf.invite(accept), { timers: FAST });
  const peer = transport === 'udp' ? await UdpPeer.open(stack.udpPort) : await TcpPeer.open(stack.tcpPort);
  const { toTag } = await establish(peer, 'call-1', { extra: `Content-Type: application/sdp\r\n${extra}` });
  const text = JSON.stringify([stack.server.dialogState(DIALOG)]);
  await stack.close();
  await peer.close();
  return { toTag, text, ports: { udp: stack.udpPort, tcp: stack.tcpPort }, peerPort: peer.port };
}

type Answered = Awaited<ReturnType<typeof answeredBefore>>;

async function restart(
  { text, ports }: Answered,
  timers: object = {},
): Promise<{ server: SipServer; adminPort: number }> {
  const server = createSipServer({
    listeners: [
      { transport: 'udp', host: '127.0.0.1', port: ports.udp },
      { transport: 'tcp', host: '127.0.0.1', port: ports.tcp },
    ],
    admin: { host: '127.0.0.1', port: 0, secret: SECRET },
    timers: { ...FAST, firstAppMs: 5_000, ...timers },
    dialogs: JSON.parse(text) as DialogState[],
  });
  const { admin } = await server.start();
  closers.push(() => server.close());
  return { server, adminPort: admin.port };
}

/** An app that answers 200 to whatever comes and keeps the requests. */
async function app(adminPort: number): Promise<{ srf: TestSrf; got: SrfRequest[] }> {
  const got: SrfRequest[] = [];
  const srf = await connectApp(adminPort, (srf) => {
    (srf as unknown as { use(handler: SrfHandler): void }).use((req, res) => {
      got.push(req);
      if (req.method !== 'ACK') (res as SrfResponse).send(200, { headers: { Contact: '<sip:app@localhost>' } });
    });
    srf.invite(() => {});
  });
  closers.push(async () => srf.disconnect());
  return { srf, got };
}

async function peerAgain(transport: Transport, { ports }: Answered): Promise<Peer> {
  const peer = transport === 'udp' ? await UdpPeer.open(ports.udp) : await TcpPeer.open(ports.tcp);
  closers.push(() => peer.close());
  return peer;
}

/** Sends a request inside a dialog as an app does that has only its id. */
async function send(srf: TestSrf, method: string): Promise<SrfRequest> {
  return new Promise((resolve, reject) => {
    (
      srf as unknown as {
        request(uri: string, options: object, sent: (error: unknown, request: SrfRequest) => void): void;
      }
    ).request('sip:placeholder', { method, stackDialogId: DIALOG, headers: {} }, (error, request) =>
      error ? reject(error) : resolve(request),
    );
  });
}

describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
  test('re-INVITE, UPDATE, OPTIONS and BYE of the peer find the dialog, also those that come before the app', async () => {
    const before = await answeredBefore(transport);
    const { server, adminPort } = await restart(before);
    expect(server.statistics().dialogs).toBe(1);
    const peer = await peerAgain(transport, before);
    const { toTag } = before;
    peer.send(peer.request({ method: 'INVITE', callId: 'call-1', cseq: 2, toTag, body: ANSWER }));
    peer.send(peer.request({ method: 'INVITE', callId: 'call-2', cseq: 1 }));
    await peer.next(100);
    const { got } = await app(adminPort);
    const oks = [await peer.next(200), await peer.next(200)];
    expect(oks.map((ok) => ok.callId).sort()).toEqual(['call-1', 'call-2']);
    peer.send(peer.request({ method: 'ACK', callId: 'call-1', cseq: 2, toTag }));
    for (const [index, method] of ['UPDATE', 'OPTIONS', 'BYE'].entries()) {
      peer.send(peer.request({ method, callId: 'call-1', cseq: 3 + index, toTag }));
      expect((await peer.next(200)).header('CSeq')).toBe(`${3 + index} ${method}`);
    }
    const ours = got.filter((req) => req.get('Call-ID') === 'call-1').map((req) => req.method);
    expect(ours).toEqual(['INVITE', 'ACK', 'UPDATE', 'OPTIONS', 'BYE']);
    expect(server.dialogState(DIALOG)).toBeNull();
  });

  test('our BYE goes to the peer with tags, route set and a higher number', async () => {
    const before = await answeredBefore(transport);
    const { server, adminPort } = await restart(before);
    const { srf } = await app(adminPort);
    const peer = await peerAgain(transport, before);
    // Its Contact is where it listens now; over TCP its new connection is the way.
    peer.send(peer.request({ method: 'UPDATE', callId: 'call-1', cseq: 2, toTag: before.toTag }));
    await peer.next(200);
    const request = await send(srf, 'BYE');
    const answered = event<[{ status: number }]>(request, 'response');
    const bye = await peer.next('BYE');
    expect([bye.fromTag, bye.toTag, bye.callId]).toEqual([before.toTag, 'alice-tag', 'call-1']);
    peer.answer(bye, 200, 'OK');
    expect((await answered)[0].status).toBe(200);
    if (transport === 'udp') await untilIdle(server);
  });

  test('the state holds the numbers as they are', async () => {
    const before = await answeredBefore(transport);
    const { server, adminPort } = await restart(before);
    await app(adminPort);
    const peer = await peerAgain(transport, before);
    peer.send(peer.request({ method: 'OPTIONS', callId: 'call-1', cseq: 7, toTag: before.toTag }));
    await peer.next(200);
    expect(server.dialogState(DIALOG)).toMatchObject({ remoteSequence: 7, transport, peer: { port: peer.port } });
    peer.send(peer.request({ method: 'OPTIONS', callId: 'call-1', cseq: 6, toTag: before.toTag }));
    expect((await peer.next(500)).callId).toBe('call-1');
  });
});

test('without a connection of the peer our BYE opens one to its Contact, along the route set', async () => {
  const proxy = await UdpPeer.open();
  closers.push(() => proxy.close());
  const before = await answeredBefore('tcp', `Record-Route: <sip:127.0.0.1:${proxy.port};lr;transport=udp>\r\n`);
  const { adminPort } = await restart(before);
  const { srf } = await app(adminPort);
  void send(srf, 'BYE').catch(() => {});
  const bye = await proxy.next('BYE');
  expect(bye.header('Route')).toBe(`<sip:127.0.0.1:${proxy.port};lr;transport=udp>`);
  expect(bye.requestUri).toBe(`sip:alice@127.0.0.1:${before.peerPort};transport=tcp`);
});

test('when no app comes, requests are refused at last and the dialog is forgotten', async () => {
  const before = await answeredBefore('udp');
  const { server } = await restart(before, { firstAppMs: 50 });
  const peer = await peerAgain('udp', before);
  peer.send(peer.request({ method: 'INVITE', callId: 'call-2', cseq: 1 }));
  peer.send(peer.request({ method: 'OPTIONS', callId: 'call-1', cseq: 2, toTag: before.toTag }));
  expect((await peer.next((each) => each.callId === 'call-2' && each.statusCode > 100)).statusCode).toBe(503);
  expect((await peer.next((each) => each.callId === 'call-1')).statusCode).toBe(481);
  expect(server.statistics().dialogs).toBe(0);
});

test('a waiting INVITE can be cancelled', async () => {
  const before = await answeredBefore('udp');
  const { adminPort } = await restart(before);
  const peer = await peerAgain('udp', before);
  const invite = { callId: 'call-2', cseq: 1, branch: 'z9hG4bK-waits' };
  peer.send(peer.request({ method: 'INVITE', ...invite }));
  await peer.next(100);
  peer.send(peer.request({ method: 'CANCEL', ...invite }));
  expect((await peer.next(487)).header('CSeq')).toBe('1 INVITE');
  const { got } = await app(adminPort);
  peer.send(peer.request({ method: 'OPTIONS', callId: 'call-1', cseq: 2, toTag: before.toTag }));
  await peer.next((each) => each.statusCode === 200 && each.callId === 'call-1');
  expect(got.map((req) => req.method)).toEqual(['OPTIONS']);
});

test('states that cannot be gone on with are left out', async () => {
  const before = await answeredBefore('udp');
  const [state] = JSON.parse(before.text) as [DialogState];
  const early = { ...state, localTag: 'other', phase: 'early' };
  const foreign = { ...state, localTag: 'third', version: 99 };
  const { server } = await restart({ ...before, text: JSON.stringify([state, state, early, foreign]) });
  expect(server.statistics().dialogs).toBe(1);
});
