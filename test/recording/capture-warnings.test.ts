import { expect, test } from 'vitest';
import { captureWarnings } from '../../src/recording/capture-warnings.ts';
import type { StreamStatistics } from '../../src/recording/media.ts';

const statistics = (more: Partial<StreamStatistics>): StreamStatistics => ({
  packets: 100,
  octets: 16_000,
  lost: 0,
  duplicates: 0,
  reordered: 0,
  jitterMs: 0,
  rtcpPackets: 0,
  ssrcs: [1],
  payloadTypes: { 0: 100 },
  sources: ['192.0.2.1:4000'],
  firstPacketMs: 1,
  lastPacketMs: 2,
  drops: {},
  ...more,
});

test('only what was lost on our side is a warning, stream by stream', () => {
  expect(captureWarnings(null)).toEqual([]);
  const warnings = captureWarnings({
    s0: statistics({ kernelDrops: 0, drops: { noise: 3, otherSource: 9 } }),
    s1: statistics({ kernelDrops: 7 }),
    s2: statistics({ drops: { journalBehind: 12 } }),
  });
  expect(warnings).toEqual([
    { code: 'kernel-drops', message: expect.stringMatching(/^7 datagrams of stream s1 .* doctor/) },
    { code: 'journal-behind', message: expect.stringMatching(/^12 packets of stream s2 /) },
  ]);
});
