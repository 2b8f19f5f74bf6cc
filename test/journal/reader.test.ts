import { describe, expect, test } from 'vitest';
import { BlockReader } from '../../src/journal/block-reader.ts';
import { JournalReader } from '../../src/journal/reader.ts';
import { Blocks, type ByteOrder } from './blocks.ts';
import { ipv4, RAW, udp } from './frames.ts';
import { journalFile } from './read-journal.ts';

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const NOON_US = BigInt(NOON_MS) * 1000n;
const file = journalFile();

const packet = (payload: string) => ipv4(17, udp(1, 2, Buffer.from(payload)));
const ORDERS: ByteOrder[] = ['little', 'big'];
const ns: [number, Uint8Array] = [9, Uint8Array.of(9)];

/** Names of interfaces, times after noon and payloads: enough to see what belongs together. */
function summary(octets: Uint8Array) {
  return file
    .read(octets)
    .packets.map(({ interfaceName, timeMs, payload }) => `${interfaceName} +${timeMs - NOON_MS} ${payload}`);
}

describe.each(ORDERS)('%s-endian', (order) => {
  test('a packet, field by field', () => {
    const blocks = new Blocks(order).section().describe(RAW, [[2, 's0']]);
    blocks.packet(0, NOON_US + 1500n, packet('hello'));
    expect(file.read(blocks.bytes)).toEqual({
      packets: [
        {
          interfaceName: 's0',
          timeMs: NOON_MS + 1.5,
          protocol: 'udp',
          source: '192.0.2.1:1',
          destination: '198.51.100.9:2',
          payload: 'hello',
        },
      ],
      interfaces: [{ interfaceId: 0, name: 's0', description: '', linkType: 101 }],
      tcpSequences: [],
      truncated: false,
      skippedOctets: 0,
      wholeOctets: blocks.bytes.length,
      ignored: 0,
    });
  });

  test('options of interfaces (§4.2), known and unknown, in any order', () => {
    const offset = Buffer.alloc(8);
    if (order === 'little') offset.writeBigInt64LE(-3600n);
    else offset.writeBigInt64BE(-3600n);
    const blocks = new Blocks(order).section([
      [4, 'dumpcap'],
      [2, 'x86'],
      [3, 'Linux'],
    ]);
    blocks.describe(RAW, [
      [12, 'Linux 6.1'],
      ns,
      [3, 'Ünïcode'],
      [1, 'a comment'],
      [14, offset],
      [2, 'eth0'],
      [0x8001, 'private'],
    ]);
    blocks.packet(0, (NOON_US + 3_600_000_000n) * 1000n + 250_000n, packet('a'));
    expect(summary(blocks.bytes)).toEqual(['eth0 +0.25 a']);
    expect(file.read(blocks.bytes).interfaces).toEqual([
      { interfaceId: 0, name: 'eth0', description: 'Ünïcode', linkType: 101 },
    ]);
  });

  test('resolutions, each interface with its own', () => {
    const blocks = new Blocks(order).section();
    blocks.describe(RAW, [[2, 'us']]).describe(RAW, [[2, 'ns'], ns]);
    blocks
      .describe(RAW, [
        [2, 'ms'],
        [9, Uint8Array.of(3)],
      ])
      .describe(RAW, [
        [2, 'binary'],
        [9, Uint8Array.of(0x80 | 10)],
      ]);
    blocks.packet(1, NOON_US * 1000n + 1n, packet('b')).packet(0, NOON_US + 1n, packet('a'));
    blocks.packet(3, (BigInt(NOON_MS / 1000) << 10n) + 512n, packet('d')).packet(2, BigInt(NOON_MS) + 3n, packet('c'));
    expect(file.read(blocks.bytes).packets.map(({ interfaceName, timeMs }) => [interfaceName, timeMs])).toEqual([
      ['ns', NOON_MS + 1e-6],
      ['us', NOON_MS + 1e-3],
      ['binary', NOON_MS + 500],
      ['ms', NOON_MS + 3],
    ]);
  });

  test('options behind the packet are no part of it', () => {
    const blocks = new Blocks(order)
      .section()
      .describe(RAW)
      .packet(0, NOON_US, packet('abc'), [
        [1, 'comment'],
        [2, Uint8Array.of(0, 0, 0, 1)],
      ]);
    expect(summary(blocks.bytes)).toEqual([' +0 abc']);
  });

  test('interfaces that appear later', () => {
    const blocks = new Blocks(order)
      .section()
      .describe(RAW, [[2, 's0']])
      .packet(0, NOON_US, packet('a'));
    blocks
      .describe(RAW, [[2, 's1']])
      .packet(1, NOON_US, packet('b'))
      .packet(0, NOON_US, packet('c'));
    expect(summary(blocks.bytes)).toEqual(['s0 +0 a', 's1 +0 b', 's0 +0 c']);
  });

  test('blocks of other kinds are skipped', () => {
    const blocks = new Blocks(order).section();
    blocks.block(4, Buffer.alloc(20)); // name resolution
    blocks
      .describe(RAW, [[2, 's0']])
      .block(0x0bad, Buffer.alloc(0))
      .packet(0, NOON_US, packet('a'));
    blocks.block(5, Buffer.alloc(12)); // interface statistics
    blocks.block(0x8000_0001, Buffer.alloc(1000, 6)).packet(0, NOON_US, packet('b'));
    const { truncated, ignored, skippedOctets } = file.read(blocks.bytes);
    expect({ truncated, ignored, skippedOctets }).toEqual({ truncated: false, ignored: 0, skippedOctets: 0 });
    expect(summary(blocks.bytes)).toEqual(['s0 +0 a', 's0 +0 b']);
  });

  test('what cannot be used is counted', () => {
    const blocks = new Blocks(order).section();
    blocks.packet(0, NOON_US, packet('no interface yet'));
    blocks.describe(RAW, [[2, 's0']]).packet(1, NOON_US, packet('no such interface'));
    blocks.block(3, Buffer.concat([Buffer.from([0, 0, 0, 33]), packet('simple: no time')]));
    blocks.block(6, Buffer.alloc(16)); // too short for its own fields
    blocks.packet(0, NOON_US, Buffer.alloc(0)).packet(0, NOON_US, packet('used'));
    expect(file.read(blocks.bytes)).toMatchObject({ ignored: 5, truncated: false, packets: [{ payload: 'used' }] });
  });

  test('a captured length beyond the block', () => {
    const blocks = new Blocks(order).section().describe(RAW).packet(0, NOON_US, packet('hello'));
    const octets = blocks.bytes;
    const at = octets.length - blocks.lengths.at(-1)! + 20;
    for (const length of [37, 0xffff_ffff, 0x8000_0000]) {
      if (order === 'little') octets.writeUInt32LE(length, at);
      else octets.writeUInt32BE(length, at);
      expect(file.read(octets)).toMatchObject({ packets: [], ignored: 1, truncated: false });
    }
  });
});

describe('sections', () => {
  test('each has its own interfaces and its own byte order', () => {
    const sections = (['little', 'big', 'little'] as const).map((order, index) =>
      new Blocks(order)
        .section()
        .describe(RAW, [[2, `s${index}`]])
        .packet(0, NOON_US, packet(`in section ${index}`))
        .packet(1, NOON_US, packet('only in another section'))
        .describe(RAW, [[2, 'sip']])
        .packet(1, NOON_US, packet('SIP')),
    );
    const octets = Buffer.concat(sections.map(({ bytes }) => bytes));
    expect(summary(octets)).toEqual([0, 1, 2].flatMap((index) => [`s${index} +0 in section ${index}`, 'sip +0 SIP']));
    const { ignored, interfaces } = file.read(octets);
    expect([ignored, interfaces.map(({ interfaceId, name }) => `${interfaceId} ${name}`)]).toEqual([
      3,
      ['0 s0', '1 sip', '2 s1', '3 sip', '4 s2', '5 sip'],
    ]);
  });

  test('the torn beginning of one in the other byte order changes nothing', () => {
    const torn = new Blocks('big').section().bytes.subarray(0, 16);
    const blocks = new Blocks('little')
      .section()
      .describe(RAW, [[2, 's0']])
      .packet(0, NOON_US, packet('a'));
    blocks.raw(torn).packet(0, NOON_US, packet('b'));
    expect(summary(blocks.bytes)).toEqual(['s0 +0 a', 's0 +0 b']);
    expect(file.read(blocks.bytes)).toMatchObject({ truncated: true, skippedOctets: 16 });
  });

  test('an empty one, and one at the end', () => {
    const whole = new Blocks()
      .section()
      .describe(RAW, [[2, 's0']])
      .packet(0, NOON_US, packet('a')).bytes;
    const empty = new Blocks().section().bytes;
    expect(file.read(Buffer.concat([empty, whole, empty]))).toMatchObject({
      truncated: false,
      packets: [{ payload: 'a' }],
    });
  });

  test('more interfaces than are told apart: their packets are ignored', () => {
    const blocks = new Blocks().section();
    for (let i = 0; i < 4100; i++) blocks.describe(RAW, [[2, `s${i}`]]);
    blocks.packet(4095, NOON_US, packet('last')).packet(4096, NOON_US, packet('beyond'));
    const { packets, ignored, interfaces } = file.read(blocks.bytes);
    expect([packets.map(({ interfaceName }) => interfaceName), ignored, interfaces.length]).toEqual([
      ['s4095'],
      1,
      4096,
    ]);
  });
});

describe('no journal', () => {
  const nothing = {
    packets: [],
    interfaces: [],
    tcpSequences: [],
    truncated: false,
    skippedOctets: 0,
    wholeOctets: 0,
    ignored: 0,
  };

  test('an empty file', () => {
    expect(file.read(Buffer.alloc(0))).toEqual(nothing);
  });

  test('something else', () => {
    const text = Buffer.from('RIFF....WAVEfmt, and more of it');
    expect(file.read(text)).toEqual({ ...nothing, truncated: true, skippedOctets: text.length });
  });

  test('blocks without a section', () => {
    const blocks = new Blocks().describe(RAW).packet(0, NOON_US, packet('a')).bytes;
    expect(file.read(blocks)).toEqual({ ...nothing, truncated: true, skippedOctets: blocks.length });
  });

  test('a section of neither byte order', () => {
    const octets = new Blocks().section().bytes;
    octets.writeUInt32LE(0x1a2b_3c4e, 8);
    expect(file.read(octets)).toEqual({ ...nothing, truncated: true, skippedOctets: octets.length });
  });

  test('no file: what opening it throws', () => {
    expect(() => new JournalReader(`${file.path}.absent`)).toThrow(/ENOENT/);
  });
});

test('after close() there is nothing more; closing twice is once', () => {
  file.read(new Blocks().section().describe(RAW).packet(0, NOON_US, packet('a')).packet(0, NOON_US, packet('b')).bytes);
  const reader = new JournalReader(file.path);
  expect(reader.next()).toBe(true);
  reader.close();
  reader.close();
  expect(reader.next()).toBe(false);
});

describe('lengths', () => {
  const opening = () => new Blocks().section().describe(RAW, [[2, 's0']]);
  const header = (type: number, length: number) => {
    const octets = Buffer.alloc(8);
    octets.writeUInt32LE(type);
    octets.writeUInt32LE(length, 4);
    return octets;
  };

  test('a file larger than what is read at once: every packet, whole and in order', () => {
    const blocks = opening();
    // Blocks of many lengths, so that some lie across every chunk.
    const sizes = Array.from({ length: 400 }, (_, index) => (index * 7919) % 30_000);
    sizes.forEach((size, index) => {
      blocks.packet(0, NOON_US + BigInt(index), ipv4(17, udp(index, 2, Buffer.alloc(size, index))));
    });
    expect(blocks.bytes.length).toBeGreaterThan(5 << 20);
    const { packets, truncated } = file.read(blocks.bytes);
    expect(truncated).toBe(false);
    expect(packets.map(({ source }) => source)).toEqual(sizes.map((_, index) => `192.0.2.1:${index}`));
    const wrong = packets.filter(
      ({ payload }, index) => payload !== Buffer.alloc(sizes[index]!, index).toString('latin1'),
    );
    expect(wrong).toEqual([]);
  });

  test('a block larger than the buffer, in the middle of others', () => {
    const blocks = opening()
      .packet(0, NOON_US, packet('before'))
      .block(0x0bad, Buffer.alloc(5 << 20, 6));
    blocks
      .packet(0, NOON_US, packet('behind'))
      .describe(RAW, [[2, 's1']])
      .packet(1, NOON_US, packet('later'));
    expect(summary(blocks.bytes)).toEqual(['s0 +0 before', 's0 +0 behind', 's1 +0 later']);
    expect(file.read(blocks.bytes)).toMatchObject({ truncated: false, skippedOctets: 0 });
  });

  test('the largest block, and one word more, which is refused and searched through', () => {
    const largest = opening()
      .block(0x0bad, Buffer.alloc((16 << 20) - 12))
      .packet(0, NOON_US, packet('behind'));
    expect(file.read(largest.bytes)).toMatchObject({ truncated: false, packets: [{ payload: 'behind' }] });
    const larger = opening()
      .block(0x0bad, Buffer.alloc((16 << 20) - 8))
      .packet(0, NOON_US, packet('behind'));
    expect(file.read(larger.bytes)).toMatchObject({
      truncated: true,
      skippedOctets: (16 << 20) + 4,
      packets: [{ payload: 'behind' }],
    });
  });

  test.each([0, 8, 11, 13, 14, 0xffff_fffc, 0x8000_0000, 0x7fff_fffc])(
    'a length of %i is refused, what follows is found',
    (length) => {
      const blocks = opening().raw(header(6, length)).raw(Buffer.alloc(64)).packet(0, NOON_US, packet('behind'));
      expect(file.read(blocks.bytes)).toMatchObject({
        truncated: true,
        skippedOctets: 72,
        packets: [{ payload: 'behind' }],
      });
    },
  );

  test('a length that is no multiple of four, although it stands at both ends', () => {
    const odd = Buffer.alloc(32);
    odd.writeUInt32LE(6, 0);
    odd.writeUInt32LE(30, 4);
    odd.writeUInt32LE(30, 26);
    const blocks = opening().raw(odd).packet(0, NOON_US, packet('behind'));
    expect(file.read(blocks.bytes)).toMatchObject({
      truncated: true,
      skippedOctets: 32,
      ignored: 0,
      packets: [{ payload: 'behind' }],
    });
  });

  test('memory stays bounded by the largest block', () => {
    const blocks = opening();
    for (let i = 0; i < 20; i++) blocks.raw(header(6, 0xffff_fffc)).raw(header(0x0bad, (15 << 20) + i * 4));
    file.read(blocks.packet(0, NOON_US, packet('behind')).bytes);
    using reader = new JournalReader(file.path);
    expect(reader.next()).toBe(true);
    expect(reader.buffer.length).toBeLessThan(20 << 20);
  });

  test('type 0 is no block', () => {
    const blocks = opening().block(0, Buffer.alloc(20)).packet(0, NOON_US, packet('behind'));
    expect(file.read(blocks.bytes)).toMatchObject({
      truncated: true,
      skippedOctets: 32,
      packets: [{ payload: 'behind' }],
    });
  });
});

test('the block reader hands out bodies and the end of what is whole', async () => {
  const { closeSync, openSync } = await import('node:fs');
  const blocks = new Blocks('big').section().block(0x0bad, Buffer.from('body')).bytes;
  file.read(Buffer.concat([blocks, Buffer.alloc(6)]));
  const fd = openSync(file.path, 'r');
  const reader = new BlockReader(fd);
  const seen: unknown[] = [];
  while (reader.next()) {
    const { type, littleEndian, wholeOctets } = reader;
    seen.push([type, reader.bodyEnd - reader.bodyStart, littleEndian, wholeOctets]);
  }
  closeSync(fd);
  expect(seen).toEqual([
    [0x0a0d_0d0a, 16, false, 28],
    [0x0bad, 4, false, 44],
  ]);
  expect([reader.truncated, reader.skippedOctets, reader.wholeOctets]).toEqual([true, 6, 44]);
});
