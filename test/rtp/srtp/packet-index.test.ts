import fc from 'fast-check';
import { expect, test } from 'vitest';
import { estimateRoc, packetIndex } from '../../../src/rtp/srtp/packet-index.ts';

// RFC 3711 3.3.1 and Appendix A.
test.each([
  { roc: 3, maxSeq: 100, sequenceNumber: 101, expected: 3, why: 'next' },
  { roc: 3, maxSeq: 100, sequenceNumber: 99, expected: 3, why: 'reordered' },
  { roc: 3, maxSeq: 65_535, sequenceNumber: 0, expected: 4, why: 'the wrap' },
  { roc: 3, maxSeq: 2, sequenceNumber: 65_534, expected: 2, why: 'reordered over the wrap' },
  { roc: 3, maxSeq: 0, sequenceNumber: 32_768, expected: 3, why: 'the furthest ahead' },
  { roc: 3, maxSeq: 0, sequenceNumber: 32_769, expected: 2, why: 'nearer behind' },
  { roc: 3, maxSeq: 32_768, sequenceNumber: 0, expected: 3, why: 'the furthest behind' },
  { roc: 3, maxSeq: 32_769, sequenceNumber: 0, expected: 4, why: 'nearer ahead' },
  { roc: 0, maxSeq: 2, sequenceNumber: 65_534, expected: -1, why: 'before the first packet of the stream' },
])('$why: $sequenceNumber after $maxSeq', ({ roc, maxSeq, sequenceNumber, expected }) => {
  expect(estimateRoc(roc, maxSeq, sequenceNumber)).toBe(expected);
});

test('finds every index that is less than 32768 away', () => {
  fc.assert(
    fc.property(fc.integer({ min: 65_536, max: 2 ** 47 }), fc.integer({ min: -32_767, max: 32_767 }), (highest, by) => {
      const index = highest + by;
      const roc = estimateRoc(Math.floor(highest / 65_536), highest % 65_536, index % 65_536);
      expect(packetIndex(roc, index % 65_536)).toBe(index);
    }),
    { numRuns: 1000 },
  );
});
