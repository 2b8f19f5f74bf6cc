import { describe, expect, test } from 'vitest';
import { AnnouncedPorts } from '../../src/capture/announced-ports.ts';
import type { DatagramReceiver, DatagramSink, PortSharing, ReceiverPort } from '../../src/capture/receiver.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Ports that are bound in memory; `arrive` plays the network. */
class FakeReceiver implements DatagramReceiver {
  readonly bound = new Map<number, { sink: DatagramSink; sharing: PortSharing | undefined }>();
  opens = 0;
  taken = new Set<number>();

  async open(_address: string, port: number, sink: DatagramSink, sharing?: PortSharing): Promise<ReceiverPort> {
    this.opens++;
    if (this.taken.has(port)) throw Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
    this.bound.set(port, { sink, sharing });
    return { port, kernelDrops: 0, send() {}, close: async () => void this.bound.delete(port) };
  }

  handOver(): void {}

  async readKernelDrops(): Promise<void> {}

  arrive(port: number, host: string, text: string): void {
    const octets = Buffer.from(text);
    this.bound.get(port)?.sink.datagram(octets, 0, octets.length, { host, port }, 1);
  }
}

function heard(): DatagramSink & { texts: string[] } {
  const texts: string[] = [];
  return { texts, datagram: (buffer, start, end) => texts.push(Buffer.from(buffer.subarray(start, end)).toString()) };
}

function setUp() {
  const clock = new ManualClock();
  const receiver = new FakeReceiver();
  const closed: number[] = [];
  const ports = new AnnouncedPorts({ receiver, clock, claimWithinMs: 10_000, onClosed: (port) => closed.push(port) });
  return { clock, receiver, ports, closed };
}

const at = (sourceHost: string | null, port = 20_000) => ({ host: '127.0.0.1', port, sourceHost });
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('announced ports', () => {
  test('what comes before the stream is its beginning', async () => {
    const { receiver, ports } = setUp();
    expect(await ports.announce(1, at('10.0.0.1'))).toBeNull();
    expect(receiver.bound.get(20_000)?.sharing).toBe('reuse-address');
    receiver.arrive(20_000, '10.0.0.1', 'first');
    const sink = heard();
    await ports.claim(1, sink);
    ports.replayEarly(1);
    receiver.arrive(20_000, '10.0.0.1', 'second');
    expect(sink.texts).toEqual(['first', 'second']);
  });

  test('two senders share one socket and are told apart by their address', async () => {
    const { receiver, ports, closed } = setUp();
    await Promise.all([ports.announce(1, at('10.0.0.1')), ports.announce(2, at('10.0.0.2'))]);
    expect(receiver.opens).toBe(1);
    const [one, two] = [heard(), heard()];
    const first = await ports.claim(1, one);
    const second = await ports.claim(2, two);
    receiver.arrive(20_000, '10.0.0.1', 'a');
    receiver.arrive(20_000, '10.0.0.2', 'b');
    receiver.arrive(20_000, '10.0.0.3', 'nobody’s');
    expect([one.texts, two.texts]).toEqual([['a'], ['b']]);
    await first?.close();
    expect(receiver.bound.has(20_000)).toBe(true);
    receiver.arrive(20_000, '10.0.0.2', 'c');
    expect(two.texts).toEqual(['b', 'c']);
    await second?.close();
    expect(receiver.bound.has(20_000)).toBe(false);
    expect(closed).toEqual([20_000]);
  });

  test('the only user also gets what comes from another address than announced', async () => {
    const { receiver, ports } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    const sink = heard();
    await ports.claim(1, sink);
    receiver.arrive(20_000, '192.168.7.7', 'multi-homed');
    expect(sink.texts).toEqual(['multi-homed']);
  });

  test('the same sender announces the port again: the later call has it at once', async () => {
    const { receiver, ports, closed } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    const [old, young] = [heard(), heard()];
    const before = await ports.claim(1, old);
    await ports.announce(2, at('10.0.0.1'));
    await ports.claim(2, young);
    receiver.arrive(20_000, '10.0.0.1', 'new call');
    expect([old.texts, young.texts]).toEqual([[], ['new call']]);
    await before?.close();
    expect(receiver.bound.has(20_000)).toBe(true);
    expect(closed).toEqual([]);
  });

  test('nobody claims it, or it is released: the port is given up', async () => {
    const { clock, receiver, ports, closed } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    clock.advance(10_000);
    await settle();
    expect(receiver.bound.size).toBe(0);
    expect(await ports.claim(1, heard())).toBeNull();
    await ports.announce(2, at('10.0.0.1'));
    ports.release(2);
    ports.release(2);
    await settle();
    expect(receiver.bound.size).toBe(0);
    expect(closed).toEqual([20_000, 20_000]);
    expect(clock.pendingTimers).toBe(0);
  });

  test('a claimed port is not given up by a late release', async () => {
    const { clock, receiver, ports } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    await ports.claim(1, heard());
    ports.release(1);
    clock.advance(60_000);
    expect(receiver.bound.has(20_000)).toBe(true);
  });

  test('a port that another program has: its code is told, and the next announcement tries again', async () => {
    const { receiver, ports } = setUp();
    receiver.taken.add(20_000);
    expect(await ports.announce(1, at('10.0.0.1'))).toBe('EADDRINUSE');
    expect(await ports.claim(1, heard())).toBeNull();
    receiver.taken.clear();
    expect(await ports.announce(2, at('10.0.0.1'))).toBeNull();
  });

  test('early packets are bounded', async () => {
    const { receiver, ports } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    for (let i = 0; i < 2_000; i++) receiver.arrive(20_000, '10.0.0.1', String(i));
    const sink = heard();
    await ports.claim(1, sink);
    ports.replayEarly(1);
    expect(sink.texts).toHaveLength(512);
    expect(sink.texts.at(-1)).toBe('511');
  });

  test('close gives everything back', async () => {
    const { clock, receiver, ports } = setUp();
    await ports.announce(1, at('10.0.0.1'));
    await ports.announce(2, at('10.0.0.2', 20_002));
    await ports.claim(1, heard());
    await ports.close();
    expect(receiver.bound.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});
