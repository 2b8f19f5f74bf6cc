import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { createCapture } from '../../src/capture/capture-engine.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readRtcp } from '../../src/rtp/rtcp.ts';
import { readJournal } from '../journal/read-journal.ts';
import {
  newSender,
  noteEvents,
  onEachReceiver,
  sleep,
  someRange,
  startCapture,
  streamSpec,
  until,
} from './capture-under-test.ts';
import { rtp, STUN, senderReport } from './packets.ts';

const count = (directory: string) => readdirSync(directory).length;
const numbers = (first: number, length: number) => Array.from({ length }, (_, i) => first + i);

/** Whether this program can bind the port now. */
async function isFree(port: number): Promise<boolean> {
  try {
    await (await newSender('127.0.0.1', port)).close();
    return true;
  } catch {
    return false;
  }
}

onEachReceiver('a recording from socket to journal', () => {
  test('RTP, RTCP and SIP: everything in order with times and addresses; the statistics are what was sent', async () => {
    const { capture, portRange, journalPath } = await startCapture({ localHost: '192.0.2.9' });
    const events = noteEvents();
    const session = await capture.open('r1', journalPath('r1'), events);
    const addresses = [await session.addStream(streamSpec('s0')), await session.addStream(streamSpec('s1'))];
    for (const { rtpPort, rtcpPort } of addresses) {
      expect([rtpPort % 2, rtcpPort]).toEqual([0, rtpPort + 1]);
      expect(rtpPort >= portRange.first && rtcpPort <= portRange.last).toBe(true);
      expect([await isFree(rtpPort), await isFree(rtcpPort)]).toEqual([false, false]);
    }
    const senders = [await newSender(), await newSender()];
    const control = await newSender();
    const invite = Buffer.from('INVITE sip:recorder@192.0.2.9 SIP/2.0\r\n\r\n');
    const beforeMs = systemClock.nowMs();
    session.writeSip({
      timeMs: beforeMs,
      direction: 'received',
      transport: 'udp',
      local: { host: '192.0.2.9', port: 5060 },
      remote: { host: '10.0.0.1', port: 5060 },
      message: invite,
    });
    const sent: Buffer[][] = [[], []];
    for (let seq = 0; seq < 100; seq++) {
      for (const [i, sender] of senders.entries()) {
        // Both with the same SSRC, as test callers do.
        const packet = rtp({ seq: 65_500 + seq, rtpTime: seq * 160, octets: 100 + i });
        sent[i]!.push(packet);
        await sender.send(packet, addresses[i]!.rtpPort);
      }
      await sleep(1);
    }
    await control.send(senderReport({ ssrc: 0xca110000 }), addresses[0]!.rtcpPort);
    await senders[1]!.send(STUN, addresses[1]!.rtpPort);
    const statistics = await session.seal();
    const afterMs = systemClock.nowMs();

    const { packets, interfaces, truncated } = readJournal(journalPath('r1'));
    expect(truncated).toBe(false);
    expect(interfaces.map(({ name, description }) => [name, description])).toEqual([
      ['s0', 'label 0'],
      ['s1', 'label 1'],
      ['sip', 'SIP signalling'],
    ]);
    for (const i of [0, 1]) {
      const own = packets.filter(({ interfaceName }) => interfaceName === `s${i}`);
      const media = own.filter(({ destination }) => destination === `192.0.2.9:${addresses[i]!.rtpPort}`);
      expect(media.map(({ payload }) => payload)).toEqual(sent[i]!.map((packet) => packet.toString('latin1')));
      expect(new Set(media.map(({ source }) => source))).toEqual(new Set([`127.0.0.1:${senders[i]!.port}`]));
      const times = media.map(({ timeMs }) => timeMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times[0]! > beforeMs - 1 && times.at(-1)! < afterMs + 1).toBe(true);
      expect(times.at(-1)! - times[0]!).toBeGreaterThan(95);
      expect(own.length - media.length).toBe(1 - i);
      expect(statistics[`s${i}`]).toEqual({
        packets: 100,
        octets: 100 * (100 + i),
        lost: 0,
        duplicates: 0,
        reordered: 0,
        jitterMs: expect.any(Number),
        rtcpPackets: 1 - i,
        ssrcs: [0xca110000],
        payloadTypes: { 0: 100 },
        sources: [`127.0.0.1:${senders[i]!.port}`],
        firstPacketMs: expect.closeTo(times[0]!, 3),
        lastPacketMs: expect.closeTo(times.at(-1)!, 3),
        drops: i === 1 ? { stun: 1 } : {},
        ...(process.platform === 'linux' && { kernelDrops: 0 }),
      });
    }
    expect(packets.filter(({ destination }) => destination.endsWith(`:${addresses[0]!.rtcpPort}`))).toMatchObject([
      {
        interfaceName: 's0',
        source: `127.0.0.1:${control.port}`,
        payload: senderReport({ ssrc: 0xca110000 }).toString('latin1'),
      },
    ]);
    expect(packets.filter(({ interfaceName }) => interfaceName === 'sip')).toEqual([
      {
        interfaceName: 'sip',
        timeMs: expect.closeTo(beforeMs, 3),
        protocol: 'udp',
        source: '10.0.0.1:5060',
        destination: '192.0.2.9:5060',
        payload: invite.toString('latin1'),
      },
    ]);
    expect(events.told).toEqual([]);
    expect(await session.seal()).toEqual(statistics);
  });

  test('the journal is at most 200 ms behind', async () => {
    const { capture, journalPath } = await startCapture();
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort } = await session.addStream(streamSpec('s0'));
    const sender = await newSender();
    const delaysMs: number[] = [];
    for (let seq = 0; seq < 4; seq++) {
      await sender.send(rtp({ seq }), rtpPort);
      const sentMs = performance.now();
      await until('written', () => readJournal(journalPath('r1')).packets.length === seq + 1);
      delaysMs.push(performance.now() - sentMs);
    }
    // The machine may be busy with other things now and then; the rhythm itself is tested with a manual clock.
    expect(delaysMs.toSorted((a, b) => a - b)[1]).toBeLessThan(200 + 50);
    await session.seal();
  });

  test('several recordings at once do not mix', async () => {
    const { capture, journalPath } = await startCapture({ workers: 2 });
    const recordings = await Promise.all(
      numbers(0, 10).map(async (i) => {
        const session = await capture.open(`r${i}`, journalPath(`r${i}`), noteEvents());
        const addresses = await Promise.all(['s0', 's1'].map((id) => session.addStream(streamSpec(id))));
        return { session, ports: addresses.map(({ rtpPort }) => rtpPort), i };
      }),
    );
    expect(new Set(recordings.flatMap(({ ports }) => ports)).size).toBe(20);
    await expect(capture.open('r3', journalPath('again'), noteEvents())).rejects.toMatchObject({
      code: 'CAPTURE_FAILED',
    });
    const sender = await newSender();
    for (let seq = 0; seq < 20; seq++) {
      for (const { ports, i } of recordings) {
        for (const [side, port] of ports.entries()) await sender.send(rtp({ seq, ssrc: i * 10 + side }), port);
      }
    }
    await until('told', () => recordings.every(({ session }) => session.lastPacketMs !== null));
    const health = capture.health();
    expect(health.workers.map(({ recordings }) => recordings)).toEqual([5, 5]);
    expect(health.workers.reduce((sum, { packets }) => sum + packets, 0)).toBe(400);
    expect(health.ports).toEqual({ pairs: 40, used: 20, resting: 0 });
    for (const { session, i } of recordings) {
      const statistics = await session.statistics();
      expect(statistics).toMatchObject({
        s0: { packets: 20, ssrcs: [i * 10] },
        s1: { packets: 20, ssrcs: [i * 10 + 1] },
      });
      expect(await session.seal()).toEqual(statistics);
      expect(readJournal(journalPath(`r${i}`)).packets).toHaveLength(40);
    }
  });

  test('after the end ports rest: no ICMP error for the sender; then they are free', async () => {
    const { capture, journalPath } = await startCapture({ restMs: 600, portRange: someRange(1) });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort, rtcpPort } = await session.addStream(streamSpec('s0'));
    const sender = createSocket('udp4');
    onTestFinished(() => void sender.close());
    const errors: unknown[] = [];
    sender.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
    await new Promise<void>((resolve) => sender.connect(rtpPort, '127.0.0.1', () => resolve()));
    const send = (seq: number) => new Promise<void>((resolve) => sender.send(rtp({ seq }), () => resolve()));
    await send(0);
    const { s0 } = await session.seal();
    for (let seq = 1; seq < 10; seq++) {
      await send(seq);
      await sleep(20);
    }
    expect([errors, s0!.packets, readJournal(journalPath('r1')).packets.length]).toEqual([[], 1, 1]);
    expect(await isFree(rtcpPort)).toBe(false);
    const next = await capture.open('r2', journalPath('r2'), noteEvents());
    await expect(next.addStream(streamSpec('s0'))).rejects.toMatchObject({ code: 'NO_PORTS' });
    await until('rested', async () => (await isFree(rtpPort)) && (await isFree(rtcpPort)));
    await until('given back', () => capture.health().ports.used === 0);
    // The control: a closed port does answer with an error.
    await send(10);
    await until('refused', async () => {
      await send(11);
      return errors.length > 0;
    });
    expect(await next.addStream(streamSpec('s0'))).toEqual({ rtpPort, rtcpPort });
    expect(readJournal(journalPath('r1')).packets).toHaveLength(1);
  });

  test('a removed stream rests, its statistics stay, the others go on', async () => {
    const { capture, journalPath } = await startCapture({ restMs: 100 });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const [a, b] = [await session.addStream(streamSpec('s0')), await session.addStream(streamSpec('s1'))];
    const sender = await newSender();
    for (const { rtpPort } of [a, b]) await sender.send(rtp({ seq: 0 }), rtpPort);
    await until('received', async () => (await session.statistics()).s1?.packets === 1);
    session.removeStream('s0');
    session.removeStream('s0');
    session.updateStream('s0', { receiving: true });
    await session.statistics();
    for (const { rtpPort } of [a, b]) await sender.send(rtp({ seq: 1 }), rtpPort);
    await until('free', () => isFree(a.rtpPort));
    expect(await session.seal()).toMatchObject({ s0: { packets: 1, drops: {} }, s1: { packets: 2 } });
  });

  test('a direction that changes with the session', async () => {
    const { capture, journalPath } = await startCapture();
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort } = await session.addStream(streamSpec('s0', { receiving: false }));
    const sender = await newSender();
    await sender.send(rtp({ seq: 0 }), rtpPort);
    await until('dropped', async () => (await session.statistics()).s0?.drops.inactive === 1);
    session.updateStream('s0', { receiving: true });
    await session.statistics();
    await sender.send(rtp({ seq: 1 }), rtpPort);
    expect(await session.seal()).toMatchObject({ s0: { packets: 1, drops: { inactive: 1 } } });
  });

  test('pairs of which another program has one port are passed over; none left is NO_PORTS', async () => {
    const portRange = someRange(3);
    const [first, second] = [portRange.first, portRange.first + 2];
    await newSender('127.0.0.1', first);
    await newSender('127.0.0.1', second + 1);
    const { capture, journalPath } = await startCapture({ portRange });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    expect(await session.addStream(streamSpec('s0'))).toEqual({ rtpPort: first + 4, rtcpPort: first + 5 });
    expect([await isFree(first + 1), await isFree(second)]).toEqual([true, true]);
    await expect(session.addStream(streamSpec('s1'))).rejects.toMatchObject({ code: 'NO_PORTS' });
    expect(capture.health().ports).toMatchObject({ used: 1 });
  });

  test('a journal that cannot be made is STORAGE_FAILED, and its id stays free', async () => {
    const { capture, journalPath } = await startCapture();
    await expect(capture.open('r1', '/nowhere/capture.pcapng', noteEvents())).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    expect(await session.seal()).toEqual({});
    await expect(session.addStream(streamSpec('s0'))).rejects.toMatchObject({ code: 'RECORDING_ENDED' });
    expect(readJournal(journalPath('r1'))).toMatchObject({ packets: [], truncated: false });
  });

  test('receiver reports go out from the RTCP port', async () => {
    const { capture, journalPath } = await startCapture({
      rtcpReports: { intervalMs: 100 },
      cname: 'recorder@example',
    });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort, rtcpPort } = await session.addStream(streamSpec('s0'));
    const [media, control] = [await newSender(), await newSender()];
    const heard = new Promise<{ octets: Buffer; from: number }>((resolve) =>
      control.socket.once('message', (octets, { port }) => resolve({ octets, from: port })),
    );
    await control.send(senderReport({ ssrc: 5 }), rtcpPort);
    for (const seq of [1, 2, 4]) await media.send(rtp({ seq, ssrc: 5 }), rtpPort);
    const { octets, from } = await heard;
    expect(from).toBe(rtcpPort);
    const [rr, sdes] = readRtcp(octets, 0, octets.length);
    expect(rr).toMatchObject({ type: 'rr', reports: [{ ssrc: 5, cumulativeLost: 1, extendedHighestSequence: 4 }] });
    expect(sdes).toMatchObject({ type: 'sdes', chunks: [{ items: [{ type: 1, text: 'recorder@example' }] }] });
    await session.seal();
  });

  test.skipIf(process.platform !== 'linux')('what the kernel dropped is told for its stream', async () => {
    const { capture, journalPath } = await startCapture({ receiveBufferOctets: 4096 });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const [flooded, calm] = [await session.addStream(streamSpec('s0')), await session.addStream(streamSpec('s1'))];
    const { socket } = await newSender();
    await new Promise<void>((resolve) => socket.connect(flooded.rtpPort, '127.0.0.1', resolve));
    const sent = 2000;
    for (let seq = 0; seq < sent; seq++) socket.send(rtp({ seq }));
    await (await newSender()).send(rtp({ seq: 0 }), calm.rtpPort);
    await sleep(50);
    const running = (await session.statistics()).s0!;
    expect(running.kernelDrops).toBeGreaterThan(0);
    session.removeStream('s0');
    const { s0, s1 } = await session.seal();
    expect(s0!.packets + s0!.kernelDrops!).toBe(sent);
    expect(s1).toMatchObject({ packets: 1, kernelDrops: 0 });
  });

  test('mistakes in the settings are told at once', () => {
    expect(() => createCapture({ bindAddress: 'localhost', portRange: someRange() })).toThrow(/localhost/);
    expect(() => createCapture({ bindAddress: '127.0.0.1', portRange: { first: 12_001, last: 12_002 } })).toThrow(
      /pair/,
    );
  });

  test.skipIf(process.platform !== 'linux')('close seals what is open and leaves nothing behind', async () => {
    const open = { descriptors: count('/proc/self/fd'), threads: count('/proc/self/task') };
    const resources = process.getActiveResourcesInfo().toSorted();
    const portRange = someRange();
    const { capture, journalPath } = await startCapture({ workers: 2, portRange });
    const sender = await newSender();
    const sealed = await capture.open('r1', journalPath('r1'), noteEvents());
    const sealedAt = await sealed.addStream(streamSpec('s0'));
    await sealed.seal();
    const running = await capture.open('r2', journalPath('r2'), noteEvents());
    const { rtpPort } = await running.addStream(streamSpec('s0'));
    const announced = capture.announce({ host: '127.0.0.1', port: 0, sourceHost: null });
    await announced.bound;
    await sender.send(rtp({ seq: 0 }), rtpPort);
    await Promise.all([capture.close(), capture.close()]);
    await sender.close();
    expect(readJournal(journalPath('r2')).packets).toHaveLength(1);
    expect(await isFree(rtpPort)).toBe(true);
    expect(await isFree(sealedAt.rtpPort)).toBe(true);
    await expect(capture.open('r3', journalPath('r3'), noteEvents())).rejects.toMatchObject({ code: 'CAPTURE_FAILED' });
    await expect(capture.announce({ host: '127.0.0.1', port: 0, sourceHost: null }).bound).rejects.toMatchObject({
      code: 'CAPTURE_FAILED',
    });
    await until('no thread left', () => count('/proc/self/task') <= open.threads);
    await until('no descriptor left', () => count('/proc/self/fd') <= open.descriptors);
    await until('no resource left', () => process.getActiveResourcesInfo().length <= resources.length);
  });
});
