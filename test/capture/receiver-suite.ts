// What every receiver of datagrams has to do, whichever way it asks the kernel. Real sockets on loopback, port 0.
import { createSocket, type Socket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DatagramReceiver, DatagramSink, DatagramSource, ReceiverPort } from '../../src/capture/receiver.ts';
import { systemClock } from '../../src/lib/clock.ts';

export interface ReceiverUnderTest {
  receiver: DatagramReceiver;
  close(): Promise<void>;
}

interface Datagram {
  octets: Buffer;
  source: DatagramSource;
  arrivalMs: number;
}

/** Keeps copies of what it gets. */
export class CollectingSink implements DatagramSink {
  readonly datagrams: Datagram[] = [];
  /** Called after each datagram. */
  after: (datagram: Datagram) => void = () => {};

  datagram(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    const datagram = { octets: Buffer.from(buffer.subarray(start, end)), source, arrivalMs };
    this.datagrams.push(datagram);
    this.after(datagram);
  }

  get texts(): string[] {
    return this.datagrams.map(({ octets }) => octets.toString());
  }
}

/** Hands over until `done`, two seconds at most. */
export async function handOverUntil(receiver: DatagramReceiver, done: () => boolean): Promise<void> {
  const untilMs = performance.now() + 2000;
  for (;;) {
    receiver.handOver();
    if (done()) return;
    if (performance.now() > untilMs) throw new Error('nothing more came within 2 s');
    await sleep(1);
  }
}

/** Long enough for anything that is on the way. */
async function handOverForAWhile(receiver: DatagramReceiver): Promise<void> {
  for (let i = 0; i < 5; i++) {
    await sleep(5);
    receiver.handOver();
  }
}

export function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

export async function boundSocket(address = '127.0.0.1'): Promise<Socket> {
  const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 });
  await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  return socket;
}

const ipv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

export function receiverSuite(name: string, create: () => ReceiverUnderTest): void {
  describe(`${name} receiver`, () => {
    let tested: ReceiverUnderTest;
    let receiver: DatagramReceiver;
    let sink: CollectingSink;
    let sender: Socket;
    let ports: ReceiverPort[];

    beforeEach(async () => {
      tested = create();
      receiver = tested.receiver;
      sink = new CollectingSink();
      sender = await boundSocket();
      ports = [];
    });

    afterEach(async () => {
      await Promise.all(ports.map((port) => port.close()));
      await tested.close();
      await new Promise<void>((resolve) => sender.close(() => resolve()));
    });

    async function open(address = '127.0.0.1', to: DatagramSink = sink, port = 0): Promise<ReceiverPort> {
      const opened = await receiver.open(address, port, to);
      ports.push(opened);
      return opened;
    }

    function send(octets: Buffer | string, port: number, from = sender, host = '127.0.0.1'): Promise<void> {
      return new Promise((resolve, reject) =>
        from.send(octets, port, host, (error) => (error ? reject(error) : resolve())),
      );
    }

    test('port 0 becomes a port of its own each time', async () => {
      const first = await open();
      const second = await open();
      expect(first.port).toBeGreaterThan(0);
      expect(second.port).toBeGreaterThan(0);
      expect(first.port).not.toBe(second.port);
    });

    test('a taken port is EADDRINUSE', async () => {
      const { port } = await open();
      await expect(receiver.open('127.0.0.1', port, sink)).rejects.toMatchObject({
        code: 'EADDRINUSE',
        syscall: 'bind',
      });
      await expect(receiver.open('127.0.0.1', sender.address().port, sink)).rejects.toMatchObject({
        code: 'EADDRINUSE',
      });
    });

    test('an address that is not ours is EADDRNOTAVAIL', async () => {
      await expect(receiver.open('192.0.2.1', 0, sink)).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
    });

    test('datagrams come whole, in order, with their sender and time', async () => {
      const { port } = await open();
      const beforeMs = systemClock.nowMs();
      for (let i = 0; i < 10; i++) await send(`datagram ${i}`, port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 10);
      const afterMs = systemClock.nowMs();
      expect(sink.texts).toEqual(Array.from({ length: 10 }, (_, i) => `datagram ${i}`));
      for (const { source, arrivalMs } of sink.datagrams) {
        expect(source).toEqual({ host: '127.0.0.1', port: sender.address().port });
        expect(arrivalMs).toBeGreaterThan(beforeMs - 1);
        expect(arrivalMs).toBeLessThan(afterMs + 1);
      }
      const arrivals = sink.datagrams.map(({ arrivalMs }) => arrivalMs);
      expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
    });

    test('the same sender is the same object, another one another', async () => {
      const { port } = await open();
      const other = await boundSocket();
      const otherPort = other.address().port;
      for (let i = 0; i < 3; i++) {
        await send('a', port);
        await send('b', port, other);
      }
      await handOverUntil(receiver, () => sink.datagrams.length >= 6);
      other.close();
      const sources = (text: string) =>
        sink.datagrams.filter(({ octets }) => octets.toString() === text).map(({ source }) => source);
      expect(new Set(sources('a')).size).toBe(1);
      expect(new Set(sources('b')).size).toBe(1);
      expect(sources('a')[0]).toEqual({ host: '127.0.0.1', port: sender.address().port });
      expect(sources('b')[0]).toEqual({ host: '127.0.0.1', port: otherPort });
    });

    test('more senders than are remembered are still told apart', async () => {
      const { port } = await open();
      const others = await Promise.all(Array.from({ length: 40 }, () => boundSocket()));
      const expected = others.map((other) => other.address().port);
      for (const other of [...others, ...others]) await send('x', port, other);
      await handOverUntil(receiver, () => sink.datagrams.length >= 80);
      for (const other of others) other.close();
      expect(sink.datagrams.map(({ source }) => source.port)).toEqual([...expected, ...expected]);
    });

    test.each([0, 1, 172, 2047, 2048, 2049, 9000, 65_507])('%i octets come whole', async (octets) => {
      const { port } = await open();
      const sent = Buffer.from(Uint8Array.from({ length: octets }, (_, i) => i * 7));
      await send(sent, port);
      await send('next', port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 2);
      expect(sink.datagrams[0]!.octets.equals(sent)).toBe(true);
      expect(sink.texts[1]).toBe('next');
    });

    test('a burst of 1,000 packets comes whole and in order', async () => {
      const { port } = await open();
      const packet = Buffer.alloc(172, 0xd5);
      for (let i = 0; i < 1000; i += 100) {
        const sending: Promise<void>[] = [];
        for (let j = i; j < i + 100; j++) {
          const numbered = Buffer.from(packet);
          numbered.writeUInt16BE(j, 2);
          sending.push(send(numbered, port));
        }
        await Promise.all(sending);
        receiver.handOver();
      }
      await handOverUntil(receiver, () => sink.datagrams.length >= 1000);
      expect(sink.datagrams.map(({ octets }) => octets.readUInt16BE(2))).toEqual(
        Array.from({ length: 1000 }, (_, i) => i),
      );
    });

    test('each port has its own datagrams', async () => {
      const sinks = Array.from({ length: 300 }, () => new CollectingSink());
      const opened = await Promise.all(sinks.map((one) => open('127.0.0.1', one)));
      for (let round = 0; round < 2; round++)
        await Promise.all(opened.map(({ port }, i) => send(`round ${round} to ${i}`, port)));
      await handOverUntil(receiver, () => sinks.every(({ datagrams }) => datagrams.length >= 2));
      expect(sinks.map(({ texts }) => texts)).toEqual(sinks.map((_, i) => [`round 0 to ${i}`, `round 1 to ${i}`]));
    });

    test('sends from its own port', async () => {
      const port = await open();
      const got = new Promise<{ text: string; port: number }>((resolve) =>
        sender.once('message', (message, remote) => resolve({ text: message.toString(), port: remote.port })),
      );
      port.send(Buffer.from('report'), '127.0.0.1', sender.address().port);
      expect(await got).toEqual({ text: 'report', port: port.port });
    });

    test('sends small, large and empty arrays as they are', async () => {
      const port = await open();
      const sent = [Uint8Array.of(1, 2, 3), new Uint8Array(1400).fill(7), new Uint8Array(0), Buffer.from('pooled')];
      for (const octets of sent) port.send(octets, '127.0.0.1', port.port);
      await handOverUntil(receiver, () => sink.datagrams.length >= sent.length);
      expect(sink.datagrams.map(({ octets }) => octets)).toEqual(sent.map((octets) => Buffer.from(octets)));
    });

    test('what cannot be sent is ignored', async () => {
      const port = await open();
      port.send(Buffer.from('x'), '::1', 9);
      port.send(Buffer.alloc(70_000), '127.0.0.1', 9);
      await send('still here', port.port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 1);
      await port.close();
      port.send(Buffer.from('x'), '127.0.0.1', sender.address().port);
      expect(sink.texts).toEqual(['still here']);
    });

    test('an ICMP error for what was sent does not disturb', async () => {
      const port = await open();
      const gone = await open();
      await gone.close();
      port.send(Buffer.from('x'), '127.0.0.1', gone.port);
      await handOverForAWhile(receiver);
      await send('after', port.port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 1);
      expect(sink.texts).toEqual(['after']);
    });

    test('a closed port is free at once, closing twice is closing once', async () => {
      const port = await open();
      await Promise.all([port.close(), port.close()]);
      const again = await open('127.0.0.1', sink, port.port);
      expect(again.port).toBe(port.port);
      await send('to the new one', again.port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 1);
      expect(sink.texts).toEqual(['to the new one']);
    });

    test('nothing is delivered after closing, though the kernel has it', async () => {
      const port = await open();
      const otherSink = new CollectingSink();
      const other = await open('127.0.0.1', otherSink);
      for (let i = 0; i < 20; i++) await send('pending', port.port);
      await port.close();
      await send('other', other.port);
      await handOverUntil(receiver, () => otherSink.datagrams.length >= 1);
      const seen = sink.datagrams.length;
      await handOverForAWhile(receiver);
      expect(sink.datagrams.length).toBe(seen);
    });

    test('a sink may close its own port', async () => {
      const port = await open();
      let closing: Promise<void> | undefined;
      sink.after = () => {
        closing ??= port.close();
      };
      for (let i = 0; i < 5; i++) await send(`${i}`, port.port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 1);
      await closing;
      const seen = sink.datagrams.length;
      await handOverForAWhile(receiver);
      expect(sink.datagrams.length).toBe(seen);
      expect(sink.texts[0]).toBe('0');
      await open('127.0.0.1', sink, port.port);
    });

    test('a sink may close other ports, open new ones and send', async () => {
      const otherSinks = Array.from({ length: 8 }, () => new CollectingSink());
      const others = await Promise.all(otherSinks.map((one) => open('127.0.0.1', one)));
      const first = await open();
      const newSink = new CollectingSink();
      let opening: Promise<ReceiverPort> | undefined;
      let closing: Promise<unknown> | undefined;
      sink.after = () => {
        if (opening) return;
        closing = Promise.all(others.slice(4).map((port) => port.close()));
        opening = open('127.0.0.1', newSink);
        first.send(Buffer.from('sent'), '127.0.0.1', first.port);
      };
      await send('go', first.port);
      for (const { port } of others) await send('x', port);
      await handOverUntil(receiver, () => sink.texts.includes('sent'));
      await closing;
      const { port } = await opening!;
      await send('new', port);
      await handOverUntil(receiver, () => newSink.datagrams.length >= 1);
      await handOverUntil(receiver, () => otherSinks.slice(0, 4).every(({ datagrams }) => datagrams.length === 1));
      expect(newSink.texts).toEqual(['new']);
      expect(sink.texts).toEqual(['go', 'sent']);
    });

    test('handing over inside a sink does no harm', async () => {
      const { port } = await open();
      sink.after = () => receiver.handOver();
      for (let i = 0; i < 50; i++) await send(`${i}`, port);
      await handOverUntil(receiver, () => sink.datagrams.length >= 50);
      expect(sink.texts.toSorted((a, b) => Number(a) - Number(b))).toEqual(
        Array.from({ length: 50 }, (_, i) => `${i}`),
      );
    });

    test.skipIf(!ipv6)('IPv6', async () => {
      const from = await boundSocket('::1');
      const { port } = await open('::1');
      await send('six', port, from, '::1');
      await send('seven', port, from, '::1');
      await handOverUntil(receiver, () => sink.datagrams.length >= 2);
      expect(sink.texts).toEqual(['six', 'seven']);
      const [first, second] = sink.datagrams;
      expect(first!.source).toEqual({ host: '::1', port: from.address().port });
      expect(second!.source).toBe(first!.source);
      const got = new Promise<string>((resolve) => from.once('message', (message) => resolve(message.toString())));
      ports[0]!.send(Buffer.from('back'), '::1', from.address().port);
      expect(await got).toBe('back');
      await new Promise<void>((resolve) => from.close(() => resolve()));
      await expect(receiver.open('::1', port, sink)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    });

    test.skipIf(!ipv6)('IPv4 on a socket for both', async () => {
      const { port } = await open('::');
      const from = await boundSocket('::1');
      await send('four', port);
      await send('six', port, from, '::1');
      await handOverUntil(receiver, () => sink.datagrams.length >= 2);
      expect(sink.datagrams.map(({ source }) => source.host)).toEqual(['::ffff:127.0.0.1', '::1']);
      const got = new Promise<string>((resolve) => sender.once('message', (message) => resolve(message.toString())));
      ports[0]!.send(Buffer.from('back'), sink.datagrams[0]!.source.host, sender.address().port);
      expect(await got).toBe('back');
      await new Promise<void>((resolve) => from.close(() => resolve()));
    });

    test.skipIf(process.platform !== 'linux')(
      '2,000 ports are opened and closed without a descriptor left',
      async () => {
        const before = descriptors();
        const many: ReceiverPort[] = [];
        for (let i = 0; i < 2000; i++) many.push(await receiver.open('127.0.0.1', 0, sink));
        expect(descriptors()).toBe(before + 2000);
        expect(new Set(many.map(({ port }) => port)).size).toBe(2000);
        await send('last', many.at(-1)!.port);
        await handOverUntil(receiver, () => sink.datagrams.length >= 1);
        await Promise.all(many.map((port) => port.close()));
        expect(descriptors()).toBe(before);
      },
    );

    test.skipIf(process.platform !== 'linux')('what the kernel drops because nobody reads is counted', async () => {
      const flooded = await open();
      const other = await open();
      await receiver.readKernelDrops();
      expect([flooded.kernelDrops, other.kernelDrops]).toEqual([0, 0]);
      const from = await boundSocket();
      await new Promise<void>((resolve) => from.connect(flooded.port, '127.0.0.1', resolve));
      // Without a pause, so that this thread cannot read in between: four times what the socket holds.
      const octets = Buffer.alloc(1000);
      for (let i = 0; i < 4000; i++) from.send(octets);
      await new Promise<void>((resolve) => from.close(() => resolve()));
      await handOverForAWhile(receiver);
      await receiver.readKernelDrops();
      expect(sink.datagrams.length).toBeGreaterThan(100);
      expect(flooded.kernelDrops).toBe(4000 - sink.datagrams.length);
      expect(other.kernelDrops).toBe(0);
    });

    test.skipIf(process.platform !== 'linux')('failed opening leaves no descriptor', async () => {
      const { port } = await open();
      const before = descriptors();
      for (let i = 0; i < 20; i++) await receiver.open('127.0.0.1', port, sink).catch(() => {});
      expect(descriptors()).toBe(before);
    });
  });
}
