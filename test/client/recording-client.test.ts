// The client against a scripted SRS: signalling through a fake drachtio-srf, media over real loopback sockets.
import { createSocket, type Socket } from 'node:dgram';
import { expect, onTestFinished, test, vi } from 'vitest';
import { tone } from '../../src/client/audio.ts';
import type { CallPlan, ConnectRequest } from '../../src/client/call-plan.ts';
import { createRecordingClient } from '../../src/client/recording-client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ULAW_TO_LINEAR } from '../../src/render/codecs/g711.ts';
import { RTP_HEADER_OCTETS, RtpHeader, readRtpHeader } from '../../src/rtp/packet.ts';
import { toneLevel } from '../support/listen.ts';
import { type Answer, FakeSrf } from './fake-srf.ts';
import { answerSdp } from './plain-srs.ts';

const parties = [
  { name: 'Alice', aor: 'sip:alice@example.com', audio: tone(440) },
  { name: 'Bob', aor: 'sip:bob@example.com', audio: tone(880) },
];
const request: ConnectRequest = { uri: 'sip:127.0.0.1:5060', parties, seed: 1 };
const plan: CallPlan = { ...request, durationMs: 200 };

interface Ear {
  port: number;
  heard: { header: RtpHeader; payload: Buffer; fromPort: number }[];
}

async function ear(): Promise<Ear> {
  const socket: Socket = createSocket('udp4');
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  onTestFinished(() => new Promise<void>((done) => socket.close(() => done())));
  const heard: Ear['heard'] = [];
  socket.on('message', (packet, { port }) => {
    const header = new RtpHeader();
    if (readRtpHeader(packet, 0, packet.length, header) !== null) throw new Error('no RTP');
    heard.push({ header, payload: packet.subarray(RTP_HEADER_OCTETS), fromPort: port });
  });
  return { port: socket.address().port, heard };
}

async function ears(): Promise<[Ear, Ear]> {
  return [await ear(), await ear()];
}

function clientOf(answer: (index: number) => Answer) {
  const fake = new FakeSrf((_invite, index) => answer(index));
  const client = createRecordingClient({ srf: fake.srf, localHost: '127.0.0.1', clock: systemClock, log: silentLog });
  return { fake, client };
}

const ok = (...ends: Ear[]): Answer => ({ status: 200, body: answerSdp(ends.map(({ port }) => port)) });
/** Waits for it, as long as a busy machine may take. */
const until = (met: () => boolean) => vi.waitUntil(met, { timeout: 8_000, interval: 5 });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const samplesOf = ({ heard }: Ear) =>
  Int16Array.from(heard.flatMap(({ payload }) => [...payload].map((code) => ULAW_TO_LINEAR[code]!)));
const body = (text: string) =>
  text.split('\r\n').filter((line) => /^(o=|m=|a=(sendonly|inactive|recvonly|label))/.test(line));

test('a call: the INVITE of an SRC, each party’s tone at its own port, a BYE, an outcome', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  const outcome = await client.call({ ...plan, durationMs: 500, headers: { 'X-Tenant': 'acme' } });
  expect(outcome).toEqual({
    callId: 'call-0',
    status: 200,
    setUpMs: expect.any(Number),
    streams: ['0', '1'].map((label) => ({
      label,
      packetsSent: expect.any(Number),
      packetsWithheld: 0,
      packetsSkipped: 0,
      sendErrors: 0,
      startedMs: expect.any(Number),
      ssrc: expect.any(Number),
    })),
    ended: 'bye',
    reason: 'ended with BYE',
  });
  expect(fake.invites.map(({ uri, headers }) => ({ uri, headers }))).toEqual([
    {
      uri: 'sip:127.0.0.1:5060',
      headers: {
        From: '<sip:127.0.0.1:5060>',
        To: '<sip:127.0.0.1:5060>',
        Contact: '<sip:src@localhost>;+sip.src',
        Require: 'siprec',
        'User-Agent': 'sipreel recording client',
        'Content-Type': 'multipart/mixed;boundary=OSS-unique-boundary-42',
        'X-Tenant': 'acme',
      },
    },
  ]);
  expect(fake.dialogs[0]!.destroyed).toBe(1);
  // The last packet may still lie in the kernel.
  await sleep(20);
  expect(outcome.streams.map(({ packetsSent }) => packetsSent)).toEqual([left.heard.length, right.heard.length]);
  expect(left.heard.length).toBeGreaterThan(20);
  expect(left.heard.length).toBeLessThan(28);
  expect(toneLevel(samplesOf(left), 8000, 440, 0, 400)).toBeCloseTo(-12, 0);
  expect(toneLevel(samplesOf(right), 8000, 880, 0, 400)).toBeCloseTo(-12, 0);
  expect(toneLevel(samplesOf(left), 8000, 880, 0, 400)).toBeLessThan(-40);
  expect(new Set(left.heard.map(({ header }) => header.ssrc))).toEqual(new Set([outcome.streams[0]!.ssrc]));
  expect(left.heard[0]!.fromPort).not.toBe(right.heard[0]!.fromPort);
  const advertised = /m=audio (\d+)/.exec(fake.invites[0]!.localSdp)![1];
  expect(left.heard[0]!.fromPort).toBe(Number(advertised));
});

test('TCP is asked for in the request URI', async () => {
  const { fake, client } = clientOf(() => ({ status: 503, reason: 'Service Unavailable' }));
  await client.call({ ...plan, transport: 'tcp' });
  await client.call({ ...plan, uri: 'srs.example:5061;transport=tcp', transport: 'tcp' });
  expect(fake.invites.map(({ uri }) => uri)).toEqual([
    'sip:127.0.0.1:5060;transport=tcp',
    'sip:srs.example:5061;transport=tcp',
  ]);
  expect(fake.invites[0]!.headers.Contact).toBe('<sip:src@localhost;transport=tcp>;+sip.src');
});

test('refused, unreachable, without SDP: an outcome each, never an exception', async () => {
  const answers: Answer[] = [
    { status: 503, reason: 'Service Unavailable' },
    { status: 408, reason: 'Request Timeout' },
    { status: 200, body: '' },
  ];
  const { fake, client } = clientOf((index) => answers[index]!);
  const failed = { setUpMs: null, streams: [] };
  expect(await client.call(plan)).toEqual({
    ...failed,
    callId: 'call-0',
    status: 503,
    ended: 'refused',
    reason: '503 Service Unavailable',
  });
  expect(await client.call(plan)).toEqual({
    ...failed,
    callId: 'call-1',
    status: 408,
    ended: 'timeout',
    reason: '408 Request Timeout',
  });
  expect(await client.call(plan)).toEqual({
    ...failed,
    callId: 'call-0',
    status: null,
    ended: 'error',
    reason: 'the answer has no SDP',
  });
  expect(fake.dialogs[0]!.destroyed).toBe(1);
  expect(await client.call({ ...plan, parties: [] })).toMatchObject({ ended: 'error', callId: null });
});

test('a local address that is not ours is an error in words', async () => {
  const fake = new FakeSrf(() => 'never');
  const client = createRecordingClient({ srf: fake.srf, localHost: '192.0.2.1', clock: systemClock, log: silentLog });
  expect(await client.call(plan)).toMatchObject({
    ended: 'error',
    reason: expect.stringContaining('no socket for RTP on 192.0.2.1'),
  });
  expect(fake.invites).toEqual([]);
});

test('no answer in time: CANCEL, and a dialog that comes all the same is ended', async () => {
  const { fake, client } = clientOf(() => 'never');
  expect(await client.call({ ...plan, answerTimeoutMs: 30 })).toMatchObject({
    callId: 'call-0',
    status: null,
    ended: 'timeout',
    reason: 'no final response within 30 ms',
  });
  expect(fake.cancels).toBe(1);
  fake.onCancel = () => fake.lateAnswer(answerSdp([4000, 4002]));
  expect(await client.call({ ...plan, answerTimeoutMs: 30 })).toMatchObject({ ended: 'timeout' });
  expect(fake.dialogs.map(({ destroyed }) => destroyed)).toEqual([1]);
});

test('the signal cancels before the answer and ends the call after it', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf((index) => (index === 0 ? 'never' : ok(left, right)));
  const cancelled = client.call({ ...plan, signal: AbortSignal.timeout(30) });
  expect(await cancelled).toMatchObject({ ended: 'cancelled', status: null });
  expect(fake.cancels).toBe(1);
  const began = performance.now();
  expect(await client.call({ ...plan, durationMs: 10_000, signal: AbortSignal.timeout(60) })).toMatchObject({
    ended: 'bye',
  });
  expect(performance.now() - began).toBeLessThan(2000);
  expect(await client.call({ ...plan, signal: AbortSignal.abort() })).toMatchObject({
    ended: 'cancelled',
    callId: null,
  });
  expect(fake.invites).toHaveLength(2);
});

test('BYE from the SRS ends the media at once', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  const call = client.call({ ...plan, durationMs: 10_000 });
  await until(() => left.heard.length > 0);
  fake.dialogs[0]!.emit('destroy', { get: () => undefined }, 'recorder is full');
  expect(await call).toMatchObject({ ended: 'remote-bye', status: 200, reason: 'recorder is full' });
  await sleep(10);
  const count = left.heard.length;
  await sleep(60);
  expect(left.heard.length).toBe(count);
  expect(fake.dialogs[0]!.destroyed).toBe(0);
});

test('hold stops one party and says inactive; resume brings it back from a new port with the same SSRC', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  const answer = answerSdp([left.port, right.port]);
  fake.inDialog = ({ body: offer }) => ({
    status: 200,
    body: offer.includes('a=inactive') ? answer.replace(/a=recvonly(?=\r\na=label:1)/, 'a=inactive') : answer,
  });
  const session = await client.connect({ ...request, originVersions: 'counting' });
  onTestFinished(() => session.bye());
  await until(() => right.heard.length > 1);
  expect(await session.hold('1')).toMatchObject({ status: 200 });
  await sleep(5);
  const heldAt = right.heard.length;
  const leftAt = left.heard.length;
  await until(() => left.heard.length > leftAt + 4);
  expect(right.heard.length).toBe(heldAt);
  expect(session.answer[1]).toEqual({ label: '1', destination: null });
  expect(await session.resume('1')).toMatchObject({ status: 200 });
  await until(() => right.heard.length > heldAt + 1);
  const [before, after] = [right.heard[heldAt - 1]!, right.heard[heldAt]!];
  expect(after.fromPort).not.toBe(before.fromPort);
  expect(after.header.ssrc).toBe(before.header.ssrc);
  expect(after.header.marker).toBe(true);
  expect((after.header.sequenceNumber - before.header.sequenceNumber) & 0xffff).toBeGreaterThan(4);
  const offers = fake.dialogs[0]!.sent;
  expect(offers.map(({ method, headers }) => ({ method, headers }))).toEqual(
    Array(2).fill({
      method: 'INVITE',
      headers: {
        'Content-Type': 'multipart/mixed;boundary=OSS-unique-boundary-42',
        Contact: '<sip:src@127.0.0.1:5070>;+sip.src',
        Require: 'siprec',
      },
    }),
  );
  const [first, hold, resume] = [fake.invites[0]!.localSdp, ...offers.map(({ body: offer }) => offer)].map(body);
  const origin = first![0]!;
  expect(hold).toEqual(first!.with(0, origin.replace(' 0 IN', ' 1 IN')).with(5, 'a=inactive'));
  expect(resume).toEqual(first!.with(0, origin.replace(' 0 IN', ' 2 IN')));
  const metadata = (text: string) => text.slice(text.indexOf('<?xml'));
  expect(metadata(offers[0]!.body)).toBe(metadata(fake.invites[0]!.localSdp));
});

test('a refused hold: the party goes on talking', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  fake.inDialog = () => ({ status: 491 });
  const session = await client.connect(request);
  onTestFinished(() => session.bye());
  expect(await session.hold('1')).toMatchObject({ status: 491 });
  const count = right.heard.length;
  await until(() => right.heard.length > count + 1);
  expect(() => session.sendDtmf('7', '1')).toThrow(RangeError);
});

test('the answer decides: one stream refused, the other moved by a later answer', async () => {
  const [left, right] = await ears();
  const elsewhere = await ear();
  const { fake, client } = clientOf(() => ({ status: 200, body: answerSdp([left.port, 0]) }));
  const session = await client.connect(request);
  onTestFinished(() => session.bye());
  await until(() => left.heard.length > 1);
  expect(right.heard.length).toBe(0);
  fake.inDialog = () => ({ status: 200, body: answerSdp([elsewhere.port, right.port]) });
  await session.refresh();
  const count = left.heard.length;
  await until(() => elsewhere.heard.length > 1 && right.heard.length > 1);
  expect(left.heard.length).toBeLessThanOrEqual(count + 1);
  // Started late, yet on the same grid of packets as its sibling.
  expect(session.streams[1]!.packetsSkipped).toBe(0);
});

test('re-INVITE and UPDATE from the SRS: media follows, the answer is SDP alone', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  const session = await client.connect(request);
  onTestFinished(() => session.bye());
  const [dialog] = fake.dialogs;
  const paused = answerSdp([left.port, right.port]).replaceAll('a=recvonly', 'a=inactive');
  const answer = await dialog!.receive('modify', paused);
  expect(answer.status).toBe(200);
  expect(body(answer.body!).filter((line) => line.startsWith('a='))).toEqual([
    'a=inactive',
    'a=label:0',
    'a=inactive',
    'a=label:1',
  ]);
  expect(answer.body).toMatch(/^v=0\r\n/);
  await sleep(5);
  const count = left.heard.length;
  await sleep(50);
  expect(left.heard.length).toBe(count);
  expect(body((await dialog!.receive('update', answerSdp([left.port, right.port]))).body!)).toContain('a=sendonly');
  await until(() => left.heard.length > count);
  expect(await dialog!.receive('update', '')).toEqual({ status: 200 });
});

test('requests inside the dialog, DTMF, planned hold', async () => {
  const [left, right] = await ears();
  const { fake, client } = clientOf(() => ok(left, right));
  const answer = answerSdp([left.port, right.port]);
  fake.inDialog = ({ method }) => (method === 'INVITE' ? { status: 200, body: answer } : { status: 200 });
  const session = await client.connect(request);
  await session.info('Signal=5', 'application/dtmf-relay');
  await session.update();
  await session.modify('<x/>', 'application/rs-metadata+xml');
  await session.bye();
  await session.bye();
  expect(await session.ended).toEqual({ by: 'bye', reason: 'ended with BYE' });
  expect(fake.dialogs[0]!.destroyed).toBe(1);
  const contact = '<sip:src@127.0.0.1:5070>;+sip.src';
  expect(fake.dialogs[0]!.sent).toEqual([
    { method: 'INFO', headers: { 'Content-Type': 'application/dtmf-relay' }, body: 'Signal=5' },
    { method: 'UPDATE', headers: { Contact: contact }, body: '' },
    {
      method: 'INVITE',
      headers: { 'Content-Type': 'application/rs-metadata+xml', Contact: contact, Require: 'siprec' },
      body: '<x/>',
    },
  ]);
  const outcome = await client.call({
    ...plan,
    durationMs: 400,
    dtmf: { digits: '1', atMs: 40 },
    hold: { atMs: 60, forMs: 60 },
  });
  expect(outcome).toMatchObject({ ended: 'bye', reason: 'ended with BYE' });
  expect(left.heard.some(({ header }) => header.payloadType === 101)).toBe(true);
  expect(fake.dialogs[1]!.sent.map(({ body: offer }) => offer.includes('a=inactive'))).toEqual([true, false]);
  const clumsy = await client.call({ ...plan, dtmf: { digits: 'x', atMs: 10 } });
  expect(clumsy).toMatchObject({ ended: 'bye', reason: 'ended with BYE; DTMF: not a DTMF digit: X' });
});

test('nobody receives: errors are counted, the call goes on', async () => {
  const [left, right] = await ears();
  const gone = createSocket('udp4');
  await new Promise<void>((done) => gone.bind(0, '127.0.0.1', done));
  const { port } = gone.address();
  await new Promise<void>((done) => gone.close(() => done()));
  const { client } = clientOf(() => ({ status: 200, body: answerSdp([left.port, port]) }));
  const outcome = await client.call({ ...plan, parties: [...parties, parties[0]!] });
  expect(outcome.ended).toBe('bye');
  expect(outcome.streams.map(({ sendErrors }) => sendErrors > 3)).toEqual([false, true, false]);
  expect(outcome.streams[2]!.packetsSent).toBe(0);
  expect(left.heard.length).toBeGreaterThan(5);
  expect(right.heard).toEqual([]);
});
