// Damaged journals: nothing is thrown, nothing goes on for ever, no offset leads out of the buffer.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ParsedPacket, parsePacket } from '../../src/journal/packet-parser.ts';
import { wholeBlocksEnd } from '../../src/journal/tail.ts';
import { Blocks } from './blocks.ts';
import * as frames from './frames.ts';
import { journalFile } from './read-journal.ts';
import { writeSample } from './sample-journal.ts';

const file = journalFile();
const udp = frames.udp(1, 2, Buffer.from('hello'));
const tcp = frames.tcp(1, 2, 3, Buffer.from('hello'), [1, 1, 1, 0]);
const FRAMES: [number, Buffer][] = [
  [frames.ETHERNET, frames.ethernet(frames.ipv4(17, udp), [[0x8100, 1]])],
  [frames.ETHERNET, frames.ethernet(frames.ipv6(6, tcp))],
  [frames.LINUX_SLL, frames.cooked(frames.ipv4(6, tcp, frames.V4, { options: [1, 1, 1, 0] }))],
  [frames.LINUX_SLL2, frames.cooked2(frames.ipv6(17, udp, frames.V6, [[0, [0, 1, 4, 0, 0, 0, 0]]]))],
  [frames.BSD_NULL, frames.loopback(frames.ipv4(17, udp))],
  [frames.RAW, frames.ipv6(17, udp)],
];

function foreign(order: 'little' | 'big'): Buffer {
  const blocks = new Blocks(order).section([[4, 'dumpcap']]);
  FRAMES.forEach(([linkType, frame], index) => {
    blocks.describe(linkType, [
      [2, `eth${index}`],
      [9, Uint8Array.of(9)],
      [14, Buffer.alloc(8)],
    ]);
    blocks.packet(index, 1_767_268_800_000_000_000n, frame, [[1, 'comment']]);
  });
  return blocks.block(5, Buffer.alloc(12)).bytes;
}

const JOURNALS = [
  writeSample(1).octets,
  foreign('little'),
  foreign('big'),
  Buffer.concat([foreign('big'), writeSample(2).octets]),
];
const longest = Math.max(...JOURNALS.map(({ length }) => length));

type Damage =
  | { kind: 'octet'; at: number; value: number }
  | { kind: 'word'; at: number; value: number }
  | { kind: 'zeros'; at: number; length: number }
  | { kind: 'copy'; at: number; from: number; length: number }
  | { kind: 'remove'; at: number; length: number };

const at = fc.nat(longest);
const value = fc.constantFrom(
  0,
  1,
  3,
  6,
  8,
  12,
  16,
  32,
  0xff,
  0xffff,
  0x0a0d_0d0a,
  0x1a2b_3c4d,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_fffc,
);
const length = fc.nat(200);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('octet' as const), at, value: fc.nat(255) }),
  fc.record({ kind: fc.constant('word' as const), at, value }),
  fc.record({ kind: fc.constant('zeros' as const), at, length }),
  fc.record({ kind: fc.constant('copy' as const), at, from: at, length }),
  fc.record({ kind: fc.constant('remove' as const), at, length }),
);

function damaged(journal: Buffer, damages: readonly Damage[]): Buffer {
  let octets = new Uint8Array(journal);
  for (const each of damages) {
    const end = each.at + ('length' in each ? each.length : 0);
    if (each.kind === 'octet') octets.fill(each.value, each.at, each.at + 1);
    else if (each.kind === 'zeros') octets.fill(0, each.at, end);
    else if (each.kind === 'copy') octets.copyWithin(each.at, each.from, each.from + each.length);
    else if (each.kind === 'remove') octets = Uint8Array.of(...octets.subarray(0, each.at), ...octets.subarray(end));
    else if ((each.at & ~3) + 4 <= octets.length) new DataView(octets.buffer).setUint32(each.at & ~3, each.value, true);
  }
  return Buffer.from(octets);
}

const journals = fc.nat(JOURNALS.length - 1);

test('damaged journals are read to their end, and everything before the damage is there', () => {
  fc.assert(
    fc.property(journals, fc.array(damage, { minLength: 1, maxLength: 6 }), (which, damages) => {
      const journal = JOURNALS[which]!;
      const first = Math.min(...damages.map((each) => each.at));
      const { packets: before } = file.read(journal.subarray(0, first & ~3));
      const octets = damaged(journal, damages);
      // Counts the steps and checks the offsets.
      const { packets, wholeOctets, skippedOctets, truncated } = file.read(octets);
      expect(packets.slice(0, before.length)).toEqual(before);
      expect(Math.max(wholeOctets, skippedOctets)).toBeLessThanOrEqual(octets.length);
      expect(truncated).toBe(skippedOctets > 0);
    }),
    { numRuns: 1000 },
  );
});

test('the end of a damaged journal is found within it, behind a block', () => {
  fc.assert(
    fc.property(journals, fc.array(damage, { maxLength: 6 }), fc.boolean(), (which, damages, isWhole) => {
      const octets = damaged(JOURNALS[which]!, damages);
      const end = wholeBlocksEnd(octets, isWhole);
      if (end === -1) return;
      expect(end >= 12 && end % 4 === 0 && end <= octets.length).toBe(true);
      const total = octets.readUInt32LE(end - 4);
      expect(octets.readUInt32LE(end - total + 4)).toBe(total);
    }),
    { numRuns: 1500 },
  );
});

test('damaged packets: what is found lies within the packet', () => {
  const into = new ParsedPacket();
  const linkTypes = fc.constantFrom(0, 1, 101, 113, 228, 229, 276, 105);
  const change = fc.tuple(fc.nat(120), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...FRAMES),
      fc.option(linkTypes),
      fc.array(change, { maxLength: 8 }),
      fc.nat(10),
      fc.nat(120),
      ([ownLinkType, frame], linkType, changes, start, cut) => {
        const buffer = Buffer.concat([Buffer.alloc(start, 0x45), frame, Buffer.alloc(50, 0x45)]);
        for (const [index, octet] of changes) if (index < frame.length) buffer[start + index] = octet;
        const end = start + Math.min(cut, frame.length);
        if (!parsePacket(buffer, start, end, linkType ?? ownLinkType, into)) return;
        const { sourceAddressAt, destinationAddressAt, addressOctets, payloadStart, payloadEnd } = into;
        const marks = [start, sourceAddressAt, destinationAddressAt, destinationAddressAt + addressOctets];
        const all = [...marks, payloadStart - 8, payloadStart, payloadEnd, end];
        expect(all).toEqual(all.toSorted((a, b) => a - b));
      },
    ),
    { numRuns: 5000 },
  );
});

test('any octets at all', () => {
  const octets = fc.uint8Array({ maxLength: 400, size: 'max' });
  const section = new Blocks().section().describe(frames.RAW).bytes;
  fc.assert(
    fc.property(octets, fc.boolean(), (content, behindSection) => {
      const whole = behindSection ? Buffer.concat([section, content]) : Buffer.from(content);
      const { packets, skippedOctets, truncated } = file.read(whole);
      expect(packets).toEqual([]);
      expect([truncated, skippedOctets]).toEqual([content.length > 0, content.length]);
    }),
    { numRuns: 200 },
  );
});
