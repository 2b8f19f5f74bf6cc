// The processes that the capture bench measures and feeds: a bare receiver, the capture engine, a paced RTP sender.
import { createSocket, type Socket } from 'node:dgram';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCapture } from '../../src/capture/capture-engine.ts';
import { RTP_HEADER_OCTETS, writeRtpHeader } from '../../src/rtp/packet.ts';

const PAYLOAD_OCTETS = 160;

async function bareReceiver(recordings: number): Promise<void> {
  let packets = 0;
  const sockets = await Promise.all(Array.from({ length: recordings * 2 }, () => boundSocket()));
  for (const socket of sockets) {
    socket.on('message', () => {
      packets++;
    });
  }
  await measured(
    sockets.map((socket) => socket.address().port),
    async () => packets,
    async () => {
      for (const socket of sockets) socket.close();
      return 0;
    },
  );
}

async function captureReceiver(recordings: number, directory: string, receiver: 'dgram' | 'linux'): Promise<void> {
  const portRange = { first: 20_000, last: 32_000 };
  const capture = createCapture({ bindAddress: '127.0.0.1', portRange, workers: 1, receiver });
  const events = {
    interrupted: (_: number, reason: string) => console.error('interrupted', reason),
    resumed: () => {},
    storageFailed: (reason: string) => console.error(reason),
  };
  const paths: string[] = [];
  const ports: number[] = [];
  const sessions = await Promise.all(
    Array.from({ length: recordings }, async (_, i) => {
      const path = join(directory, `${process.pid}-${i}.pcapng`);
      paths.push(path);
      const session = await capture.open(`r${i}`, path, events);
      const formats = [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, channels: 1, fmtp: null }];
      for (const label of ['0', '1']) {
        ports.push((await session.addStream({ streamId: `s${label}`, label, formats, receiving: true })).rtpPort);
      }
      return session;
    }),
  );
  const packets = async (): Promise<number> => {
    const statistics = (await Promise.all(sessions.map((session) => session.statistics()))).flatMap(Object.values);
    return statistics.reduce((sum, stream) => sum + stream.packets, 0);
  };
  await measured(ports, packets, async () => {
    await Promise.all(sessions.map((session) => session.seal()));
    await capture.close();
    return paths.reduce((sum, path) => sum + statSync(path).size, 0);
  });
}

/** Tells the ports and, at the word, counts packets and CPU time from `begin` to `stop`. */
async function measured(ports: number[], packets: () => Promise<number>, close: () => Promise<number>): Promise<void> {
  process.send!({ ports });
  await new Promise((resolve) => process.once('message', resolve));
  const packetsBefore = await packets();
  const before = process.cpuUsage();
  await new Promise((resolve) => process.once('message', resolve));
  const { user, system } = process.cpuUsage(before);
  const allPackets = await packets();
  const journalOctets = await close();
  process.send!({ packets: allPackets - packetsBefore, allPackets, cpuUs: user + system, journalOctets });
  process.disconnect();
}

async function sender(packetsPerSecond: number, warmUpSeconds: number, seconds: number): Promise<void> {
  const { ports } = await new Promise<{ ports: number[] }>((resolve) => process.once('message', resolve));
  const sockets = await Promise.all(
    ports.map(async (port) => {
      const socket = await boundSocket();
      await new Promise<void>((resolve) => socket.connect(port, '127.0.0.1', resolve));
      return socket;
    }),
  );
  const packets = ports.map(() => Buffer.alloc(RTP_HEADER_OCTETS + PAYLOAD_OCTETS, 0xd5));
  const warmUpTicks = packetsPerSecond * warmUpSeconds;
  const ticks = warmUpTicks + packetsPerSecond * seconds;
  const startMs = performance.now();
  let sent = 0;
  for (let tick = 0; tick < ticks; tick++) {
    if (tick === warmUpTicks) process.send!({ warm: true });
    for (let i = 0; i < sockets.length; i++) {
      // Spread over the tick, a few streams at a time, as calls are.
      if (i % 8 === 0) {
        const waitMs = startMs + ((tick + i / sockets.length) * 1000) / packetsPerSecond - performance.now();
        if (waitMs > 1) await sleep(waitMs);
      }
      const packet = packets[i]!;
      writeRtpHeader(packet, 0, {
        marker: tick === 0,
        payloadType: 0,
        sequenceNumber: tick & 0xffff,
        rtpTime: tick * PAYLOAD_OCTETS,
        ssrc: 0x10000 + i,
      });
      sockets[i]!.send(packet);
      sent++;
    }
  }
  await sleep(200);
  for (const socket of sockets) socket.close();
  process.send!({ sent });
  process.disconnect();
}

function boundSocket(): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 512 << 10 });
  return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(socket)));
}

const [role, first, second, third] = process.argv.slice(2);
if (role === 'dgram') await bareReceiver(Number(first));
else if (role === 'capture') await captureReceiver(Number(first), second!, 'dgram');
else if (role === 'linux') await captureReceiver(Number(first), second!, 'linux');
else if (role === 'sender') await sender(Number(first), Number(second), Number(third));
