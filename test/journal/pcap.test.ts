// Classic pcap files, and datagrams that were cut into fragments on the way.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openCapture } from '../../src/journal/open-capture.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

type Order = 'LE' | 'BE';

function pcap(
  packets: { frame: Buffer; timeMs: number }[],
  { order = 'LE' as Order, nanoseconds = false, link = 101 } = {},
): Buffer {
  const word = (value: number) => {
    const octets = Buffer.alloc(4);
    if (order === 'LE') octets.writeUInt32LE(value >>> 0);
    else octets.writeUInt32BE(value >>> 0);
    return octets;
  };
  const version = order === 'LE' ? Buffer.from([2, 0, 4, 0]) : Buffer.from([0, 2, 0, 4]);
  const head = [word(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4), version, word(0), word(0), word(65_535), word(link)];
  const records = packets.flatMap(({ frame, timeMs }) => {
    const seconds = Math.floor(timeMs / 1000);
    const fraction = Math.round((timeMs - seconds * 1000) * (nanoseconds ? 1e6 : 1e3));
    return [word(seconds), word(fraction), word(frame.length), word(frame.length), frame];
  });
  return Buffer.concat([...head, ...records]);
}

function udp(payload: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(5060, 0);
  header.writeUInt16BE(5070, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  return Buffer.concat([header, payload]);
}

/** A piece of an IPv4 packet: `offset` in octets. */
function ipv4(piece: Buffer, { id = 7, offset = 0, more = false } = {}): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + piece.length, 2);
  header.writeUInt16BE(id, 4);
  header.writeUInt16BE((more ? 0x2000 : 0) | (offset / 8), 6);
  header[9] = 17;
  header.set([192, 0, 2, 1, 192, 0, 2, 2], 12);
  return Buffer.concat([header, piece]);
}

function ipv6(piece: Buffer, offset: number, more: boolean): Buffer {
  const header = Buffer.alloc(48);
  header[0] = 0x60;
  header.writeUInt16BE(8 + piece.length, 4);
  header[6] = 44;
  header[23] = 1;
  header[39] = 2;
  header[40] = 17;
  header.writeUInt16BE(offset | (more ? 1 : 0), 42);
  header.writeUInt32BE(99, 44);
  return Buffer.concat([header, piece]);
}

async function read(file: Buffer) {
  const path = join(await temporaryDirectory(), 'x.pcap');
  writeFileSync(path, file);
  using reader = openCapture(path);
  const packets: { timeMs: number; from: string; payload: string }[] = [];
  while (reader.next()) {
    const { buffer, payloadStart, payloadEnd, timeMs } = reader;
    packets.push({
      timeMs,
      from: `${reader.sourceHost()}:${reader.sourcePort}`,
      payload: buffer.toString('latin1', payloadStart, payloadEnd),
    });
  }
  return { packets, truncated: reader.truncated, ignored: reader.ignored };
}

const TIME_MS = 1_700_000_000_123.456;
const hello = ipv4(udp(Buffer.from('hello')));

describe('classic pcap', () => {
  test.each([
    ['LE', false],
    ['BE', false],
    ['LE', true],
    ['BE', true],
  ] as const)('%s, nanoseconds: %s', async (order, nanoseconds) => {
    const { packets, truncated } = await read(pcap([{ frame: hello, timeMs: TIME_MS }], { order, nanoseconds }));
    expect(packets).toEqual([{ timeMs: expect.closeTo(TIME_MS, 3), from: '192.0.2.1:5060', payload: 'hello' }]);
    expect(truncated).toBe(false);
  });

  test('cut anywhere: whole records, and that something is missing', async () => {
    const whole = pcap([1, 2].map((second) => ({ frame: hello, timeMs: second * 1000 })));
    const end = whole.length - 16 - hello.length;
    for (let cut = 24; cut < whole.length; cut++) {
      const { packets, truncated } = await read(whole.subarray(0, cut));
      expect([cut, packets.length, truncated]).toEqual([cut, cut >= end ? 1 : 0, cut !== 24 && cut !== end]);
    }
  });

  test('longer than what is read at once', async () => {
    const frame = ipv4(udp(Buffer.alloc(1400, 65)));
    const file = pcap(Array.from({ length: 3000 }, (_, i) => ({ frame, timeMs: i })));
    expect(file.length).toBeGreaterThan(4 << 20);
    expect((await read(file)).packets).toHaveLength(3000);
  });

  test('what is neither kind of capture is refused in words', async () => {
    await expect(read(Buffer.from('RIFF....'))).rejects.toThrow('neither');
    await expect(read(Buffer.alloc(0))).rejects.toThrow('neither');
  });

  test('a real one, as tcpdump wrote it', async () => {
    const file = readFileSync(new URL('../fixtures/opensips/udp-basic/udp-basic.pcap', import.meta.url));
    const { packets } = await read(file);
    expect(packets.some(({ payload }) => payload.startsWith('INVITE '))).toBe(true);
  });
});

describe('fragments', () => {
  const datagram = udp(Buffer.from('x'.repeat(3000)));
  const parts = [
    { frame: ipv4(datagram.subarray(0, 1480), { more: true }), timeMs: 1 },
    { frame: ipv4(datagram.subarray(1480, 2960), { offset: 1480, more: true }), timeMs: 2 },
    { frame: ipv4(datagram.subarray(2960), { offset: 2960 }), timeMs: 3 },
  ];
  const orders = [
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
    [0, 0, 2, 1],
  ];

  test.each(orders.map((order) => [order]))('in the order %s', async (order) => {
    const { packets } = await read(pcap(order.map((index) => parts[index]!)));
    expect(packets.map(({ payload }) => payload)).toEqual(['x'.repeat(3000)]);
  });

  test('one missing: nothing is made up', async () => {
    const { packets, ignored } = await read(pcap([parts[0]!, parts[2]!]));
    expect([packets.length, ignored]).toEqual([0, 2]);
  });

  test('of two datagrams between each other', async () => {
    const other = udp(Buffer.from('y'.repeat(2000)));
    const mixed = [
      parts[0]!,
      { frame: ipv4(other.subarray(0, 1480), { id: 8, more: true }), timeMs: 1 },
      parts[1]!,
      { frame: ipv4(other.subarray(1480), { id: 8, offset: 1480 }), timeMs: 2 },
      parts[2]!,
    ];
    expect((await read(pcap(mixed))).packets.map(({ payload }) => payload[0])).toEqual(['y', 'x']);
  });

  test('IPv6', async () => {
    const { packets } = await read(
      pcap([
        { frame: ipv6(datagram.subarray(0, 1448), 0, true), timeMs: 1 },
        { frame: ipv6(datagram.subarray(1448), 1448, false), timeMs: 2 },
      ]),
    );
    expect(packets).toMatchObject([{ payload: 'x'.repeat(3000) }]);
  });
});
