import { expect, onTestFinished, test } from 'vitest';
import { JournalReader } from '../../src/journal/reader.ts';
import type { AnnouncedPort } from '../../src/recording/media.ts';
import type { SrtpMasterKey } from '../../src/rtp/srtp/master-key.ts';
import { writeMasterKey } from '../../src/rtp/srtp/master-key-text.ts';
import { createSrtpSender } from '../../src/rtp/srtp/sender.ts';
import { readJournal } from '../journal/read-journal.ts';
import { masterKey, protectRtp } from '../rtp/srtp/packets.ts';
import {
  freeEvenPort,
  newSender,
  noteEvents,
  onEachReceiver,
  type Sender,
  sleep,
  someRange,
  startCapture,
  streamSpec,
  until,
} from './capture-under-test.ts';
import { rtp } from './packets.ts';

/** 50 packets a second until the test ends or `stop()`. */
function talk(sender: Sender, port: number, ssrc: number): { stop(): void; readonly sent: number } {
  let seq = 0;
  const timer = setInterval(() => void sender.send(rtp({ seq: seq++, ssrc }), port).catch(() => {}), 20);
  onTestFinished(() => clearInterval(timer));
  return {
    stop: () => clearInterval(timer),
    get sent() {
      return seq;
    },
  };
}

const sequences = (path: string, interfaceName: string) =>
  readJournal(path)
    .packets.filter((packet) => packet.interfaceName === interfaceName)
    .map(({ payload }) => (payload.charCodeAt(2) << 8) | payload.charCodeAt(3));

/** How many packets stand behind one interface description. */
function packetsOf(path: string, interfaceId: number): number {
  using reader = new JournalReader(path);
  let packets = 0;
  while (reader.next()) if (reader.interfaceId === interfaceId) packets++;
  return packets;
}

onEachReceiver('a worker dies', () => {
  test('an encrypted stream is decrypted on, with the keys of the latest offer', async () => {
    const { capture, journalPath } = await startCapture({ workers: 2 });
    const events = noteEvents();
    const session = await capture.open('r1', journalPath('r1'), events);
    const [first, second] = [masterKey('AEAD_AES_128_GCM', 'first'), masterKey('AEAD_AES_128_GCM', 'second')];
    const srtp = (key: SrtpMasterKey) => ({ receiving: [writeMasterKey(key)], sending: null, plainToo: false });
    const { rtpPort } = await session.addStream(streamSpec('s0', { srtp: srtp(first) }));
    const sender = await newSender();
    const under = { first: createSrtpSender(first), second: createSrtpSender(second) };
    const send = (key: keyof typeof under, seq: number) => sender.send(protectRtp(under[key], rtp({ seq })), rtpPort);
    await send('first', 1);
    session.updateStream('s0', { srtp: srtp(second) });
    // Its answer comes when the worker has the keys: a packet that overtakes them would stay encrypted.
    await session.statistics();
    await send('second', 2);
    await until('both on disk', () => sequences(journalPath('r1'), 's0').length === 2);
    await capture.killWorkerOf('r1');
    await until('resumed', () => events.told.some(({ what }) => what === 'resumed'));
    for (const seq of [3, 4, 5]) await send('second', seq);
    await sleep(50);
    expect(await session.seal()).toMatchObject({ s0: { packets: 3, drops: {} } });
    expect(sequences(journalPath('r1'), 's0')).toEqual([1, 2, 3, 4, 5]);
  });

  test('the recording goes on with the same ports in the same file within a second', async () => {
    const { capture, journalPath } = await startCapture({ workers: 2 });
    const events = noteEvents();
    const session = await capture.open('r1', journalPath('r1'), events);
    const a = await session.addStream(streamSpec('s0'));
    const b = await session.addStream(streamSpec('s1', { receiving: false }));
    session.updateStream('s1', { receiving: true });
    const [one, two] = [await newSender(), await newSender()];
    const talks = [talk(one, a.rtpPort, 1), talk(two, b.rtpPort, 2)];
    const written = (name: string) => sequences(journalPath('r1'), name).length > 20;
    await until('on disk', () => written('s0') && written('s1'));
    const killedMs = performance.now();
    await capture.killWorkerOf('r1');
    const record = {
      timeMs: Date.now(),
      direction: 'sent' as const,
      transport: 'udp' as const,
      local: { host: '127.0.0.1', port: 5060 },
      remote: { host: '127.0.0.1', port: 5070 },
      message: Buffer.from('while homeless'),
    };
    session.writeSip(record);
    await until('resumed', () => events.told.some(({ what }) => what === 'resumed'));
    expect(performance.now() - killedMs).toBeLessThan(1000);
    expect(events.told.map(({ what }) => what)).toEqual(['interrupted', 'resumed']);
    const [from, to] = events.told.map(({ atMs }) => atMs!);
    expect(to! - from!).toBeLessThan(1200);
    // By what was sent, not by the time: a busy machine's timers are late.
    const before = talks.map(({ sent }) => sent);
    await until('talked on', () => talks.every(({ sent }, i) => sent - before[i]! >= 20));
    for (const { stop } of talks) stop();
    await sleep(30);
    const statistics = await session.seal();
    const { packets, interfaces, truncated } = readJournal(journalPath('r1'));
    expect(truncated).toBe(false);
    expect(interfaces.map(({ name }) => name)).toEqual(['s0', 's1', 's0', 's1', 'sip']);
    for (const [i, { rtpPort }] of [a, b].entries()) {
      const own = packets.filter(({ interfaceName }) => interfaceName === `s${i}`);
      expect(new Set(own.map(({ destination }) => destination))).toEqual(new Set([`127.0.0.1:${rtpPort}`]));
      const seen = sequences(journalPath('r1'), `s${i}`);
      expect(seen).toEqual([...new Set(seen)].toSorted((x, y) => x - y));
      expect(seen[0]).toBe(0);
      expect(seen.at(-1)).toBe(talks[i]!.sent - 1);
      // Everything before the interruption was on disk, everything after it is there again: there is one hole.
      expect(seen.filter((sequence, at) => at > 0 && sequence !== seen[at - 1]! + 1)).toHaveLength(1);
      expect(own.filter(({ timeMs }) => timeMs < from!).length).toBeGreaterThan(10);
      expect(own.filter(({ timeMs }) => timeMs > to!).length).toBeGreaterThan(15);
      expect(talks[i]!.sent - seen.length).toBeLessThan(45);
      expect(statistics[`s${i}`]!.packets).toBe(packetsOf(journalPath('r1'), 2 + i));
    }
    expect(packets.filter(({ interfaceName }) => interfaceName === 'sip')).toMatchObject([
      { payload: 'while homeless' },
    ]);
    expect(capture.health().deaths).toBe(1);
  });

  test('it is taken up again by a new worker when there was only one; sealing in between waits', async () => {
    const { capture, journalPath } = await startCapture();
    const events = noteEvents();
    const session = await capture.open('r1', journalPath('r1'), events);
    const { rtpPort } = await session.addStream(streamSpec('s0'));
    const sender = await newSender();
    await sender.send(rtp({ seq: 0 }), rtpPort);
    await until('on disk', () => readJournal(journalPath('r1')).packets.length === 1);
    await capture.killWorkerOf('r1');
    await session.seal();
    expect(readJournal(journalPath('r1')).packets).toHaveLength(1);
    const next = await capture.open('r2', journalPath('r2'), noteEvents());
    await next.addStream(streamSpec('s0'));
    await next.seal();
    expect(capture.health().ports.used).toBeLessThanOrEqual(2);
  });

  test('streams added while it is homeless get their ports from the next worker', async () => {
    const { capture, journalPath } = await startCapture();
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const killing = capture.killWorkerOf('r1');
    const addresses = await Promise.all([session.addStream(streamSpec('s0')), session.addStream(streamSpec('s1'))]);
    await killing;
    const sender = await newSender();
    for (const { rtpPort } of addresses) await sender.send(rtp({ seq: 7 }), rtpPort);
    expect(await session.seal()).toMatchObject({ s0: { packets: 1 }, s1: { packets: 1 } });
    expect(readJournal(journalPath('r1')).packets).toHaveLength(2);
  });
});

onEachReceiver('a worker with 500 calls dies', () => {
  test('every call goes on with its ports in its file, and the interruption is told', { timeout: 30_000 }, async () => {
    const calls = 500;
    const { capture, journalPath } = await startCapture({ workers: 2, portRange: someRange(1100) });
    const opened = await Promise.all(
      Array.from({ length: calls }, async (_, i) => {
        const events = noteEvents();
        const session = await capture.open(`r${i}`, journalPath(`r${i}`), events);
        const { rtpPort } = await session.addStream(streamSpec('s0'));
        return { session, events, rtpPort, path: journalPath(`r${i}`), worker: session.worker!.id };
      }),
    );
    const sender = await newSender();
    const everywhere = async (seq: number) => {
      for (const { rtpPort } of opened) await sender.send(rtp({ seq }), rtpPort);
    };
    await everywhere(0);
    await until('all on disk', () => opened.every(({ path }) => sequences(path, 's0').length === 1), 10_000);
    const killed = opened.filter(({ worker }) => worker === opened[0]!.worker);
    // Placed by what the workers have to do, so each has about half.
    expect(killed.length).toBeGreaterThan(calls / 4);
    expect(killed.length).toBeLessThan((calls * 3) / 4);
    await capture.killWorkerOf('r0');
    await until('all resumed', () => killed.every(({ events }) => events.told.at(-1)?.what === 'resumed'), 10_000);
    const gaps = killed.map(({ events }) => events.told[1]!.atMs! - events.told[0]!.atMs!);
    await everywhere(1);
    await Promise.all(opened.map(({ session }) => session.seal()));
    for (const { path, events, worker } of opened) {
      expect(sequences(path, 's0')).toEqual([0, 1]);
      const told = worker === opened[0]!.worker ? ['interrupted', 'resumed'] : [];
      expect(events.told.map(({ what }) => what)).toEqual(told);
    }
    // Within a second where the machine is free; a test run beside others may take longer.
    expect(Math.max(...gaps)).toBeLessThan(5000);
  });
});

onEachReceiver('announced ports', () => {
  const HOSTS = ['127.0.0.40', '127.0.0.41'] as const;

  test('shared by two recordings, told apart by the senders’ addresses; both survive a worker’s death', async () => {
    const { capture, journalPath } = await startCapture({ workers: 2 });
    const port = await freeEvenPort();
    const calls = await Promise.all(
      HOSTS.map(async (sourceHost, i) => {
        const announced = capture.announce({ host: '127.0.0.1', port, sourceHost });
        await announced.bound;
        const sender = await newSender(sourceHost);
        await sender.send(rtp({ seq: 1000, ssrc: i }), port);
        const events = noteEvents();
        const session = await capture.open(`r${i}`, journalPath(`r${i}`), events, announced);
        expect(await session.addStream(streamSpec('s0', { announced }))).toMatchObject({ rtpPort: port });
        return { session, sender, events, i, path: journalPath(`r${i}`), talk: talk(sender, port, i) };
      }),
    );
    await until('on disk', () => calls.every(({ path }) => sequences(path, 's0').length > 15));
    await capture.killWorkerOf('r0');
    for (const { events } of calls) await until('resumed', () => events.told.some(({ what }) => what === 'resumed'));
    await sleep(300);
    for (const { talk } of calls) talk.stop();
    await sleep(30);
    for (const { session, i, path, sender, talk } of calls) {
      await session.seal();
      const { packets } = readJournal(path);
      expect(new Set(packets.map(({ source }) => source))).toEqual(new Set([`${HOSTS[i]}:${sender.port}`]));
      const seen = sequences(path, 's0');
      expect([seen[0], seen[1], seen.at(-1)]).toEqual([1000, 0, talk.sent - 1]);
      expect(seen.length).toBeGreaterThan(25);
    }
  });

  test('another program takes the port when the worker dies: asked for until it is free, the other stream goes on', async () => {
    const { capture, journalPath } = await startCapture();
    const port = await freeEvenPort();
    const announced = capture.announce({ host: '127.0.0.1', port, sourceHost: null });
    const events = noteEvents();
    const session = await capture.open('r1', journalPath('r1'), events, announced);
    await session.addStream(streamSpec('s0', { announced }));
    const other = await session.addStream(streamSpec('s1'));
    const killing = capture.killWorkerOf('r1');
    let thief: Sender | null = null;
    await until('stolen', async () => {
      thief = await newSender('127.0.0.1', port).catch(() => null);
      return thief !== null;
    });
    await killing;
    await until('resumed', () => events.told.some(({ what }) => what === 'resumed'));
    const sender = await newSender();
    await sender.send(rtp({ seq: 1 }), other.rtpPort);
    await until('the other stream', async () => (await session.statistics()).s1?.packets === 1);
    await thief!.close();
    let seq = 0;
    await until('the port is ours again', async () => {
      await sender.send(rtp({ seq: seq++ }), port).catch(() => {});
      return ((await session.statistics()).s0?.packets ?? 0) > 0;
    });
    await session.seal();
  });

  test('inside our range: a free one is kept out of everybody’s hands until it is released', async () => {
    const { capture, portRange, journalPath } = await startCapture({ portRange: someRange(2) });
    const announced = capture.announce({ host: '127.0.0.1', port: portRange.first, sourceHost: null });
    await announced.bound;
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    expect((await session.addStream(streamSpec('s0'))).rtpPort).toBe(portRange.first + 2);
    await expect(session.addStream(streamSpec('s1'))).rejects.toMatchObject({ code: 'NO_PORTS' });
    announced.release();
    announced.release();
    await until('free', () => capture.health().ports.used === 1);
    expect((await session.addStream(streamSpec('s1'))).rtpPort).toBe(portRange.first);
  });

  test('inside our range: a resting one is handed over at once', async () => {
    const { capture, journalPath } = await startCapture({ portRange: someRange(1), restMs: 60_000 });
    const before = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort } = await before.addStream(streamSpec('s0'));
    const sender = await newSender();
    await sender.send(rtp({ seq: 0 }), rtpPort);
    await before.seal();
    const announced = capture.announce({ host: '127.0.0.1', port: rtpPort, sourceHost: '127.0.0.1' });
    await announced.bound;
    await sender.send(rtp({ seq: 1 }), rtpPort);
    const session = await capture.open('r2', journalPath('r2'), noteEvents(), announced);
    await session.addStream(streamSpec('s0', { announced }));
    await sender.send(rtp({ seq: 2 }), rtpPort);
    expect(await session.seal()).toMatchObject({ s0: { packets: 2, sources: [`127.0.0.1:${sender.port}`] } });
    expect(sequences(journalPath('r1'), 's0')).toEqual([0]);
    expect(sequences(journalPath('r2'), 's0')).toEqual([1, 2]);
  });

  test('inside our range: one in use is PORT_UNAVAILABLE, and its user keeps it', async () => {
    const { capture, journalPath } = await startCapture({ portRange: someRange(2) });
    const session = await capture.open('r1', journalPath('r1'), noteEvents());
    const { rtpPort, rtcpPort } = await session.addStream(streamSpec('s0'));
    const refused = (announced: AnnouncedPort) =>
      expect(announced.bound).rejects.toMatchObject({ code: 'PORT_UNAVAILABLE' });
    for (const port of [rtpPort, rtcpPort, rtpPort]) {
      const announced = capture.announce({ host: '127.0.0.1', port, sourceHost: null });
      await refused(announced);
      await expect(session.addStream(streamSpec('s1', { announced }))).rejects.toMatchObject({
        code: 'PORT_UNAVAILABLE',
      });
      announced.release();
    }
    expect(capture.health().ports.used).toBe(1);
    expect((await session.addStream(streamSpec('s1'))).rtpPort).not.toBe(rtpPort);
    const sender = await newSender();
    await sender.send(rtp({ seq: 0 }), rtpPort);
    expect(await session.seal()).toMatchObject({ s0: { packets: 1 } });
  });

  test('used by another program, or at an address that is not ours: PORT_UNAVAILABLE', async () => {
    const { capture } = await startCapture();
    const port = await freeEvenPort();
    await newSender('127.0.0.1', port);
    for (const host of ['127.0.0.1', '192.0.2.1']) {
      const announced = capture.announce({ host, port, sourceHost: null });
      await expect(announced.bound).rejects.toMatchObject({ code: 'PORT_UNAVAILABLE' });
    }
  });
});
