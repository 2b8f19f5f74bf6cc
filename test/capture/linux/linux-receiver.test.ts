// What only the Linux receiver promises: the kernel's times and drops, fairness, and sockets that end with their thread.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { linuxReceiverAvailable } from '../../../src/capture/linux/availability.ts';
import { createLinuxReceiver, type LinuxReceiver } from '../../../src/capture/linux/linux-receiver.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { boundSocket, CollectingSink, descriptors, handOverUntil } from '../receiver-suite.ts';

const { available } = linuxReceiverAvailable();

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe.skipIf(!available)('Linux receiver alone', () => {
  let receiver: LinuxReceiver;
  let sink: CollectingSink;

  beforeEach(() => {
    receiver = createLinuxReceiver(systemClock);
    sink = new CollectingSink();
  });
  afterEach(() => receiver.close());

  test('arrival is when it came, though the thread was blocked for 200 ms', async () => {
    const from = receiver.openNow('127.0.0.1', 0, new CollectingSink());
    const to = receiver.openNow('127.0.0.1', 0, sink);
    const sentMs: number[] = [];
    for (let i = 0; i < 5; i++) {
      sentMs.push(systemClock.nowMs());
      from.send(Buffer.from(`${i}`), '127.0.0.1', to.port);
      block(40);
    }
    receiver.handOver();
    expect(sink.texts).toEqual(['0', '1', '2', '3', '4']);
    for (const [i, { arrivalMs }] of sink.datagrams.entries()) {
      expect(arrivalMs - sentMs[i]!).toBeGreaterThan(-0.5);
      expect(arrivalMs - sentMs[i]!).toBeLessThan(10);
    }
  });

  test('what the kernel drops is counted, also after closing', async () => {
    const from = receiver.openNow('127.0.0.1', 0, new CollectingSink());
    const to = receiver.openNow('127.0.0.1', 0, sink);
    expect(to.kernelDrops).toBe(0);
    const large = Buffer.alloc(60_000);
    for (let i = 0; i < 200; i++) from.send(large, '127.0.0.1', to.port);
    const dropped = to.kernelDrops;
    expect(dropped).toBeGreaterThan(0);
    receiver.handOver();
    expect(sink.datagrams.length + dropped).toBe(200);
    expect(sink.datagrams.every(({ octets }) => octets.length === 60_000)).toBe(true);
    await to.close();
    expect(to.kernelDrops).toBe(dropped);
    expect(from.kernelDrops).toBe(0);
  });

  test('a flooded port does not keep the others waiting', () => {
    const from = receiver.openNow('127.0.0.1', 0, new CollectingSink());
    const order: string[] = [];
    const flooded = receiver.openNow('127.0.0.1', 0, { datagram: () => void order.push('flooded') });
    const quiet = receiver.openNow('127.0.0.1', 0, { datagram: () => void order.push('quiet') });
    for (let i = 0; i < 400; i++) from.send(Buffer.from('x'), '127.0.0.1', flooded.port);
    from.send(Buffer.from('x'), '127.0.0.1', quiet.port);
    receiver.handOver();
    expect(order.length).toBe(401);
    expect(order.indexOf('quiet')).toBeLessThan(64);
  });

  test('a round that takes long is continued after the thread has done other things', async () => {
    const from = receiver.openNow('127.0.0.1', 0, new CollectingSink());
    const slow = {
      datagrams: 0,
      datagram() {
        this.datagrams++;
        block(1);
      },
    };
    const to = receiver.openNow('127.0.0.1', 0, slow);
    for (let i = 0; i < 400; i++) from.send(Buffer.from('x'), '127.0.0.1', to.port);
    receiver.handOver();
    expect(slow.datagrams).toBeLessThan(400);
    const untilMs = performance.now() + 5000;
    while (slow.datagrams < 400 && performance.now() < untilMs) await sleep(1);
    expect(slow.datagrams).toBe(400);
  });

  test('a sink may close the whole receiver; then nothing can be opened', async () => {
    const before = descriptors();
    const other = createLinuxReceiver(systemClock);
    let seen = 0;
    let closing: Promise<void> | undefined;
    const closer = {
      datagram() {
        seen++;
        closing ??= other.close();
      },
    };
    const ports = Array.from({ length: 10 }, () => other.openNow('127.0.0.1', 0, closer));
    for (const port of ports) for (let i = 0; i < 5; i++) ports[0]!.send(Buffer.from('x'), '127.0.0.1', port.port);
    other.handOver();
    expect(seen).toBe(1);
    await closing;
    other.handOver();
    await Promise.all(ports.map((port) => port.close()));
    expect(descriptors()).toBe(before);
    await expect(other.open('127.0.0.1', 0, sink)).rejects.toMatchObject({ code: 'EBADF' });
  });

  test('a sink that throws does not spoil the memory for the next datagrams', async () => {
    const from = await boundSocket('127.0.0.1');
    onTestFinished(() => void from.close());
    const port = receiver.openNow('127.0.0.1', 0, {
      datagram() {
        throw new Error('must not');
      },
    });
    for (let i = 0; i < 10; i++) from.send('x', port.port, '127.0.0.1');
    await expect(handOverUntil(receiver, () => false)).rejects.toThrow('must not');
    await port.close();
    const next = receiver.openNow('::1', 0, sink);
    for (let i = 0; i < 40; i++) next.send(Buffer.from(`${i}`), '::1', next.port);
    await handOverUntil(receiver, () => sink.datagrams.length >= 40);
    expect(sink.datagrams.every(({ source }) => source.host === '::1' && source.port === next.port)).toBe(true);
  });

  test('messages say what happened in words', () => {
    const { port } = receiver.openNow('127.0.0.1', 0, sink);
    expect(() => receiver.openNow('127.0.0.1', port, sink)).toThrow(
      `bind 127.0.0.1:${port}: address already in use (EADDRINUSE)`,
    );
    expect(() => receiver.openNow('nowhere', 0, sink)).toThrow('bind nowhere:0: invalid argument (EINVAL)');
  });

  test('reading takes no memory per packet', async () => {
    let datagrams = 0;
    let lastMs = 0;
    const from = receiver.openNow('127.0.0.1', 0, sink);
    const ports = Array.from({ length: 20 }, () =>
      receiver.openNow('127.0.0.1', 0, {
        datagram(_buffer, _start, _end, _source, arrivalMs) {
          datagrams++;
          lastMs = arrivalMs;
        },
      }),
    );
    const packet = Buffer.alloc(172);
    const read = (rounds: number): number => {
      let grownOctets = 0;
      for (let round = 0; round < rounds; round++) {
        for (const { port } of ports) for (let i = 0; i < 3; i++) from.send(packet, '127.0.0.1', port);
        const before = process.memoryUsage().heapUsed;
        receiver.handOver();
        grownOctets += Math.max(0, process.memoryUsage().heapUsed - before);
      }
      return grownOctets;
    };
    read(500);
    datagrams = 0;
    const grownOctets = read(500);
    expect(datagrams).toBe(30_000);
    expect(lastMs).toBeGreaterThan(0);
    // The arrival time as an argument is a boxed number where the sink is not inlined; looking at the heap costs as well.
    expect(grownOctets / datagrams).toBeLessThan(64);
  });

  describe('in a worker thread', () => {
    async function start(count: number): Promise<{ thread: Worker; ports: number[] }> {
      const thread = new Worker(new URL('./receiving-thread.ts', import.meta.url), { workerData: { count } });
      const [{ ports }] = (await once(thread, 'message')) as [{ ports: number[] }];
      return { thread, ports };
    }

    const endings: [string, (thread: Worker) => void][] = [
      ['is terminated', (thread) => void thread.terminate()],
      ['throws', (thread) => thread.postMessage('throw')],
      ['exits', (thread) => thread.postMessage('exit')],
      ['comes to its end', (thread) => thread.postMessage('return')],
    ];

    test.each(endings)('that %s under load all ports are free at once', async (_, end) => {
      const before = descriptors();
      const from = receiver.openNow('127.0.0.1', 0, sink);
      for (let round = 0; round < 3; round++) {
        const { thread, ports } = await start(100);
        thread.on('error', () => {});
        const sending = setInterval(() => {
          for (const port of ports) from.send(Buffer.alloc(172), '127.0.0.1', port);
        }, 1);
        try {
          const [told] = await once(thread, 'message');
          expect(told).toEqual({ datagrams: 100 });
          const ended = new Promise((resolve) => thread.once('exit', resolve));
          end(thread);
          await ended;
        } finally {
          clearInterval(sending);
        }
        // Another program may have taken one meanwhile.
        const reopened = await Promise.allSettled(ports.map((port) => receiver.open('127.0.0.1', port, sink)));
        const ours = reopened.flatMap((opened) => (opened.status === 'fulfilled' ? [opened.value] : []));
        expect(ours.length).toBeGreaterThan(90);
        await Promise.all(ours.map((port) => port.close()));
      }
      await from.close();
      // The event loops' own descriptors are closed a moment later.
      for (let i = 0; i < 100 && descriptors() > before; i++) await sleep(10);
      expect(descriptors()).toBeLessThanOrEqual(before);
    });
  });
});
