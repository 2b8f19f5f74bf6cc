import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MAX_REPORT_BLOCKS,
  makeReportBlock,
  newReportMemory,
  writeReceiverReport,
} from '../../src/rtp/receiver-report.ts';
import { type ReportBlock, readRtcp } from '../../src/rtp/rtcp.ts';
import { SsrcStatistics } from '../../src/rtp/statistics.ts';

const START_MS = Date.UTC(2026, 0, 1, 12);

function sourceWith(...numbers: number[]): SsrcStatistics {
  const source = new SsrcStatistics(0xfeed_beef);
  for (const number of numbers) source.sequence.update(number & 0xffff);
  return source;
}

describe('the figures (§6.4.1, A.3)', () => {
  test('a flawless stream', () => {
    const memory = newReportMemory();
    expect(makeReportBlock(sourceWith(65_534, 65_535, 0, 1), memory, START_MS)).toEqual({
      ssrc: 0xfeed_beef,
      fractionLost: 0,
      cumulativeLost: 0,
      extendedHighestSequence: 65_537,
      jitter: 0,
      lastSr: 0,
      delaySinceLastSr: 0,
    });
    expect(memory).toEqual({ expectedPrior: 4, receivedPrior: 4, lastSr: 0, lastSrArrivalMs: 0 });
  });

  test('loss counts in the fraction once, in the sum for ever', () => {
    const source = sourceWith(0, 1, 2, 7);
    const memory = newReportMemory();
    const report = () => {
      const { fractionLost, cumulativeLost } = makeReportBlock(source, memory, START_MS);
      return [fractionLost, cumulativeLost];
    };
    // 4 of 8: 128/256.
    expect(report()).toEqual([128, 4]);
    // Nothing new.
    expect(report()).toEqual([0, 4]);
    // One of three since: 85/256.
    source.sequence.update(8);
    source.sequence.update(10);
    expect(report()).toEqual([85, 5]);
    // Late packets of earlier intervals: received more than expected since, which is no loss.
    source.sequence.update(9);
    source.sequence.update(6);
    source.sequence.update(11);
    expect(report()).toEqual([0, 3]);
  });

  test('duplicates do not hide loss', () => {
    const source = sourceWith(0, 1, 1, 1, 3);
    expect(makeReportBlock(source, newReportMemory(), START_MS)).toMatchObject({ fractionLost: 64, cumulativeLost: 1 });
  });

  test('everything lost since the last report but the last: 255, not 256', () => {
    const source = sourceWith(0, 1);
    const memory = newReportMemory();
    makeReportBlock(source, memory, START_MS);
    source.sequence.update(2900);
    expect(makeReportBlock(source, memory, START_MS)).toMatchObject({ fractionLost: 255, cumulativeLost: 2898 });
  });

  test('the sum does not overflow its 24 bits', () => {
    const source = sourceWith(0, 1);
    for (let number = 1; source.sequence.lost <= 0x7f_ffff; number += 2999)
      source.sequence.update((number + 2999) & 0xffff);
    expect(makeReportBlock(source, newReportMemory(), START_MS).cumulativeLost).toBe(0x7f_ffff);
  });

  test('after a restart: the sum goes on, the number is that of the new run', () => {
    const source = sourceWith(10, 12, 40_000, 40_001);
    expect(makeReportBlock(source, newReportMemory(), START_MS)).toMatchObject({
      fractionLost: 51, // 1 of 5
      cumulativeLost: 1,
      extendedHighestSequence: 40_001,
    });
  });

  test('jitter in whole timestamp units', () => {
    const source = sourceWith(0, 1, 2);
    // A.8: 5, then 9.6875.
    source.jitter.update(START_MS, 0, 8000);
    source.jitter.update(START_MS + 30, 160, 8000);
    source.jitter.update(START_MS + 40, 320, 8000);
    expect(makeReportBlock(source, newReportMemory(), START_MS).jitter).toBe(9);
  });

  test('the delay since the last sender report, in 1/65536 s', () => {
    const memory = { ...newReportMemory(), lastSr: 0xb1c2_d3e4, lastSrArrivalMs: START_MS };
    const delayAt = (nowMs: number) => {
      const { lastSr, delaySinceLastSr } = makeReportBlock(sourceWith(0, 1), memory, nowMs);
      return [lastSr, delaySinceLastSr];
    };
    expect(delayAt(START_MS + 5250)).toEqual([0xb1c2_d3e4, 5.25 * 65_536]);
    // A clock that was set back, and a sender that has been silent for a day.
    expect(delayAt(START_MS - 10)).toEqual([0xb1c2_d3e4, 0]);
    expect(delayAt(START_MS + 86_400_000)).toEqual([0xb1c2_d3e4, 0xffff_ffff]);
  });
});

describe('the writer', () => {
  const block: ReportBlock = {
    ssrc: 0xcafe_babe,
    fractionLost: 64,
    cumulativeLost: 1000,
    extendedHighestSequence: 131_075,
    jitter: 4,
    lastSr: 0xb1c2_d3e4,
    delaySinceLastSr: 32_768,
  };

  test('octet for octet: RR (§6.4.2), SDES with CNAME (§6.5.1)', () => {
    const into = Buffer.alloc(400, 0xff);
    const length = writeReceiverReport(into, 0x0102_0304, [block], 'rec@192.0.2.9');
    expect(into.subarray(0, length).toString('hex')).toBe(
      '81c9000701020304' +
        'cafebabe400003e8000200030000000' + // and the 4 of the jitter
        '4b1c2d3e400008000' +
        '81ca000501020304' +
        `010d${Buffer.from('rec@192.0.2.9').toString('hex')}00`,
    );
    expect(into.subarray(length).every((octet) => octet === 0xff)).toBe(true);
  });

  test('more than 31 blocks are left out', () => {
    const into = Buffer.alloc(1200);
    const length = writeReceiverReport(into, 1, Array(40).fill(block), 'c');
    expect(readRtcp(into, 0, length)).toEqual([
      { type: 'rr', ssrc: 1, reports: Array(MAX_REPORT_BLOCKS).fill(block) },
      { type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'c' }] }] },
    ]);
  });

  test('names of all lengths modulo four: one to four nulls end the items', () => {
    for (let octets = 0; octets <= 8; octets++) {
      const into = Buffer.alloc(100, 0xff);
      const length = writeReceiverReport(into, 1, [], 'x'.repeat(octets));
      const nulls = 4 - ((10 + octets) % 4);
      expect(into.toString('hex', 8, length)).toBe(
        `81ca000${(10 + octets + nulls) / 4 - 1}00000001010${octets}${'78'.repeat(octets)}${'00'.repeat(nulls)}`,
      );
    }
  });

  test('the name is cut to 255 octets and fits the promised room', () => {
    const into = Buffer.alloc(300 + 24);
    const length = writeReceiverReport(into, 1, [block], 'x'.repeat(1000));
    expect(readRtcp(into, 0, length)).toMatchObject([
      { type: 'rr' },
      { type: 'sdes', chunks: [{ ssrc: 1, items: [{ type: 1, text: 'x'.repeat(255) }] }] },
    ]);
  });

  test('any report is read back, also from within a larger buffer', () => {
    const word = fc.integer({ min: 0, max: 0xffff_ffff });
    const anyBlock: fc.Arbitrary<ReportBlock> = fc.record({
      ssrc: word,
      fractionLost: fc.nat(255),
      cumulativeLost: fc.integer({ min: -0x80_0000, max: 0x7f_ffff }),
      extendedHighestSequence: word,
      jitter: word,
      lastSr: word,
      delaySinceLastSr: word,
    });
    const blocks = fc.array(anyBlock, { maxLength: 31, size: 'max' });
    const names = fc.string({ unit: fc.constantFrom('a', '@', 'ä', '0'), maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(word, blocks, names, (ssrc, reports, cname) => {
        const memory = Buffer.alloc(1400, 0xff);
        const into = memory.subarray(17);
        const length = writeReceiverReport(into, ssrc, reports, cname);
        expect(length % 4).toBe(0);
        expect(readRtcp(into, 0, length)).toEqual([
          { type: 'rr', ssrc, reports },
          { type: 'sdes', chunks: [{ ssrc, items: [{ type: 1, text: cname }] }] },
        ]);
      }),
    );
  });
});
