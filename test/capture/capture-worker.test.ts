// The inside of a worker with a manual clock, ports in memory and a disk that fails on request.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CaptureWorker } from '../../src/capture/capture-worker.ts';
import type { CaptureNews } from '../../src/capture/protocol.ts';
import type { DatagramReceiver, DatagramSink, ReceiverPort } from '../../src/capture/receiver.ts';
import { readJournal } from '../journal/read-journal.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { PCMU } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { FailingDisk } from './failing-disk.ts';
import { rtp } from './packets.ts';

const FLUSH_MS = 200;
const BUFFER_OCTETS = 256 << 10;
const PACKET_BLOCK_OCTETS = 232;

class FakeReceiver implements DatagramReceiver {
  readonly sinks = new Map<number, DatagramSink>();

  async open(_address: string, port: number, sink: DatagramSink): Promise<ReceiverPort> {
    if (this.sinks.has(port)) throw Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
    this.sinks.set(port, sink);
    return { port, kernelDrops: 0, send() {}, close: async () => void this.sinks.delete(port) };
  }

  /** What a call of `handOver` takes, by itself once. */
  delays: (() => void)[] = [];

  async readKernelDrops(): Promise<void> {}

  handOver(): void {
    this.delays.shift()?.();
  }
}

async function setUp(settings: { workerBufferOctets?: number } = {}) {
  const directory = await temporaryDirectory();
  const clock = new ManualClock();
  const disk = new FailingDisk();
  const receiver = new FakeReceiver();
  const news: CaptureNews[] = [];
  const worker = new CaptureWorker({
    settings: {
      anchor: { unixMs: 0, monotonicNs: 0n },
      receiver: 'dgram' as const,
      receiveBufferOctets: 1 << 19,
      bindAddress: '127.0.0.1',
      localHost: '127.0.0.1',
      restMs: 5000,
      takeoverMs: 2000,
      flushMs: FLUSH_MS,
      recordingBufferOctets: BUFFER_OCTETS,
      workerBufferOctets: settings.workerBufferOctets ?? 64 << 20,
      sync: 'recording' as const,
      rtcp: null,
    },
    clock,
    receiver,
    fileSystem: disk,
    tell: (one) => news.push(one),
  });
  worker.notice({ type: 'begin' });
  const { handlers } = worker;
  const journalPath = (recordingId: string) => join(directory, `${recordingId}.pcapng`);
  /** A recording with one stream at that port. */
  const open = async (recordingId: string, rtpPort = 12_000) => {
    await handlers.open({ recordingId, journalPath: journalPath(recordingId) });
    const stream = { streamId: 's0', label: null, formats: [PCMU], receiving: true };
    return handlers.addStream({ recordingId, stream, address: { rtpPort, rtcpPort: rtpPort + 1 } });
  };
  const source = { host: '10.0.0.1', port: 4000 };
  const packet = (seq: number, rtpPort = 12_000) => {
    const octets = rtp({ seq });
    receiver.sinks.get(rtpPort)!.datagram(octets, 0, octets.length, source, clock.nowMs());
  };
  const written = (recordingId: string) =>
    readJournal(journalPath(recordingId)).packets.map(
      ({ payload }) => (payload.charCodeAt(2) << 8) | payload.charCodeAt(3),
    );
  const storageFailures = () => news.filter(({ type }) => type === 'storageFailed');
  const close = async () => {
    disk.asynchronous = true;
    await handlers.close({});
  };
  return { clock, disk, receiver, news, worker, handlers, open, packet, written, storageFailures, close };
}

const numbers = (first: number, length: number) => Array.from({ length }, (_, i) => first + i);

describe('the rhythm of writing', () => {
  test('each journal is written within 200 ms, not all in one moment', async () => {
    const { clock, disk, open, packet, written, close } = await setUp();
    for (const i of numbers(0, 4)) await open(`r${i}`, 12_000 + 2 * i);
    for (let seq = 0; seq < 20; seq++) {
      for (const i of numbers(0, 4)) packet(seq, 12_000 + 2 * i);
      const before = disk.writes;
      clock.advance(FLUSH_MS / 2);
      expect(disk.writes - before).toBeLessThanOrEqual(2 + 2);
      clock.advance(FLUSH_MS / 2);
      for (const i of numbers(0, 4)) expect(written(`r${i}`)).toEqual(numbers(0, seq + 1));
    }
    await close();
  });

  test('told once a second: what received something, and the sums', async () => {
    const { clock, news, open, packet, close } = await setUp();
    await open('r0');
    await open('r1', 12_002);
    packet(0);
    const atMs = clock.nowMs();
    clock.advance(1000);
    const sums = {
      recordings: 2,
      streams: 2,
      waitingOctets: 0,
      packets: 1,
      dropped: 0,
      lagMs: 0,
      failingJournals: 0,
      packetsPerSecond: 1,
      handOverLagMs: 0,
      writeLagMs: 0,
    };
    expect(news).toEqual([{ type: 'activity', recordingIds: ['r0'], lastPacketMs: [atMs], sums }]);
    clock.advance(1000);
    const quiet = { ...sums, packetsPerSecond: 0 };
    expect(news[1]).toEqual({ type: 'activity', recordingIds: [], lastPacketMs: [], sums: quiet });
    await close();
  });

  test('gauges: reading late, a write that hangs, a disk that refuses; each over when it is over', async () => {
    const { clock, disk, receiver, news, open, packet, close } = await setUp();
    const gauges = () => {
      const last = news.findLast(({ type }) => type === 'activity');
      if (last?.type !== 'activity') throw new Error('nothing told');
      const { handOverLagMs, writeLagMs, failingJournals, waitingOctets } = last.sums;
      return { handOverLagMs, writeLagMs, failingJournals, waiting: waitingOctets > 0 };
    };
    await open('r0');
    clock.advance(1000);
    const well = { handOverLagMs: 0, writeLagMs: 0, failingJournals: 0, waiting: false };
    expect(gauges()).toEqual(well);
    receiver.delays.push(() => clock.advance(300));
    clock.advance(1000);
    expect(gauges()).toEqual({ ...well, handOverLagMs: 300 });
    disk.stalled = true;
    packet(0);
    clock.advance(3000);
    expect(gauges()).toEqual({ ...well, writeLagMs: expect.closeTo(2900, -3), waiting: true });
    disk.resume();
    clock.advance(1000);
    expect(gauges()).toEqual(well);
    disk.fails = 'ENOSPC';
    packet(1);
    clock.advance(2000);
    expect(gauges()).toMatchObject({ failingJournals: 1, waiting: true });
    disk.fails = null;
    clock.advance(2000);
    expect(gauges()).toEqual(well);
    await close();
  });
});

describe('a disk that fails', () => {
  test.each(['ENOSPC', 'EIO'])(
    '%s: told, kept up to the bound, counted beyond it, written when it works again',
    async (code) => {
      const { clock, disk, news, handlers, open, packet, written, storageFailures, close } = await setUp();
      await open('r0');
      packet(0);
      clock.advance(FLUSH_MS);
      disk.fails = code;
      let seq = 1;
      for (; seq <= 5000; seq++) {
        packet(seq);
        clock.advance(20);
      }
      expect(storageFailures()).toEqual([
        { type: 'storageFailed', recordingId: 'r0', reason: expect.stringContaining(code) },
      ]);
      const { s0 } = await handlers.statistics({ recordingId: 'r0' });
      const behind = s0!.drops.journalBehind!;
      expect(s0!.packets + behind).toBe(5001);
      expect(s0!.packets * PACKET_BLOCK_OCTETS).toBeGreaterThan(BUFFER_OCTETS);
      expect(s0!.packets * PACKET_BLOCK_OCTETS).toBeLessThan(BUFFER_OCTETS + (16 << 10));
      expect(written('r0')).toEqual([0]);
      disk.fails = null;
      clock.advance(1000 + FLUSH_MS);
      const kept = written('r0');
      expect(kept).toEqual(numbers(0, s0!.packets));
      packet(seq);
      clock.advance(FLUSH_MS);
      expect(written('r0')).toEqual([...kept, seq]);
      expect(storageFailures()).toHaveLength(1);
      // From when on packets were lost, and until when: the recording's timeline says so.
      const full = news.flatMap((one) => (one.type === 'journalFull' ? [one] : []));
      expect(full.map(({ recordingId, state }) => [recordingId, state])).toEqual([
        ['r0', 'full'],
        ['r0', 'taking'],
      ]);
      const lostMs = full[1]!.atMs - full[0]!.atMs;
      expect(lostMs).toBeGreaterThanOrEqual(behind * 20);
      expect(lostMs).toBeLessThan(behind * 20 + 1000 + 2 * FLUSH_MS);
      await close();
    },
  );

  test('a disk that hangs holds up neither receiving nor the other recordings’ ports', async () => {
    const { clock, disk, handlers, open, packet, written, close } = await setUp();
    await open('r0');
    clock.advance(FLUSH_MS);
    disk.stalled = true;
    for (let seq = 0; seq < 500; seq++) {
      packet(seq);
      clock.advance(20);
    }
    expect(await handlers.statistics({ recordingId: 'r0' })).toMatchObject({ s0: { packets: 500, drops: {} } });
    expect(await open('r1', 12_002)).toEqual({ bound: true });
    disk.resume();
    clock.advance(FLUSH_MS);
    expect(written('r0')).toEqual(numbers(0, 500));
    await close();
  });

  test('when it fails for all, each has its part of the worker’s memory', async () => {
    const { clock, disk, news, open, packet, close } = await setUp({ workerBufferOctets: 512 << 10 });
    const ports = numbers(0, 4).map((i) => 12_000 + 2 * i);
    for (const port of ports) await open(`r${port}`, port);
    disk.fails = 'ENOSPC';
    for (let seq = 0; seq < 3000; seq++) {
      for (const port of ports) packet(seq, port);
      clock.advance(20);
    }
    const last = news.findLast((one) => one.type === 'activity')!;
    expect(last.sums.dropped).toBeGreaterThan(0);
    // The batch that could not be written, and what gathers behind it.
    expect(last.sums.waitingOctets).toBeLessThan(2 * (512 << 10));
    disk.fails = null;
    clock.advance(1000);
    await close();
  });
});

describe('requests', () => {
  test('a recording opened twice, and one that is not there', async () => {
    const { handlers, open, close } = await setUp();
    await open('r0');
    await expect(open('r0', 12_004)).rejects.toMatchObject({ code: 'CAPTURE_FAILED' });
    for (const name of ['statistics', 'seal'] as const)
      await expect(handlers[name]({ recordingId: 'none' })).rejects.toMatchObject({ code: 'RECORDING_ENDED' });
    await close();
  });

  test('a pair of which one port is taken is not bound, and its other port is given back', async () => {
    const { receiver, open, close } = await setUp();
    await receiver.open('', 12_001, { datagram: () => {} });
    expect(await open('r0')).toEqual({ bound: false });
    expect([...receiver.sinks.keys()]).toEqual([12_001]);
    await close();
  });

  test('sealed ports rest, then are closed and told; endRest does it earlier; nothing is left', async () => {
    const { clock, disk, receiver, news, handlers, open, close } = await setUp();
    await open('r0');
    await open('r1', 12_002);
    disk.asynchronous = true;
    await handlers.seal({ recordingId: 'r0' });
    await handlers.seal({ recordingId: 'r1' });
    const rested = () => news.filter(({ type }) => type === 'rested');
    await handlers.endRest({ rtpPort: 12_002 });
    expect([receiver.sinks.size, rested()]).toEqual([2, [{ type: 'rested', rtpPorts: [12_002] }]]);
    clock.advance(4999);
    expect(receiver.sinks.size).toBe(2);
    clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect([receiver.sinks.size, rested().length]).toEqual([0, 2]);
    await close();
    expect(clock.pendingTimers).toBe(0);
  });
});
