// What is left of a journal whose end was torn off, zeroed or overwritten, and how one is continued.
import { closeSync, ftruncateSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { latestPacketMs, wholeBlocksEnd } from '../../src/journal/tail.ts';
import { datagramFlow, JournalWriter } from '../../src/journal/writer.ts';
import { journalOf, START_MS } from '../support/synthetic-journal.ts';
import { blockEnds, journalFile, readJournal } from './read-journal.ts';
import { writeSample } from './sample-journal.ts';

const file = journalFile();
const { octets: sample, packets: samplePackets } = writeSample(100);
const ends = blockEnds(sample);
/** Ends of the blocks that hold a packet: the packets before a cut are those whose block ends before it. */
const packetEnds = ends.filter((end, index) => sample.readUInt32LE(ends[index - 1] ?? 0) === 6 && end > 0);
const wholeBefore = (cut: number) => ends.findLast((end) => end <= cut) ?? 0;
const packetsBefore = (cut: number) => packetEnds.filter((end) => end <= cut).length;

/** Octets that are no block, the same with every run. */
function garbage(length: number): Buffer {
  const octets = Buffer.alloc(length);
  let state = 12_345;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    octets[at] = state >>> 24;
  }
  return octets;
}

test('the sample holds one block for the section, three for interfaces, and one per packet', () => {
  expect([ends.length, packetEnds.length, samplePackets.length]).toEqual([1 + 3 + 6, 6, 6]);
  expect(file.read(sample)).toMatchObject({
    packets: samplePackets,
    truncated: false,
    skippedOctets: 0,
    wholeOctets: sample.length,
    ignored: 0,
  });
});

describe('reading', () => {
  test('cut at every octet: all whole blocks, and nothing of the torn one', () => {
    writeFileSync(file.path, sample);
    for (let cut = sample.length; cut >= 0; cut--) {
      truncateSync(file.path, cut);
      const { packets, truncated, wholeOctets, skippedOctets, ignored } = readJournal(file.path);
      const whole = wholeBefore(cut);
      expect({ cut, truncated, wholeOctets, skippedOctets, ignored }).toEqual({
        cut,
        truncated: cut !== whole,
        wholeOctets: whole,
        skippedOctets: cut - whole,
        ignored: 0,
      });
      expect(packets).toEqual(samplePackets.slice(0, packetsBefore(cut)));
    }
  });

  test('cut and filled up with zeros, as a file system may leave it', () => {
    // Every alignment, and every place within a block in one block or another.
    for (let cut = 0; cut < sample.length; cut += 3) {
      const octets = Buffer.concat([sample.subarray(0, cut), Buffer.alloc(1024 - (cut % 512))]);
      const { packets, truncated, wholeOctets } = file.read(octets);
      // A block of which only zeros were missing is whole again.
      const whole = ends.findLast((end) => sample.subarray(cut, end).every((octet) => octet === 0)) ?? 0;
      expect({ cut, truncated, wholeOctets }).toEqual({ cut, truncated: true, wholeOctets: whole });
      expect(packets).toEqual(samplePackets.slice(0, packetsBefore(whole)));
    }
  });

  test('megabytes of zeros behind the journal, and a journal behind those', () => {
    const zeros = Buffer.alloc(5 << 20);
    const expected = { truncated: true, skippedOctets: zeros.length, ignored: 0 };
    expect(file.read(Buffer.concat([sample, zeros]))).toMatchObject({
      ...expected,
      packets: samplePackets,
      wholeOctets: sample.length,
    });
    expect(file.read(Buffer.concat([sample, zeros, sample]))).toMatchObject({
      ...expected,
      packets: [...samplePackets, ...samplePackets],
    });
  });

  test('garbage behind the journal, between sections, and before the first one', () => {
    const rubbish = garbage((2 << 20) + 4096);
    expect(file.read(Buffer.concat([sample, rubbish, sample, rubbish, Buffer.from('abc')]))).toMatchObject({
      packets: [...samplePackets, ...samplePackets],
      truncated: true,
      skippedOctets: 2 * rubbish.length + 3,
      wholeOctets: 2 * sample.length + rubbish.length,
    });
    expect(file.read(Buffer.concat([rubbish, sample]))).toMatchObject({
      packets: samplePackets,
      truncated: true,
      skippedOctets: rubbish.length,
    });
  });

  test('garbage full of plausible beginnings of blocks', () => {
    const beginnings = Buffer.alloc(6 << 20);
    for (let at = 0; at < beginnings.length; at += 8) {
      beginnings.writeUInt32LE(6, at);
      // Its end would stand where the next type stands.
      beginnings.writeUInt32LE((1 << 20) - 4, at + 4);
    }
    expect(file.read(Buffer.concat([sample, beginnings, sample]))).toMatchObject({
      packets: [...samplePackets, ...samplePackets],
      truncated: true,
      skippedOctets: beginnings.length,
    });
  });

  test('a block overwritten in the middle: the others stay', () => {
    packetEnds.forEach((end, lost) => {
      const start = ends[ends.indexOf(end) - 1]!;
      const octets = Buffer.from(sample);
      garbage(end - start).copy(octets, start);
      const { packets, truncated, skippedOctets } = file.read(octets);
      expect({ truncated, skippedOctets }).toEqual({ truncated: true, skippedOctets: end - start });
      expect(packets).toEqual(samplePackets.toSpliced(lost, 1));
    });
  });

  test('a hole of zeros in the middle, at every place', () => {
    for (let at = 0; at + 64 <= sample.length; at += 4) {
      const octets = Buffer.from(sample).fill(0, at, at + 64);
      const { packets, truncated, ignored } = file.read(octets);
      expect(truncated || packets.length + ignored === samplePackets.length).toBe(true);
      // Whatever was lost, the packets before the hole are there.
      const before = packetsBefore(at);
      expect(packets.slice(0, before)).toEqual(samplePackets.slice(0, before));
    }
  });
});

describe('pages that a power loss left empty', () => {
  const PAGE_OCTETS = 4096;
  const writer = new JournalWriter();
  writer.beginSection();
  writer.addInterface('s0', '');
  const flow = datagramFlow({ host: '10.0.0.1', port: 1000 }, { host: '10.0.0.2', port: 2000 });
  for (let i = 0; i < 5_000; i++) {
    const payload = Buffer.alloc(150 + (i % 7), String(i).padStart(6, '0'));
    writer.writeDatagram(0, 1e12 + i * 20, flow, payload, 0, payload.length);
  }
  const { buffer, octets } = writer.take(Buffer.alloc(0));
  const journal = Buffer.from(buffer.subarray(0, octets));
  const bounds = blockEnds(journal);

  // A megabyte has more pages than there is time for: some of every size, at places that are the same with every run.
  test.each([1, 2, 16, 64, 255])('%i in a row, at the end and in the middle', (pages) => {
    const last = Math.floor(journal.length / PAGE_OCTETS);
    for (const first of [1, 3, 17, 40, 101, 180, last - pages, last]) {
      const from = first * PAGE_OCTETS;
      const to = Math.min(journal.length, from + pages * PAGE_OCTETS);
      if (from < bounds[1]! || from >= to) continue;
      const { packets } = file.read(Buffer.from(journal).fill(0, from, to));
      const kept = bounds.flatMap((end, block) => {
        const begin = bounds[block - 1] ?? 0;
        return block >= 2 && (end <= from || begin >= to) ? [block - 2] : [];
      });
      expect(packets.map(({ payload }) => Number(payload.slice(0, 6)))).toEqual(kept);
    }
  });
});

describe('continuing', () => {
  const { octets: next, packets: nextPackets } = writeSample(9000);

  /** What whoever owns the file does before it goes on: keep everything up to the last whole block, append a section. */
  function goOn(tailOctets: number): void {
    const whole = readFileSync(file.path);
    const from = whole.length <= tailOctets ? 0 : (whole.length - tailOctets) & ~3;
    const tail = Buffer.alloc(whole.length - from);
    whole.copy(tail, 0, from);
    const end = wholeBlocksEnd(tail, from === 0);
    const position = end < 0 ? (whole.length + 3) & ~3 : from + end;
    const fd = openSync(file.path, 'r+');
    if (position < whole.length) ftruncateSync(fd, position);
    writeSync(fd, next, 0, next.length, position);
    closeSync(fd);
  }

  test('after a cut at every octet: nothing before it is lost, nothing behind it', () => {
    for (let cut = 0; cut <= sample.length; cut++) {
      writeFileSync(file.path, sample.subarray(0, cut));
      goOn(256 << 10);
      const { packets, truncated } = readJournal(file.path);
      expect(packets).toEqual([...samplePackets.slice(0, packetsBefore(cut)), ...nextPackets]);
      // Only where not even the section header was whole something unreadable stays; its last three octets are zeros,
      // as is what fills the file up to 32 bits.
      expect({ cut, truncated }).toEqual({ cut, truncated: cut > 0 && cut < ends[0]! - 3 });
    }
  });

  test('when only the end of the file was looked at', () => {
    const twice = Buffer.concat([sample, sample]);
    for (let cut = sample.length; cut <= twice.length; cut += 3) {
      writeFileSync(file.path, twice.subarray(0, cut));
      goOn(401);
      const { packets } = readJournal(file.path);
      expect(packets).toEqual([
        ...samplePackets,
        ...samplePackets.slice(0, packetsBefore(cut - sample.length)),
        ...nextPackets,
      ]);
    }
  });

  test('again and again', () => {
    const cuts = [sample.length - 1, sample.length - 30, 7, ends[3]! + 5, sample.length];
    writeFileSync(file.path, sample);
    const expected = [...samplePackets];
    for (const cut of cuts) {
      goOn(256 << 10);
      const kept = nextPackets.slice(
        0,
        blockEnds(next).filter((end, index, all) => end <= cut && next.readUInt32LE(all[index - 1] ?? 0) === 6).length,
      );
      truncateSync(file.path, readFileSync(file.path).length - next.length + cut);
      expected.push(...kept);
    }
    expect(readJournal(file.path)).toMatchObject({ packets: expected, truncated: false });
  });
});

describe('wholeBlocksEnd', () => {
  test('the whole file, cut at every octet', () => {
    for (let cut = 0; cut <= sample.length; cut++) {
      const expected = cut < ends[0]! ? -1 : wholeBefore(cut);
      expect([cut, wholeBlocksEnd(sample.subarray(0, cut), true)]).toEqual([cut, expected]);
    }
  });

  test('a part of the file: three whole blocks in a row are needed', () => {
    for (let skipped = 1; skipped < ends.length; skipped++) {
      const from = ends[skipped - 1]!;
      // Not at a block's beginning, as the cut through a long file falls.
      const tail = sample.subarray(from - 8);
      const expected = ends.length - skipped >= 3 ? tail.length : -1;
      expect([skipped, wholeBlocksEnd(tail, false)]).toEqual([skipped, expected]);
    }
    expect(wholeBlocksEnd(sample, false)).toBe(sample.length);
  });

  test('memory of any kind, length and alignment', () => {
    const cut = sample.length - 1;
    const torn = sample.subarray(0, cut);
    const expected = wholeBefore(cut);
    expect(wholeBlocksEnd(new Uint8Array(torn), true)).toBe(expected);
    expect(wholeBlocksEnd(Buffer.from(torn), true)).toBe(expected);
    for (let offset = 1; offset <= 4; offset++) {
      const larger = Buffer.alloc(cut + 11, 0xee);
      torn.copy(larger, offset);
      expect(wholeBlocksEnd(larger.subarray(offset, offset + cut), true)).toBe(expected);
    }
  });

  test('zeros and garbage behind the last block', () => {
    expect(wholeBlocksEnd(Buffer.concat([sample, Buffer.alloc(5000)]), true)).toBe(sample.length);
    expect(wholeBlocksEnd(Buffer.concat([sample, garbage(5001)]), true)).toBe(sample.length);
  });

  test('nothing that holds together', () => {
    expect(wholeBlocksEnd(Buffer.alloc(0), true)).toBe(-1);
    expect(wholeBlocksEnd(Buffer.alloc(1000), true)).toBe(-1);
    expect(wholeBlocksEnd(garbage(100_000), true)).toBe(-1);
    // Packets without a section before them.
    expect(wholeBlocksEnd(sample.subarray(ends[1]!, ends[3]!), true)).toBe(-1);
  });
});

describe('latestPacketMs', () => {
  const latest = (octets: Buffer) => {
    writeFileSync(file.path, octets);
    return latestPacketMs(file.path);
  };

  test('of all whole packets, also if a later one was written first', () => {
    const plan = { streamId: 's0', payloadType: 0, rtpTime: 0, ssrc: 1, payload: new Uint8Array(160) };
    const packets = [30, 90.25, 60].map((arrivalMs, sequenceNumber) => ({ ...plan, arrivalMs, sequenceNumber }));
    const whole = journalOf(packets);
    expect(latest(whole)).toBeCloseTo(START_MS + 90.25, 3);
    expect(latest(Buffer.concat([whole, Buffer.alloc(333)]))).toBeCloseTo(START_MS + 90.25, 3);
    expect(latest(whole.subarray(0, whole.length - 4))).toBeCloseTo(START_MS + 60, 3);
  });

  test('in a file longer than what is looked at', () => {
    const plan = { streamId: 's0', payloadType: 0, rtpTime: 0, ssrc: 1, payload: new Uint8Array(1000) };
    const packets = Array.from({ length: 1000 }, (_, i) => ({ ...plan, arrivalMs: i, sequenceNumber: i }));
    expect(latest(journalOf(packets))).toBeCloseTo(START_MS + 999, 3);
  });

  test('null without any packet', () => {
    expect(latest(Buffer.alloc(0))).toBeNull();
    expect(latest(garbage(5000))).toBeNull();
    expect(latest(journalOf([]))).toBeNull();
  });
});
