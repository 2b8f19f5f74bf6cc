// The client behind the embedded SIP server: what an SRS sees on the wire, over UDP and TCP, and many calls at once.
import { createSocket } from 'node:dgram';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { tone, tonePair } from '../../src/client/audio.ts';
import type { ConnectRequest } from '../../src/client/call-plan.ts';
import { campaignSucceeded, runCampaign } from '../../src/client/campaign.ts';
import { createRecordingClient, type RecordingClient } from '../../src/client/recording-client.ts';
import type { ClientSrf } from '../../src/client/srf.ts';
import { connectDrachtio, type DrachtioConnection } from '../../src/drachtio/connection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { ULAW_TO_LINEAR } from '../../src/render/codecs/g711.ts';
import { createSipServer, type SipServer } from '../../src/sip-server/index.ts';
import { toneLevel } from '../support/listen.ts';
import { answerSdp, plainSrs, type ReceivedPacket } from './plain-srs.ts';

const [left, right] = tonePair();
const parties: ConnectRequest['parties'] = [
  { name: 'Jürgen "JJ" <Müller> & Söhne', aor: 'sip:jj@example.com', audio: left },
  { name: 'Bob', aor: 'sip:bob@example.com', audio: right },
];
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Signalling {
  server: SipServer;
  connection: DrachtioConnection;
  ports: Record<string, number>;
}

async function embedded(): Promise<Signalling> {
  const secret = 'of the test';
  const server = createSipServer({
    listeners: [
      { transport: 'udp', host: '127.0.0.1', port: 0 },
      { transport: 'tcp', host: '127.0.0.1', port: 0 },
    ],
    admin: { host: '127.0.0.1', port: 0, secret },
  });
  const { admin, listeningPoints } = await server.start();
  const connection = await connectDrachtio({ ...admin, secret, log: silentLog, patienceMs: 0 });
  return {
    server,
    connection,
    ports: Object.fromEntries(listeningPoints.map(({ transport, port }) => [transport, port])),
  };
}

async function close({ server, connection }: Signalling): Promise<void> {
  await connection.close();
  await server.close();
}

let ours: Signalling;
let client: RecordingClient;
beforeAll(async () => {
  ours = await embedded();
  const srf = ours.connection.srf as unknown as ClientSrf;
  client = createRecordingClient({ srf, localHost: '127.0.0.1', clock: systemClock, log: silentLog });
});
afterAll(() => close(ours));

const header = (request: string | undefined, name: string) =>
  request
    ?.split('\r\n')
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    ?.slice(name.length + 1)
    .trim();
const methods = (requests: string[]) => requests.map((request) => request.slice(0, request.indexOf(' ')));
const samplesOf = (packets: ReceivedPacket[]) =>
  Int16Array.from(packets.flatMap(({ packet }) => [...packet.subarray(12)].map((code) => ULAW_TO_LINEAR[code]!)));

describe.each(['udp', 'tcp'] as const)('over %s', (transport) => {
  test('an SRS sees an OpenSIPS-like SRC: INVITE, hold, INFO, BYE, and hears both tones', async () => {
    const srs = await plainSrs(transport);
    onTestFinished(() => srs.close());
    const target = `sip:127.0.0.1:${srs.port}${transport === 'tcp' ? ';transport=tcp' : ''}`;
    const session = await client.connect({
      uri: `sip:127.0.0.1:${srs.port}`,
      transport,
      parties,
      headers: { 'X-Tenant': 'acme' },
    });
    await sleep(300);
    expect(await session.hold('1')).toMatchObject({ status: 200 });
    expect(await session.info('Signal=5', 'application/dtmf-relay')).toMatchObject({ status: 200 });
    await session.bye();
    await sleep(20);

    const [invite, ack, hold, , info, bye] = srs.requests;
    expect(methods(srs.requests)).toEqual(['INVITE', 'ACK', 'INVITE', 'ACK', 'INFO', 'BYE']);
    expect(invite).toContain(`INVITE ${target} SIP/2.0\r\n`);
    expect(header(invite, 'To')).toBe(`<${target}>`);
    expect(header(invite, 'From')).toMatch(/;tag=.+/);
    expect(header(invite, 'From')!.split(';tag=')[0]).toBe(`<${target}>`);
    expect(header(invite, 'Require')).toBe('siprec');
    expect(header(invite, 'X-Tenant')).toBe('acme');
    expect(header(invite, 'Content-Type')).toBe('multipart/mixed;boundary=OSS-unique-boundary-42');
    const contact = `<sip:src@127.0.0.1:${ours.ports[transport]}${transport === 'tcp' ? ';transport=tcp' : ''}>;+sip.src`;
    expect([invite, hold].map((request) => header(request, 'Contact'))).toEqual([contact, contact]);
    expect(new Set([invite, ack, hold, info, bye].map((request) => header(request, 'Call-ID')))).toEqual(
      new Set([session.callId]),
    );
    // Octets on the wire, not characters: the names are not ASCII.
    const body = invite!.slice(invite!.indexOf('\r\n\r\n') + 4);
    expect(Number(header(invite, 'Content-Length'))).toBe(
      Buffer.byteLength(body, transport === 'tcp' ? 'latin1' : 'utf8'),
    );
    expect(body.endsWith('--OSS-unique-boundary-42--\r\n')).toBe(true);
    expect(hold).toContain('a=inactive\r\na=label:1');

    expect(srs.received.map((packets) => packets.length)).toEqual(
      session.streams.map(({ packetsSent }) => packetsSent),
    );
    expect(toneLevel(samplesOf(srs.received[0]!), 8000, 440, 0, 250)).toBeCloseTo(-12, 0);
    expect(toneLevel(samplesOf(srs.received[1]!), 8000, 880, 0, 250)).toBeCloseTo(-12, 0);
  });

  test('a refusal, and an INVITE that is never answered', async () => {
    const busy = await plainSrs(transport, {
      status: (method) => (method === 'INVITE' ? '503 Service Unavailable' : '200 OK'),
    });
    onTestFinished(() => busy.close());
    const call = { parties, transport, durationMs: 100 };
    expect(await client.call({ ...call, uri: `sip:127.0.0.1:${busy.port}` })).toMatchObject({
      status: 503,
      ended: 'refused',
      reason: '503 Service Unavailable',
      callId: header(busy.requests[0], 'Call-ID'),
    });
    const mute = await plainSrs(transport, { status: (method) => (method === 'INVITE' ? null : '200 OK') });
    onTestFinished(() => mute.close());
    const began = performance.now();
    expect(await client.call({ ...call, uri: `sip:127.0.0.1:${mute.port}`, answerTimeoutMs: 200 })).toMatchObject({
      status: null,
      ended: 'timeout',
      callId: header(mute.requests[0], 'Call-ID'),
    });
    expect(performance.now() - began).toBeLessThan(4000);
  });
});

test('twenty calls a second against a server of the same kind: all answered, every packet arrives', async () => {
  const theirs = await embedded();
  onTestFinished(() => close(theirs));
  let packets = 0;
  // One socket hears eighty streams: its buffer has to hold what comes while this process does something else.
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 }, () => packets++);
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  onTestFinished(() => new Promise<void>((done) => socket.close(() => done())));
  const { port } = socket.address();
  let ended = 0;
  const { srf } = theirs.connection;
  srf.invite((request, response) => {
    void srf.createUAS(request, response, { localSdp: answerSdp([port, port]) }).then((dialog) => {
      dialog.on('destroy', () => ended++);
    });
  });
  const call = {
    uri: `sip:127.0.0.1:${theirs.ports.udp}`,
    durationMs: 1000,
    parties: [parties[0]!, { name: null, aor: 'sip:b', audio: tone(880) }],
  };
  const summary = await runCampaign(client, { calls: 40, ratePerSecond: 20, plan: () => call }, systemClock);
  await sleep(20);
  expect(summary).toMatchObject({ attempted: 40, answered: 40, failed: {}, packetsSkipped: 0, sendErrors: 0 });
  expect(campaignSucceeded(summary)).toBe(true);
  expect(ended).toBe(40);
  expect(packets).toBe(summary.packetsSent);
  expect(packets).toBeGreaterThan(40 * 2 * 47);
  expect(packets).toBeLessThan(40 * 2 * 54);
  expect(summary.setUpMs!.p50).toBeLessThan(200);
  expect([ours.server.statistics().dialogs, theirs.server.statistics().dialogs]).toEqual([0, 0]);
});
