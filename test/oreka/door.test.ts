// The door with real sockets on loopback; FreeSWITCH and the recorder are played.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createOrekaDoor, type OrekaDoor, type OrekaDoorOptions } from '../../src/oreka/door.ts';
import type { Endpoint } from '../../src/oreka/listener.ts';
import { FakeRecorder } from './fake-recorder.ts';
import { bye, captured, invite } from './texts.ts';

let recorder: FakeRecorder;
let cleanups: (() => unknown)[];

beforeEach(() => {
  recorder = new FakeRecorder();
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
});

async function open(options: Partial<OrekaDoorOptions> = {}): Promise<{ door: OrekaDoor; addresses: Endpoint[] }> {
  const listeners = [{ host: '127.0.0.1', port: 0 }];
  const door = createOrekaDoor({ recorder, listeners, clock: systemClock, log: silentLog, ...options });
  cleanups.push(() => door.close());
  return { door, addresses: await door.start() };
}

async function freeswitch(host = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket('udp4');
  cleanups.push(() => socket.close());
  socket.bind(0, host);
  await once(socket, 'listening');
  return socket;
}

async function until(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition() && waitedMs < 5_000; waitedMs += 5)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}

const send = (socket: Socket, datagram: Buffer, to: Endpoint) =>
  new Promise((sent) => socket.send(datagram, to.port, to.host, sent));

describe('a captured call', () => {
  test('becomes a recording, and nothing is answered', async () => {
    const { door, addresses } = await open();
    const pbx = await freeswitch();
    const answers: Buffer[] = [];
    pbx.on('message', (answer) => answers.push(answer));
    const files = ['001-INVITE-RX', '002-INVITE-TX', '003-BYE-RX', '004-BYE-TX'];
    for (const file of files.slice(0, 2)) await send(pbx, captured(`normal/sip-${file}`), addresses[0]!);
    await until(() => recorder.recordings[0]?.streams.length === 2);
    expect(recorder.ports.map(({ address }) => address)).toEqual([
      { host: '127.0.0.1', port: 18_756, sourceHost: '127.0.0.40' },
      { host: '127.0.0.1', port: 21_210, sourceHost: '127.0.0.40' },
    ]);
    expect(door.calls).toBe(1);
    for (const file of files.slice(2)) await send(pbx, captured(`normal/sip-${file}`), addresses[0]!);
    await until(() => recorder.recording.stops.length > 0);
    const { recording } = recorder;
    expect([recording.stops, door.calls, door.counters.datagrams, answers]).toEqual([['ended'], 0, 4, []]);
    expect(recording.journal.map(({ message }) => Buffer.from(message))).toEqual(
      files.map((file) => captured(`normal/sip-${file}`)),
    );
    expect(recording.journal[0]).toMatchObject({
      direction: 'received',
      local: addresses[0],
      remote: { host: '127.0.0.1', port: pbx.address().port },
    });
  });

  test('answered with 200 if configured', async () => {
    const { addresses } = await open({ answer: true });
    const pbx = await freeswitch();
    const answered = once(pbx, 'message');
    await send(pbx, invite({ to: '10\r\n02' }), addresses[0]!);
    const [answer] = (await answered) as [Buffer];
    expect(answer.toString()).toBe(
      [
        'SIP/2.0 200 OK',
        'Via: SIP/2.0/UDP 127.0.0.40:5061;branch=z9hG4bK-07cebeeb-b06d-4704-a6c2-f247c7ec4370',
        'From: <sip:2001@127.0.0.40:5061;tag=1>',
        'To: <sip:10;tag=recorder',
        'Call-ID: 07cebeeb-b06d-4704-a6c2-f247c7ec4370',
        'CSeq: 1 INVITE',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
    await until(() => recorder.recordings[0]?.journal.length === 2);
    expect(recorder.recording.journalLines).toEqual(['< BEGIN RX', '> SIP/2.0 200 OK']);
  });
});

test('only allowed sources are read', async () => {
  const { door, addresses } = await open({ allowedSources: ['127.0.0.41'] });
  await send(await freeswitch('127.0.0.40'), invite({ callId: 'stranger' }), addresses[0]!);
  await send(await freeswitch('127.0.0.41'), invite({ callId: 'friend' }), addresses[0]!);
  await until(() => recorder.recordings.length === 1);
  expect(recorder.recording.call.identifiers.sipCallId).toBe('friend');
  expect([door.counters.refusedSources, door.counters.datagrams]).toEqual([{ '127.0.0.40': 1 }, 1]);
});

test('what is no mod_oreka text is counted by reason', async () => {
  const { door, addresses } = await open();
  const pbx = await freeswitch();
  for (const text of ['\r\n\r\n', '\r\n', 'OPTIONS sip:a SIP/2.0\r\nCall-ID: a\r\n\r\n', 'x'.repeat(65_000)])
    await send(pbx, Buffer.from(text), addresses[0]!);
  await send(pbx, bye(), addresses[0]!);
  await until(() => door.counters.datagrams === 5);
  expect(door.counters).toEqual({
    datagrams: 5,
    refusedSources: {},
    unreadable: { empty: 2, 'other-method': 1, 'no-start-line': 1 },
    started: 0,
    refused: 0,
    duplicateInvites: 0,
    excessiveInvites: 0,
    byesWithoutInvite: 1,
    portsUnavailable: 0,
  });
});

test('several addresses, IPv6 among them', async () => {
  const { addresses } = await open({
    listeners: [
      { host: '127.0.0.1', port: 0 },
      { host: '::1', port: 0 },
    ],
  });
  const pbx = createSocket('udp6');
  cleanups.push(() => pbx.close());
  await send(await freeswitch(), invite({ callId: 'four' }), addresses[0]!);
  await send(pbx, invite({ callId: 'six', host: '::1' }), addresses[1]!);
  await until(() => recorder.recordings.length === 2);
  const peers = Object.fromEntries(
    recorder.recordings.map(({ request }) => [request.call.identifiers.sipCallId, request.peer]),
  );
  expect(peers.four).toMatch(/^udp:127\.0\.0\.1:\d+$/);
  expect(peers.six).toBe(`udp:[::1]:${pbx.address().port}`);
});

test('a datagram longer than a network packet', async () => {
  const { addresses } = await open();
  await send(await freeswitch(), invite({ headers: [`X-Long: ${'v'.repeat(5_000)}`] }), addresses[0]!);
  await until(() => recorder.recordings.length === 1);
  expect(recorder.recording.call.extraHeaders).toEqual([{ name: 'X-Long', value: 'v'.repeat(5_000) }]);
});

describe('start and close', () => {
  test('an address that is taken: LISTEN_FAILED names it, and nothing stays bound', async () => {
    const taken = await freeswitch();
    const free = await freeswitch();
    const freePort = free.address().port;
    await new Promise<void>((closed) => free.close(() => closed()));
    cleanups.pop();
    const listeners = [
      { host: '127.0.0.1', port: freePort },
      { host: '127.0.0.1', port: taken.address().port },
    ];
    const door = createOrekaDoor({ recorder, listeners, clock: systemClock, log: silentLog });
    await expect(door.start()).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining(`mod_oreka listener udp:127.0.0.1:${taken.address().port}: EADDRINUSE`),
    });
    const again = createSocket('udp4');
    again.bind(freePort, '127.0.0.1');
    await once(again, 'listening');
    again.close();
    await door.close();
  });

  test('close stops the recordings, then the port is free; twice is harmless', async () => {
    const { door, addresses } = await open();
    await send(await freeswitch(), invite(), addresses[0]!);
    await until(() => recorder.recordings.length === 1);
    await Promise.all([door.close(), door.close()]);
    expect([recorder.recording.stops, door.calls]).toEqual([['stopped'], 0]);
    const again = createSocket('udp4');
    again.bind(addresses[0]!.port, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });

  test('an allowed source that is none is refused before anything is opened', () => {
    const build = () =>
      createOrekaDoor({ recorder, listeners: [], allowedSources: ['pbx'], clock: systemClock, log: silentLog });
    expect(build).toThrow('pbx');
  });
});
