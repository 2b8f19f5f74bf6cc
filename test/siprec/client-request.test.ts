// Our own re-INVITE: what the client is told when we pause and resume, and what becomes of the recording if it does not follow.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectDrachtio } from '../../src/drachtio/connection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createSipServer } from '../../src/sip-server/index.ts';
import { createSiprecDoor, type SiprecDoor } from '../../src/siprec/door.ts';
import { CONTENT_TYPE, METADATA, multipart, SDP, withDirection } from './bodies.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { ClientDialog, openUdpPeer, type RawPeer } from './raw-peer.ts';

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

let target: { host: string; port: number };
let door: SiprecDoor;
let closeStack: () => Promise<void>;
let peer: RawPeer;
let calls = 0;

beforeAll(async () => {
  const secret = 'pause';
  const server = createSipServer({
    listeners: [{ transport: 'udp', host: '127.0.0.1', port: 0 }],
    admin: { host: '127.0.0.1', port: 0, secret },
  });
  const { listeningPoints, admin } = await server.start();
  const connection = await connectDrachtio({ ...admin, secret, log: silentLog, patienceMs: 0 });
  const mediaAddress = async (peerHost: string) => peerHost;
  door = createSiprecDoor({ srf: connection.srf, recorder, clock: systemClock, log: silentLog, mediaAddress });
  door.start();
  target = { host: '127.0.0.1', port: listeningPoints[0]!.port };
  closeStack = async () => {
    await door.close();
    await connection.close();
    await server.close();
  };
});
afterAll(() => closeStack());

beforeEach(async () => {
  recorder.current = new FakeRecorder();
  peer = await openUdpPeer(target);
});
afterEach(() => peer.close());

const directions = (message: string) => [...message.matchAll(/^a=(recvonly|inactive)/gm)].map(([, each]) => each);
const version = (message: string) => Number(/^o=sipreel \d+ (\d+)/m.exec(message)?.[1]);
const sdpHeaders = (body: string) => ['Content-Type: application/sdp', `Content-Length: ${Buffer.byteLength(body)}`];

async function established(unwanted: string[] = []) {
  const dialog = new ClientDialog(peer, target, `pause-${++calls}`);
  if (unwanted.length > 0) {
    const start = recorder.current.start.bind(recorder.current);
    recorder.current.start = async (request) => {
      const recording = await start(request);
      recorder.current.recording.unwantedKeys = new Set(unwanted);
      return recording;
    };
  }
  const headers = ['Require: siprec'];
  const answer = await dialog.ask({ method: 'INVITE', cseq: 1, contentType: CONTENT_TYPE, headers, body: multipart() });
  dialog.send({ method: 'ACK', cseq: 1 });
  const { recording } = recorder.current;
  const want = (...keys: string[]) => {
    recording.unwantedKeys = new Set(keys);
    recording.request.onUnwantedChanged?.();
  };
  /** Our answer to its re-INVITE, as a client that has SDP to say. */
  const accept = (request: string, sdp = SDP) => {
    const echoed = request.split('\r\n').filter((line) => /^(via|from|to|call-id|cseq):/i.test(line));
    const contact = `Contact: <sip:src@127.0.0.1:${peer.port}>;+sip.src`;
    peer.send(['SIP/2.0 200 OK', ...echoed, contact, ...sdpHeaders(sdp), '', sdp].join('\r\n'));
  };
  const bye = async (cseq: number) => expect(await dialog.ask({ method: 'BYE', cseq })).toMatch(/^SIP\/2\.0 200/);
  return { dialog, answer, recording, want, accept, bye };
}

const nextInvite = () => peer.take(/^INVITE /);
const nextAck = () => peer.take(/^ACK /);
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

describe('a pause of ours', () => {
  test('is told as inactive, taken back as recvonly, each acknowledged', async () => {
    const { answer, want, accept, bye } = await established();
    want('0', '1');
    const pausing = await nextInvite();
    expect(directions(pausing)).toEqual(['inactive', 'inactive']);
    expect(version(pausing)).toBe(version(answer) + 1);
    expect(pausing).toMatch(/^Contact: <sip:sipreel@127\.0\.0\.1:\d+>;\+sip\.srs\r$/m);
    accept(pausing, withDirection('inactive'));
    await nextAck();
    want();
    const resuming = await nextInvite();
    expect(directions(resuming)).toEqual(['recvonly', 'recvonly']);
    accept(resuming);
    await nextAck();
    await bye(2);
  });

  test('of one stream leaves the other alone', async () => {
    const { want, accept, bye } = await established();
    want('1');
    const pausing = await nextInvite();
    expect(directions(pausing)).toEqual(['recvonly', 'inactive']);
    accept(pausing);
    await nextAck();
    await bye(2);
  });

  test('that began before the answer stands in the answer', async () => {
    const { answer, bye } = await established(['0', '1']);
    expect(directions(answer)).toEqual(['inactive', 'inactive']);
    await bye(2);
    expect(peer.left.filter((message) => message.startsWith('INVITE'))).toEqual([]);
  });

  test('stands in the answers to what the client asks meanwhile', async () => {
    const { dialog, want, accept, bye } = await established();
    want('0', '1');
    accept(await nextInvite());
    await nextAck();
    const answer = await dialog.ask({ method: 'INVITE', cseq: 2, contentType: CONTENT_TYPE, body: multipart() });
    dialog.send({ method: 'ACK', cseq: 2 });
    expect(directions(answer)).toEqual(['inactive', 'inactive']);
    await bye(3);
  });

  test.each([405, 488, 603])('refused with %i: a warning, nothing else', async (status) => {
    const { dialog, recording, want, bye } = await established();
    want('0', '1');
    dialog.answer(await nextInvite(), `${status} No`);
    await nextAck();
    await until(() => recording.updates.some(({ warnings }) => warnings?.[0]?.code === 'pause-not-followed'));
    expect(recording.updates.at(-1)?.warnings?.[0]?.message).toContain(`answered ${status}`);
    await bye(2);
  });

  test('that meets a request of the client (491) is told again', async () => {
    const { dialog, recording, want, accept, bye } = await established();
    want('0', '1');
    dialog.answer(await nextInvite(), '491 Request Pending');
    await nextAck();
    const again = await nextInvite();
    expect(directions(again)).toEqual(['inactive', 'inactive']);
    accept(again);
    await nextAck();
    expect(recording.updates.flatMap(({ warnings }) => warnings ?? [])).toEqual([]);
    await bye(2);
  });

  test('taken back while the client is still being asked is told after its answer', async () => {
    const { want, accept, bye } = await established();
    want('0', '1');
    const pausing = await nextInvite();
    want();
    accept(pausing, withDirection('inactive'));
    await nextAck();
    const resuming = await nextInvite();
    expect(directions(resuming)).toEqual(['recvonly', 'recvonly']);
    accept(resuming);
    await nextAck();
    await bye(2);
  });
});

describe("the client's own hold beside our pause", () => {
  test('a client that repeats our inactive in offers of its own sends again when we resume', async () => {
    const { dialog, recording, want, accept, bye } = await established();
    want('0', '1');
    accept(await nextInvite(), withDirection('inactive'));
    await nextAck();
    const body = multipart(withDirection('inactive'));
    await dialog.ask({ method: 'INVITE', cseq: 2, contentType: CONTENT_TYPE, body });
    dialog.send({ method: 'ACK', cseq: 2 });
    expect(recording.updates.at(-1)?.streams?.map(({ sending }) => sending)).toEqual([false, false]);
    want();
    const resuming = await nextInvite();
    expect(directions(resuming)).toEqual(['recvonly', 'recvonly']);
    accept(resuming, withDirection('sendonly'));
    await nextAck();
    await until(() => recording.updates.at(-1)?.streams?.every(({ sending }) => sending) === true);
    await bye(3);
  });

  test('a client that holds stays on hold when we resume', async () => {
    const { dialog, recording, want, bye } = await established();
    await dialog.ask({
      method: 'INVITE',
      cseq: 2,
      contentType: CONTENT_TYPE,
      body: multipart(withDirection('inactive')),
    });
    dialog.send({ method: 'ACK', cseq: 2 });
    want('0', '1');
    want();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Held streams are inactive already: there is nothing to tell.
    expect(peer.left.filter((message) => message.startsWith('INVITE'))).toEqual([]);
    expect(recording.updates.at(-1)?.streams?.map(({ sending }) => sending)).toEqual([false, false]);
    await bye(3);
  });
});

test('a 405 to our BYE is the end', async () => {
  const { dialog, recording } = await established();
  expect(door.sessions).toBe(1);
  recording.request.onEnded('stopped');
  dialog.answer(await peer.take(/^BYE /), '405 Method Not Allowed');
  await until(() => door.sessions === 0);
});

test('a client without metadata is asked for it, and its snapshot names the parties', async () => {
  const dialog = new ClientDialog(peer, target, `pause-${++calls}`);
  const headers = ['Require: siprec'];
  await dialog.ask({ method: 'INVITE', cseq: 1, contentType: 'application/sdp', headers, body: SDP });
  dialog.send({ method: 'ACK', cseq: 1 });
  const question = await peer.take(/^UPDATE /);
  expect(question).toMatch(/^Content-Type: application\/rs-metadata-request\r$/m);
  expect(question).toMatch(/^Content-Disposition: recording-session\r$/m);
  dialog.answer(question, '200 OK');
  const contentType = 'application/rs-metadata+xml';
  await dialog.ask({ method: 'UPDATE', cseq: 2, contentType, body: METADATA });
  const { recording } = recorder.current;
  await until(() => recording.updates.some(({ call }) => call !== undefined));
  expect(recording.updates.at(-1)?.call?.participants.map(({ name }) => name)).toEqual(['Alice', 'Bob']);
  await dialog.ask({ method: 'BYE', cseq: 3 });
});
