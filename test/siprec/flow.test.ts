// Whole recording sessions: octets on a socket, the embedded SIP server, drachtio-srf, the door, a recorder without media.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectDrachtio } from '../../src/drachtio/connection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createSipServer, type SipServer } from '../../src/sip-server/index.ts';
import { createSiprecDoor, type SiprecDoor } from '../../src/siprec/door.ts';
import { CONTENT_TYPE, METADATA, multipart, SDP, withDirection } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { ClientDialog, openTcpPeer, openUdpPeer, type RawPeer } from './raw-peer.ts';

/** The recorder changes with each test; the server, the connection and the door stay. */
const recorder = {
  current: new FakeRecorder(),
  start(...parameters: Parameters<FakeRecorder['start']>) {
    return this.current.start(...parameters);
  },
  refusal() {
    return this.current.refusal();
  },
  countRefused() {
    this.current.countRefused();
  },
};

interface Stack {
  server: SipServer;
  door: SiprecDoor;
  udp: { host: string; port: number };
  tcp: { host: string; port: number };
  close(): Promise<void>;
}

/** The embedded SIP server with the door behind a real drachtio-srf. */
async function startStack(timers: { t1Ms?: number } = {}): Promise<Stack> {
  const secret = 'flow';
  const server = createSipServer({
    listeners: [
      { transport: 'udp', host: '127.0.0.1', port: 0 },
      { transport: 'tcp', host: '127.0.0.1', port: 0 },
    ],
    admin: { host: '127.0.0.1', port: 0, secret },
    timers,
  });
  const { listeningPoints, admin } = await server.start();
  const connection = await connectDrachtio({ ...admin, secret, log: silentLog, patienceMs: 0 });
  const door = createSiprecDoor({
    srf: connection.srf,
    recorder,
    clock: systemClock,
    log: silentLog,
    mediaAddress: async (peerHost) => peerHost,
    graceMs: 50,
  });
  door.start();
  const at = (transport: string) => ({
    host: '127.0.0.1',
    port: listeningPoints.find((point) => point.transport === transport)?.port ?? 0,
  });
  return {
    server,
    door,
    udp: at('udp'),
    tcp: at('tcp'),
    async close() {
      await door.close();
      await connection.close();
      await server.close();
    },
  };
}

let stack: Stack;
let door: SiprecDoor;
let target: { host: string; port: number };
let udp: RawPeer;
let tcp: RawPeer;
let dialogs = 0;

beforeAll(async () => {
  stack = await startStack();
  door = stack.door;
  target = stack.udp;
});

afterAll(() => stack.close());

beforeEach(async () => {
  recorder.current = new FakeRecorder();
  udp = await openUdpPeer(stack.udp);
  tcp = await openTcpPeer(stack.tcp);
});

afterEach(() => {
  udp.close();
  tcp.close();
  // No test leaves a session or an unexpected message behind.
  expect(door.sessions).toBe(0);
  expect([...udp.left, ...tcp.left].filter((message) => !message.startsWith('SIP/2.0 100'))).toEqual([]);
});

const newDialog = (peer = udp, fromTag = 'src') => new ClientDialog(peer, target, `flow-${++dialogs}`, fromTag);
const siprec = { contentType: CONTENT_TYPE, headers: ['Require: siprec'] };

async function establish(peer = udp, body = multipart()) {
  const dialog = newDialog(peer);
  const answer = await dialog.ask({ method: 'INVITE', cseq: 1, ...siprec, body });
  dialog.send({ method: 'ACK', cseq: 1 });
  return { dialog, answer };
}

const status = (message: string) => Number(/^SIP\/2\.0 (\d+)/.exec(message)?.[1]);
const body = (message: string) => message.slice(message.indexOf('\r\n\r\n') + 4);
const header = (message: string, name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(message)?.[1]?.trim();

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

test.each(['UPDATE', 'INVITE'])('a client that leaves the refreshing to us gets %s, and stays', async (method) => {
  const { dialog } = await establish();
  // Inside a session any interval is taken: this one makes us refresh after a second.
  const headers = [
    'Supported: timer',
    'Session-Expires: 2;refresher=uas',
    ...(method === 'UPDATE' ? ['Allow: UPDATE'] : []),
  ];
  const answer = await dialog.ask({ method: 'UPDATE', cseq: 2, headers });
  expect(header(answer, 'Session-Expires')).toBe('2;refresher=uas');
  const refresh = await udp.take(new RegExp(`^${method} `));
  expect(header(refresh, 'Session-Expires')).toBe('2;refresher=uac');
  expect(header(refresh, 'Supported')).toBe('siprec, timer');
  expect(body(refresh)).toEqual(method === 'INVITE' ? expect.stringMatching(/^v=0[\s\S]*a=recvonly/) : '');
  dialog.answer(refresh, '200 OK', [`Contact: <sip:src@127.0.0.1:${udp.port}>`]);
  if (method === 'INVITE') await udp.take(/^ACK /);
  await dialog.ask({ method: 'BYE', cseq: 3 });
  await until(() => door.sessions === 0);
});

describe('a recording session', () => {
  test.each(['udp', 'tcp'] as const)(
    'over %s: INVITE, ACK, re-INVITE, UPDATE, INFO, OPTIONS, BYE',
    async (transport) => {
      const { dialog, answer } = await establish(transport === 'udp' ? udp : tcp);
      expect(status(answer)).toBe(200);
      const contact =
        transport === 'udp' ? `<sip:sipreel@127.0.0.1:${target.port}>;+sip.srs` : ';transport=tcp>;+sip.srs';
      expect(header(answer, 'Contact')).toContain(contact);
      expect(header(answer, 'Content-Type')).toBe('application/sdp');
      expect(header(answer, 'Allow')).toContain('UPDATE');
      expect(body(answer)).toContain('c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\n');

      const held = await dialog.ask({
        method: 'INVITE',
        cseq: 2,
        ...siprec,
        body: multipart(withDirection('inactive')),
      });
      dialog.send({ method: 'ACK', cseq: 2 });
      expect([status(held), body(held).match(/a=inactive/g)?.length]).toEqual([200, 2]);

      const empty = await dialog.ask({ method: 'INVITE', cseq: 3 });
      dialog.send({ method: 'ACK', cseq: 3, contentType: 'application/sdp', body: SDP });
      expect([status(empty), body(empty)]).toEqual([200, body(held)]);
      await until(() => recorder.current.recording.updates.length === 2);
      expect(recorder.current.recording.updates[1]?.streams?.map(({ sending }) => sending)).toEqual([true, true]);

      const refreshed = await dialog.ask({ method: 'UPDATE', cseq: 4 });
      expect([status(refreshed), body(refreshed)]).toEqual([200, '']);
      const metadata = { contentType: 'application/rs-metadata+xml', body: METADATA.replace('Bob', 'Bernd') };
      const updated = await dialog.ask({ method: 'UPDATE', cseq: 5, ...metadata });
      expect([status(updated), body(updated)]).toEqual([200, '']);
      expect(status(await dialog.ask({ method: 'INFO', cseq: 6, contentType: 'text/plain', body: 'x' }))).toBe(200);
      expect(status(await dialog.ask({ method: 'OPTIONS', cseq: 7 }))).toBe(200);
      expect(status(await dialog.ask({ method: 'MESSAGE', cseq: 8, contentType: 'text/plain', body: 'x' }))).toBe(200);
      expect(status(await dialog.ask({ method: 'REFER', cseq: 9, headers: ['Refer-To: <sip:x@y>'] }))).toBe(405);
      expect(status(await dialog.ask({ method: 'BYE', cseq: 10 }))).toBe(200);

      const { recording } = recorder.current;
      await until(() => recording.stops.length > 0);
      expect(recording.stops).toEqual(['ended']);
      expect(recording.updates.at(-1)?.call?.participants.map(({ name }) => name)).toEqual(['Alice', 'Bernd']);
      expect(recording.journalLines.map((line) => line.replace(/ sip:.*| SIP\/2\.0$/, ''))).toEqual([
        '< INVITE',
        '> SIP/2.0 200 OK',
        '< ACK',
        ...['INVITE', 'INVITE'].flatMap((method) => [`< ${method}`, '> SIP/2.0 200 OK', '< ACK']),
        ...['UPDATE', 'UPDATE', 'INFO', 'OPTIONS', 'MESSAGE'].flatMap((method) => [`< ${method}`, '> SIP/2.0 200 OK']),
        '< REFER',
        '> SIP/2.0 405 Method Not Allowed',
        '< BYE',
        '> SIP/2.0 200 OK',
      ]);
      const sent = recording.journal.find(({ direction }) => direction === 'sent');
      expect(Buffer.from(sent?.message ?? []).toString()).toBe(answer);
      expect(
        new Set(recording.journal.map((record) => `${record.transport} ${record.local.port} ${record.remote.port}`))
          .size,
      ).toBe(1);
    },
  );

  test('captured from OpenSIPS, octet for octet', async () => {
    const invite = readFileSync(new URL('../fixtures/opensips/meta-full/001-INVITE.sip', import.meta.url), 'utf8');
    udp.send(invite.replace('Via: SIP/2.0/UDP 127.0.40.1:5060', `Via: SIP/2.0/UDP 127.0.0.1:${udp.port}`));
    const answer = await udp.take(/^SIP\/2\.0 200 /);
    const to = header(answer, 'To');
    const lines = ['Via', 'From', 'Call-ID'].map((name) => `${name}: ${header(answer, name)}`);
    const within = (method: string, cseq: number) =>
      [
        `${method} ${/<([^>]+)>/.exec(header(answer, 'Contact') ?? '')?.[1]} SIP/2.0`,
        ...lines,
        `To: ${to}`,
        `CSeq: ${cseq} ${method}`,
        'Max-Forwards: 70',
        'Content-Length: 0',
        '',
        '',
      ]
        .join('\r\n')
        .replace(/branch=[^;\r\n]+/, `branch=z9hG4bK${method}${cseq}`);
    udp.send(within('ACK', 2));
    udp.send(within('BYE', 3));
    await udp.take(/^SIP\/2\.0 200 /);
    await until(() => recorder.current.recording.stops.length > 0);
    const { call, streams } = recorder.current.recording.request;
    expect(call.participants.map(({ name, sends }) => [name, sends])).toEqual([
      ['Alice Custom', ['0']],
      ['Agent Seven', ['1']],
    ]);
    expect(streams.map(({ label, key }) => [label, key])).toEqual([
      ['0', '0'],
      ['1', '1'],
    ]);
  });

  test('two dialogs with one Call-ID', async () => {
    const one = new ClientDialog(udp, target, `flow-${++dialogs}`, 'one');
    const two = new ClientDialog(udp, target, one.callId, 'two');
    expect(
      status(await one.ask({ method: 'INVITE', cseq: 1, ...siprec, body: multipart(), branch: `${one.callId}a` })),
    ).toBe(200);
    one.send({ method: 'ACK', cseq: 1 });
    expect(
      status(await two.ask({ method: 'INVITE', cseq: 1, ...siprec, body: multipart(), branch: `${one.callId}b` })),
    ).toBe(200);
    two.send({ method: 'ACK', cseq: 1 });
    expect(status(await one.ask({ method: 'BYE', cseq: 2, branch: `${one.callId}c` }))).toBe(200);
    await until(() => recorder.current.recordings[0]?.stops.length === 1);
    expect(recorder.current.recordings.map(({ stops }) => stops)).toEqual([['ended'], []]);
    expect(status(await two.ask({ method: 'BYE', cseq: 2, branch: `${one.callId}d` }))).toBe(200);
    await until(() => door.sessions === 0);
  });

  test('BYE before ACK', async () => {
    const dialog = newDialog();
    await dialog.ask({ method: 'INVITE', cseq: 1, ...siprec, body: multipart() });
    expect(status(await dialog.ask({ method: 'BYE', cseq: 2 }))).toBe(200);
    await until(() => door.sessions === 0);
    expect(recorder.current.recording.stops).toEqual(['ended']);
    dialog.send({ method: 'ACK', cseq: 1 });
  });

  test('no ACK at all: the recording is discarded, the client gets a BYE', async () => {
    const impatient = await startStack({ t1Ms: 10 });
    const peer = await openUdpPeer(impatient.udp);
    const dialog = new ClientDialog(peer, impatient.udp, `flow-${++dialogs}`);
    await dialog.ask({ method: 'INVITE', cseq: 1, ...siprec, body: multipart() });
    const bye = await peer.take(/^BYE /);
    dialog.answer(bye, '200 OK');
    await until(() => impatient.door.sessions === 0);
    await until(() => recorder.current.recording.stops.length > 0);
    expect(recorder.current.recording.stops).toEqual(['cancelled']);
    peer.close();
    await impatient.close();
  });

  test('the recorder ends the recording: BYE, and 405 is as good as 200', async () => {
    const { dialog } = await establish();
    await until(() => recorder.current.recording.journalLines.length === 3);
    recorder.current.recording.request.onEnded('max-duration');
    const bye = await udp.take(/^BYE /);
    expect(header(bye, 'Reason')).toBe('SIP;cause=200;text="recording max-duration"');
    dialog.answer(bye, '405 Method not Allowed', ['Contact: <<sip:127.0.40.1:5060>;+sip.src>']);
    await until(() => door.sessions === 0);
  });
});

describe('CANCEL', () => {
  test('before the answer', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    recorder.current.startGate = promise;
    const dialog = newDialog();
    const branch = `${dialog.callId}invite`;
    dialog.send({ method: 'INVITE', cseq: 1, ...siprec, body: multipart(), branch });
    await udp.take(/^SIP\/2\.0 100 /);
    dialog.send({ method: 'CANCEL', cseq: 1, branch });
    expect(status(await dialog.final(1, 'CANCEL'))).toBe(200);
    const final = await dialog.final(1, 'INVITE');
    expect(status(final)).toBe(487);
    dialog.learn(final);
    dialog.send({ method: 'ACK', cseq: 1, branch });
    resolve();
    await until(() => door.sessions === 0);
    expect(recorder.current.recording.stops).toEqual(['cancelled']);
  });

  test.each(Array.from({ length: 16 }, (_, ms) => ms))('racing the 200, %d ms behind the INVITE', async (delayMs) => {
    const dialog = newDialog();
    const branch = `${dialog.callId}invite`;
    dialog.send({ method: 'INVITE', cseq: 1, ...siprec, body: multipart(), branch });
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    dialog.send({ method: 'CANCEL', cseq: 1, branch });
    const final = await dialog.final(1, 'INVITE');
    const toCancel = await dialog.final(1, 'CANCEL');
    dialog.learn(final);
    dialog.send({ method: 'ACK', cseq: 1, ...(status(final) === 200 ? {} : { branch }) });
    if (status(final) === 200) expect(status(await dialog.ask({ method: 'BYE', cseq: 2 }))).toBe(200);
    else expect([status(final), status(toCancel)]).toEqual([487, 200]);
    await until(() => door.sessions === 0);
    for (const { stops } of recorder.current.recordings)
      expect(stops).toEqual([status(final) === 200 ? 'ended' : 'cancelled']);
  });
});

describe('refusals', () => {
  const refused = async (bad: { body?: string; contentType?: string; headers?: string[] }) => {
    const dialog = newDialog();
    const answer = await dialog.ask({ method: 'INVITE', cseq: 1, ...bad });
    dialog.send({ method: 'ACK', cseq: 1, branch: `${dialog.callId}1INVITE` });
    await until(() => door.sessions === 0);
    expect(recorder.current.recordings).toEqual([]);
    return [status(answer), header(answer, 'Warning') ?? header(answer, 'Retry-After')];
  };

  test.each([
    ['an empty SDP part', { ...siprec, body: multipart('') }, 'The SDP part is empty.'],
    ['video only', { ...siprec, body: multipart(SDP.replaceAll('audio', 'video')) }, 'There is no audio stream.'],
    ['port 0', { ...siprec, body: multipart(SDP.replace(/audio \d+/g, 'audio 0')) }, 'Every audio stream has port 0.'],
  ])('%s: 488', async (_name, bad, why) => {
    expect(await refused(bad)).toEqual([488, `399 sipreel "${why}"`]);
  });

  test('no ports: 503', async () => {
    recorder.current.failStart = 'NO_PORTS';
    expect((await refused({ ...siprec, body: multipart() }))[0]).toBe(503);
  });

  test('OPTIONS and REGISTER outside of a dialog', async () => {
    const options = await newDialog().ask({ method: 'OPTIONS', cseq: 1 });
    expect([status(options), header(options, 'Accept')]).toEqual([
      200,
      'application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed',
    ]);
    expect(status(await newDialog().ask({ method: 'REGISTER', cseq: 1 }))).toBe(405);
  });
});

describe('bad input is recorded all the same', () => {
  const lines = Array.from(
    { length: 30 },
    (_, i) => `m=audio ${4000 + 2 * i} RTP/AVP 0\r\na=sendonly\r\na=label:${i}\r\n`,
  );
  const bomb = `<!DOCTYPE x [${Array.from({ length: 9 }, (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(9)}">`).join('')}]>${METADATA}`;

  test.each<[string, 'udp' | 'tcp', string]>([
    ['30 m-lines', 'tcp', multipart(`v=0\r\ns=-\r\n${lines.join('')}`)],
    [
      '200 KiB of metadata',
      'tcp',
      multipart(SDP, METADATA.replace('</session>', `<x>${'y'.repeat(200 * 1024)}</x></session>`)),
    ],
    ['an XML bomb', 'tcp', multipart(SDP, bomb)],
    ['a boundary that never closes', 'udp', multipart().replace(/--\S+--\r\n$/, '')],
    [
      'Content-Length that lies inside parts',
      'udp',
      multipart().replace('Content-Type', 'Content-Length: 17\r\nContent-Type'),
    ],
    ['names that break the XML', 'udp', multipart(SDP, METADATA.replace('Bob', 'Smith & <Sons>'))],
    ['names beyond ASCII', 'udp', multipart(SDP, METADATA.replace('Bob', 'Jürgen 日本'))],
  ])('%s', async (_name, transport, text) => {
    const { dialog, answer } = await establish(transport === 'udp' ? udp : tcp, text);
    expect(status(answer)).toBe(200);
    expect(recorder.current.recording.request.call.participants).toHaveLength(2);
    expect(status(await dialog.ask({ method: 'BYE', cseq: 2 }))).toBe(200);
    await until(() => door.sessions === 0);
  });
});

test.each([
  ['a header line without a colon, as a mistake in an OpenSIPS script makes it', ['this is no header']],
  ['a Contact that names nobody', ['Contact: ;+sip.src']],
])('%s', async (_name, headers) => {
  const dialog = newDialog();
  const lines = dialog.request({ method: 'INVITE', cseq: 1, ...siprec, body: multipart() });
  const [name] = (headers[0] ?? '').split(':');
  const changed = lines.replace(new RegExp(`^${name}:.*\r\n`, 'm'), '').replace('CSeq:', `${headers[0]}\r\nCSeq:`);
  udp.send(changed);
  const answer = await dialog.final(1, 'INVITE');
  expect(status(answer)).toBe(200);
  dialog.learn(answer);
  dialog.send({ method: 'ACK', cseq: 1 });
  expect(status(await dialog.ask({ method: 'BYE', cseq: 2 }))).toBe(200);
  await until(() => door.sessions === 0);
});

test('nothing is left open in the SIP server', async () => {
  await until(() => stack.server.statistics().dialogs === 0);
  expect(stack.server.statistics().pendingRequests).toBe(0);
});
