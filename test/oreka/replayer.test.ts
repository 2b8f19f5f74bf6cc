// The played FreeSWITCH against the door: what it sends is what was captured, from the addresses it claims.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { createOrekaDoor } from '../../src/oreka/door.ts';
import { replayOrekaCall } from '../peers/oreka-replayer.ts';
import { FakeRecorder } from './fake-recorder.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function bound(port: number): Promise<{ packets: { from: string; payload: Buffer }[] }> {
  const socket = createSocket('udp4');
  const packets: { from: string; payload: Buffer }[] = [];
  socket.on('message', (payload, { address, port: source }) => packets.push({ from: `${address}:${source}`, payload }));
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  cleanups.push(() => socket.close());
  return { packets };
}

test('a second of a call, rewritten, with lost and repeated texts', async () => {
  const recorder = new FakeRecorder();
  const listeners = [{ host: '127.0.0.1', port: 0 }];
  const door = createOrekaDoor({ recorder, listeners, answer: true, clock: systemClock, log: silentLog });
  cleanups.push(() => door.close());
  const [to] = await door.start();
  const rx = await bound(18_756 + 1_000);
  const tx = await bound(21_210 + 1_000);
  const beganMs = performance.timeOrigin + performance.now();
  const replay = await replayOrekaCall({
    capture: 'normal',
    to: to!,
    sourceHost: '127.0.0.42',
    mediaHost: '127.0.0.43',
    portOffset: 1_000,
    callId: 'replayed',
    lose: ['INVITE TX'],
    repeat: ['INVITE RX'],
    signal: AbortSignal.timeout(1_000),
  });
  expect(replay.callId).toBe('replayed');
  expect(replay.texts.map((text) => text.name)).toEqual(['INVITE RX', 'INVITE RX']);
  expect(replay.texts[0]!.atMs).toBeGreaterThanOrEqual(beganMs);
  expect(replay.answers).toHaveLength(2);
  expect(replay.sent.rx.length).toBeGreaterThan(40);
  expect(rx.packets.map((packet) => packet.payload)).toEqual(replay.sent.rx.map((packet) => packet.payload));
  expect(tx.packets.map((packet) => packet.payload)).toEqual(replay.sent.tx.map((packet) => packet.payload));
  expect(new Set(rx.packets.map((packet) => packet.from))).toEqual(new Set(['127.0.0.43:19756']));
  expect(new Set(tx.packets.map((packet) => packet.from))).toEqual(new Set(['127.0.0.43:22210']));
  // Captured 20 ms apart.
  const lastedMs = replay.sent.rx.at(-1)!.atMs - replay.sent.rx[0]!.atMs;
  expect(Math.abs(lastedMs - (replay.sent.rx.length - 1) * 20)).toBeLessThan(60);

  const { request, stops } = recorder.recording;
  expect([door.calls, door.counters.duplicateInvites, stops]).toEqual([1, 1, []]);
  expect(request.peer).toMatch(/^udp:127\.0\.0\.42:\d+$/);
  expect(request.call.identifiers.sipCallId).toBe('replayed');
  expect(request.call.identifiers.vendor['freeswitch-address']).toBe('127.0.0.43');
  expect(recorder.ports.map((port) => port.address)).toEqual([
    { host: '127.0.0.1', port: 19_756, sourceHost: '127.0.0.43' },
  ]);
});
