import { expect, test } from 'vitest';
import { anchoredClock, anchorNow } from '../../src/lib/clock.ts';
import { anchorOf, originOf } from '../../src/lib/clock-origin.ts';

const anchor = { unixMs: 1_700_000_000_000, monotonicNs: 5_000_000_000n };

test('through JSON and back, in the same boot', () => {
  const origin = JSON.parse(JSON.stringify(originOf(anchor, 'boot-1')));
  expect(anchorOf(origin, 'boot-1', 9_000_000_000n)).toEqual(anchor);
});

test('another boot counts its monotonic time anew', () => {
  const origin = originOf(anchor, 'boot-1')!;
  expect(anchorOf(origin, 'boot-2', 9_000_000_000n)).toBeNull();
  expect(anchorOf(origin, null, 9_000_000_000n)).toBeNull();
  expect(anchorOf(origin, 'boot-1', 4_000_000_000n)).toBeNull();
  expect(anchorOf({ ...origin, monotonicNs: '12x' }, 'boot-1', 9_000_000_000n)).toBeNull();
  expect(originOf(anchor, null)).toBeNull();
});

test.runIf(process.platform === 'linux')(
  'the next clock counts on where the first one is, whatever the wall clock says',
  () => {
    const before = anchorNow();
    const first = anchoredClock({ ...before, unixMs: before.unixMs - 3_600_000 });
    const next = anchoredClock(anchorOf(originOf({ ...before, unixMs: before.unixMs - 3_600_000 })!)!);
    expect(Math.abs(next.nowMs() - first.nowMs())).toBeLessThan(5);
    expect(next.wallMs() - next.nowMs()).toBeGreaterThan(3_599_000);
  },
);
