// The thread itself: how it ends when it is told to, and that whoever ends it in the middle of something harms nobody else.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { CallingChannel } from '../../src/capture/channel.ts';
import type { CaptureCalls, CaptureNews, CaptureNotice, WorkerSettings } from '../../src/capture/protocol.ts';
import { readJournal } from '../journal/read-journal.ts';
import { PCMU } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { newSender, onEachReceiver, sleep, someRange, underTest, until } from './capture-under-test.ts';
import { rtp } from './packets.ts';

function startThread() {
  const workerData: WorkerSettings = {
    anchor: { unixMs: Date.now(), monotonicNs: process.hrtime.bigint() },
    receiver: underTest(),
    receiveBufferOctets: 1 << 19,
    bindAddress: '127.0.0.1',
    localHost: '127.0.0.1',
    restMs: 5000,
    takeoverMs: 2000,
    flushMs: 200,
    recordingBufferOctets: 8 << 20,
    workerBufferOctets: 64 << 20,
    sync: 'recording',
    rtcp: null,
  };
  const thread = new Worker(new URL('../../src/capture/worker.ts', import.meta.url), { workerData, execArgv: [] });
  onTestFinished(async () => void (await thread.terminate()));
  const exited = once(thread, 'exit').then(([code]) => code as number);
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const channel = new CallingChannel<CaptureCalls, CaptureNotice, CaptureNews>(thread, ({ type }) => {
    if (type !== 'ready') return;
    channel.notify({ type: 'begin' });
    resolve();
  });
  void exited.then(() => channel.close(new Error('the thread ended')));
  return { thread, channel, ready, exited };
}

/** Packets to a recorded port until the test ends. */
function talk(port: number): void {
  const socket = createSocket('udp4');
  let seq = 0;
  const timer = setInterval(() => socket.send(rtp({ seq: seq++ }), port, '127.0.0.1', () => {}), 1);
  onTestFinished(() => {
    clearInterval(timer);
    socket.close();
  });
}

onEachReceiver('a capture thread', () => {
  test('told to close it seals, and ends by itself while media still comes', async () => {
    const { channel, ready, exited } = startThread();
    await ready;
    const journalPath = join(await temporaryDirectory(), 'r.pcapng');
    const rtpPort = someRange().first;
    const stream = { streamId: 's0', label: '0', formats: [PCMU], receiving: true };
    await channel.call('open', { recordingId: 'r', journalPath });
    await channel.call('addStream', { recordingId: 'r', stream, address: { rtpPort, rtcpPort: rtpPort + 1 } });
    talk(rtpPort);
    await until('on disk', () => readJournal(journalPath).packets.length > 10);
    await channel.call('close', {});
    // 1 if it had been terminated.
    expect(await exited).toBe(0);
    expect(readJournal(journalPath)).toMatchObject({ truncated: false });
  });

  test('terminated at any moment, while loading or receiving, it takes nobody with it', async () => {
    const directory = await temporaryDirectory();
    const ports = someRange();
    const stream = { streamId: 's0', label: '0', formats: [PCMU], receiving: true };
    await Promise.all(
      Array.from({ length: 4 }, async (_, i) => {
        const { thread, channel, ready, exited } = startThread();
        const rtpPort = ports.first + 2 * i;
        talk(rtpPort);
        if (i % 2 === 0) {
          await ready;
          const journalPath = join(directory, `${i}.pcapng`);
          await channel.call('open', { recordingId: 'r', journalPath });
          await channel.call('addStream', { recordingId: 'r', stream, address: { rtpPort, rtcpPort: rtpPort + 1 } });
          channel.call('close', {}).catch(() => {});
        }
        await sleep(Math.random() * 30);
        await thread.terminate();
        await exited;
        // Free for its successor, whatever the thread was doing.
        await (await newSender('127.0.0.1', rtpPort)).close();
      }),
    );
  });
});
