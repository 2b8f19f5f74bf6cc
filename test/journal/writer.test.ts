import { beforeEach, describe, expect, test } from 'vitest';
import { datagramFlow, JournalWriter, MAX_DATAGRAM_OCTETS } from '../../src/journal/writer.ts';
import { heapGrowth } from '../rtp/heap-growth.ts';
import { onesComplementSum, pseudoHeader } from './frames.ts';
import { blockEnds, takeAll } from './read-journal.ts';

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const V4_FLOW = datagramFlow({ host: '192.0.2.1', port: 30_000 }, { host: '198.51.100.9', port: 40_000 });
const V6_FLOW = datagramFlow({ host: '2001:db8::1', port: 30_001 }, { host: 'fe80::9%eth0', port: 65_535 });

/** Hexadecimal, with comments. */
const octetsOf = (text: string) => Buffer.from(text.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s/g, ''), 'hex');
const counting = (length: number) => Uint8Array.from({ length }, (_, index) => index * 7 + 1);

let writer: JournalWriter;
beforeEach(() => {
  writer = new JournalWriter();
});

/** What one call writes. */
function written(write: () => unknown): Buffer {
  takeAll(writer);
  write();
  return takeAll(writer);
}

const datagram = (flow = V4_FLOW, payload: Uint8Array = Buffer.from('hello'), timeMs = NOON_MS + 0.5) =>
  written(() => writer.writeDatagram(0, timeMs, flow, payload, 0, payload.length));

/** The packet inside an enhanced packet block (§4.3). */
const packetIn = (block: Buffer) => block.subarray(28, 28 + block.readUInt32LE(20));

describe('octet for octet (draft-ietf-opsawg-pcapng)', () => {
  test('section header block (§4.1)', () => {
    expect(written(() => writer.beginSection())).toEqual(
      octetsOf(`
        0a0d0d0a 2c000000             // type, total length 44
        4d3c2b1a 0100 0000            // byte-order magic, version 1.0
        ffffffff ffffffff             // section length: not specified
        0400 0700 73697072 65656c00   // shb_userappl "sipreel"
        0000 0000                     // end of options
        2c000000`),
    );
  });

  test('interface description block (§4.2)', () => {
    expect(written(() => writer.addInterface('s0', 'label 1'))).toEqual(
      octetsOf(`
        01000000 34000000             // type, total length 52
        6500 0000 00000000            // LINKTYPE_RAW, reserved, no snap length
        0200 0200 73300000            // if_name "s0"
        0300 0700 6c616265 6c203100   // if_description "label 1"
        0900 0100 09000000            // if_tsresol 10^-9
        0000 0000                     // end of options
        34000000`),
    );
  });

  test('enhanced packet block (§4.3) with IPv4 (RFC 791) and UDP (RFC 768)', () => {
    expect(datagram()).toEqual(
      octetsOf(`
        06000000 44000000             // type, total length 68
        00000000                      // interface
        9c998618 2021a936             // 1767268800000500000 ns, upper half first
        21000000 21000000             // captured and original length 33
        4500 0021 0000 4000           // no options, length 33, identification 0, DF
        40 11 4e8e c0000201 c6336409  // TTL 64, UDP, checksum, addresses
        7530 9c40 000d 0000           // ports, length 13, no checksum
        68656c6c 6f 000000            // "hello", padding to 32 bits
        44000000`),
    );
  });

  test('the same with IPv6 (RFC 8200)', () => {
    const block = datagram(V6_FLOW);
    const checksum = block.subarray(74, 76).toString('hex');
    expect(block).toEqual(
      octetsOf(`
        06000000 58000000 00000000 9c998618 2021a936 35000000 35000000
        60000000 000d 11 40           // no flow label, payload length 13, UDP, hop limit 64
        20010db8000000000000000000000001
        fe800000000000000000000000000009
        7531 ffff 000d ${checksum}
        68656c6c 6f 000000
        58000000`),
    );
    const packet = packetIn(block);
    expect(onesComplementSum(pseudoHeader(packet), packet.subarray(40))).toBe(0);
    expect(checksum).not.toBe('0000');
  });

  test('a whole file: section, interface, packet', () => {
    writer.beginSection();
    writer.addInterface('s0', 'label 1');
    writer.writeDatagram(0, NOON_MS, V4_FLOW, Buffer.from('hello'), 0, 5);
    expect(writer.octets).toBe(44 + 52 + 68);
    expect(blockEnds(takeAll(writer))).toEqual([44, 44 + 52, 44 + 52 + 68]);
    expect(writer.octets).toBe(0);
  });
});

describe('interfaces', () => {
  test('are numbered from 0 in each section', () => {
    const numbers = () => ['s0', 's1', 's2'].map((name) => writer.addInterface(name, ''));
    writer.beginSection();
    expect(numbers()).toEqual([0, 1, 2]);
    writer.beginSection();
    expect(numbers()).toEqual([0, 1, 2]);
  });

  test('without a description, and with a name of any length', () => {
    for (const name of ['', 'a', 'ab', 'abc', 'abcd', 'ä€']) {
      const block = written(() => writer.addInterface(name, ''));
      const length = Buffer.byteLength(name);
      const padded = (length + 3) & ~3;
      expect([block.readUInt16LE(16), block.readUInt16LE(18)]).toEqual([2, length]);
      expect(block.toString('utf8', 20, 20 + length)).toBe(name);
      expect(block.subarray(20 + length, 20 + padded).every((octet) => octet === 0)).toBe(true);
      expect(block.subarray(20 + padded).toString('hex')).toBe(
        `030000000900010009000000${'00000000'}${block.subarray(4, 8).toString('hex')}`,
      );
    }
  });

  test('names and descriptions beyond 1024 octets are cut', () => {
    const block = written(() => writer.addInterface('n'.repeat(5000), 'd'.repeat(5000)));
    expect(block).toHaveLength(16 + 4 + 1024 + 4 + 1024 + 8 + 4 + 4);
    expect(block.readUInt32LE(4)).toBe(block.length);
  });
});

describe('datagrams', () => {
  test('of every length modulo four are padded with zeros, also where a buffer held something before', () => {
    const spare = Buffer.alloc(4096, 0xff);
    for (let length = 0; length <= 9; length++) {
      writer.take(spare.fill(0xff));
      writer.writeDatagram(0, NOON_MS, V4_FLOW, counting(length), 0, length);
      const block = takeAll(writer);
      const end = 28 + 28 + length;
      expect(block).toHaveLength(((end + 3) & ~3) + 4);
      expect(block.subarray(56, end)).toEqual(Buffer.from(counting(length)));
      expect(block.subarray(end, -4).every((octet) => octet === 0)).toBe(true);
      expect([block.readUInt32LE(4), block.readUInt32LE(block.length - 4)]).toEqual([block.length, block.length]);
    }
  });

  test('are taken from within a buffer', () => {
    const buffer = counting(600);
    const block = written(() => writer.writeDatagram(0, NOON_MS, V4_FLOW, buffer, 17, 190));
    expect(block.subarray(56, 56 + 173)).toEqual(Buffer.from(buffer.subarray(17, 190)));
  });

  test.each([
    ['IPv4', V4_FLOW, 20],
    ['IPv6', V6_FLOW, 40],
  ] as const)('as long as they can be: %s', (_name, flow, headerOctets) => {
    const payload = counting(MAX_DATAGRAM_OCTETS + 1);
    expect(writer.writeDatagram(0, NOON_MS, flow, payload, 0, payload.length)).toBe(false);
    expect(writer.octets).toBe(0);
    expect(writer.writeDatagram(0, NOON_MS, flow, payload, 0, MAX_DATAGRAM_OCTETS)).toBe(true);
    const packet = packetIn(takeAll(writer));
    expect(packet).toHaveLength(headerOctets + 8 + 65_507);
    expect(packet.readUInt16BE(headerOctets + 4)).toBe(65_515);
    if (headerOctets === 20) expect(packet.readUInt16BE(2)).toBe(65_535);
    else expect(onesComplementSum(pseudoHeader(packet), packet.subarray(40))).toBe(0);
  });

  test('the checksums are right, whatever the addresses, the length and the content', () => {
    for (let index = 0; index < 200; index++) {
      const hosts = [
        [`10.${index}.255.${255 - index}`, `192.168.0.${index}`],
        [`2001:db8::${(index * 331).toString(16)}`, `ffff:ffff:ffff:${index}::1`],
      ];
      const payload = counting(index).fill(255, index >> 1);
      for (const [from, to] of hosts) {
        const flow = datagramFlow({ host: from!, port: 1024 + index * 300 }, { host: to!, port: 65_535 - index });
        const packet = packetIn(datagram(flow, payload));
        if (packet[0] === 0x45) expect(onesComplementSum(packet.subarray(0, 20))).toBe(0);
        else expect(onesComplementSum(pseudoHeader(packet), packet.subarray(40))).toBe(0);
      }
    }
  });

  test('a UDP checksum over IPv6 that comes out as 0 is written as 0xffff (RFC 8200 §8.1)', () => {
    const flow = datagramFlow({ host: '::1', port: 1 }, { host: '::1', port: 2 });
    const plain = packetIn(datagram(flow, Uint8Array.of(0, 0)));
    // Adding the checksum itself to the content leaves nothing to add.
    const packet = packetIn(datagram(flow, plain.subarray(46, 48)));
    expect(packet.readUInt16BE(46)).toBe(0xffff);
  });

  test.each([
    ['192.0.2.1', '::', 'c0000201 00000000'],
    ['192.0.2.1', '0.0.0.0', 'c0000201 00000000'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.9', 'c0000201 c0000209'],
    ['192.0.2.1', 'rec.example', 'c0000201 00000000'],
    ['', '', '00000000 00000000'],
    ['2001:db8::1', '0.0.0.0', '20010db8000000000000000000000001 00000000000000000000000000000000'],
    ['2001:db8::1', 'rec.example', '20010db8000000000000000000000001 00000000000000000000000000000000'],
    ['192.0.2.1', '2001:db8::1', '00000000000000000000000000000000 20010db8000000000000000000000001'],
    ['::', '::', '00000000000000000000000000000000 00000000000000000000000000000000'],
  ])('from %s to %s', (from, to, addresses) => {
    const packet = packetIn(datagram(datagramFlow({ host: from, port: 1 }, { host: to, port: 2 })));
    const hex = addresses.replaceAll(' ', '');
    expect(packet[0]! >> 4).toBe(hex.length === 16 ? 4 : 6);
    expect(packet.subarray(packet[0]! >> 4 === 4 ? 12 : 8).toString('hex', 0, hex.length / 2)).toBe(hex);
  });

  test('one flow serves many packets', () => {
    const first = datagram(V4_FLOW, counting(100));
    datagram(V4_FLOW, counting(3));
    expect(datagram(V4_FLOW, counting(100))).toEqual(first);
  });
});

describe('the buffer', () => {
  test.each([0, 1, 63, 64, 65, 130, 8192])('that begins with %i octets grows as needed', (initialOctets) => {
    writer = new JournalWriter(initialOctets);
    writer.beginSection();
    writer.addInterface('s0', 'x'.repeat(300));
    for (let length = 0; length < 3000; length += 97)
      writer.writeDatagram(0, NOON_MS, V4_FLOW, counting(length), 0, length);
    const small = takeAll(writer);
    const large = new JournalWriter(1 << 20);
    large.beginSection();
    large.addInterface('s0', 'x'.repeat(300));
    for (let length = 0; length < 3000; length += 97)
      large.writeDatagram(0, NOON_MS, V4_FLOW, counting(length), 0, length);
    expect(small.equals(takeAll(large))).toBe(true);
  });

  test('is handed over whole and stays untouched until it comes back', () => {
    writer.beginSection();
    const first = writer.take(Buffer.alloc(1000));
    const kept = Buffer.from(first.buffer.subarray(0, first.octets));
    writer.addInterface('s0', '');
    for (let i = 0; i < 100; i++) writer.writeDatagram(0, NOON_MS, V4_FLOW, counting(100), 0, 100);
    expect(first.buffer.subarray(0, first.octets).equals(kept)).toBe(true);
    const second = writer.take(first.buffer);
    expect(blockEnds(second.buffer.subarray(0, second.octets))).toHaveLength(101);
    writer.beginSection();
    const third = writer.take(Buffer.alloc(0));
    expect(third.buffer).toBe(first.buffer);
    expect(third.buffer.subarray(0, third.octets).equals(kept)).toBe(true);
  });

  test.each([
    ['empty', () => Buffer.alloc(0)],
    ['too small', () => Buffer.alloc(63)],
    ['of an odd length', () => Buffer.alloc(1023)],
    ['not aligned', () => Buffer.from(new ArrayBuffer(5000), 2, 4000)],
    ['within another', () => Buffer.from(new ArrayBuffer(5000), 8, 100)],
  ])('a spare that is %s does no harm', (_name, spareOf) => {
    const expected = datagram(V6_FLOW, counting(500));
    const spare = spareOf();
    const around = new Uint8Array(spare.buffer);
    around.fill(0xee);
    writer.take(spare);
    writer.writeDatagram(0, NOON_MS + 0.5, V6_FLOW, counting(500), 0, 500);
    writer.writeDatagram(0, NOON_MS + 0.5, V6_FLOW, counting(500), 0, 500);
    expect(takeAll(writer).equals(Buffer.concat([expected, expected]))).toBe(true);
    const outside = [...around.subarray(0, spare.byteOffset), ...around.subarray(spare.byteOffset + spare.length)];
    expect(outside.every((octet) => octet === 0xee)).toBe(true);
  });
});

test('writing a datagram allocates nothing but, at most, a box for the time', () => {
  const payload = counting(172);
  writer = new JournalWriter(1 << 20);
  writer.addInterface('s0', '');
  let spare: Buffer = Buffer.allocUnsafeSlow(1 << 20);
  const timesMs = new Float64Array(1);
  const grown = heapGrowth(200_000, (index) => {
    timesMs[0] = NOON_MS + index * 20.25;
    writer.writeDatagram(0, timesMs[0]!, index % 2 === 0 ? V4_FLOW : V6_FLOW, payload, 0, 172);
    if (writer.octets > 1_000_000) spare = writer.take(spare).buffer;
  });
  // A box is 16 octets, which makes 3.2 MB; the smallest object would be 32.
  expect(grown).toBeLessThan(4_500_000);
});
