// What of a timeline is drawn into the waveform.
import { expect, test } from 'vitest';

interface Mark {
  kind: string;
  startMs: number;
  endMs: number | null;
  channel: number | null;
  words: string;
}

const { marksOf } = (await import(new URL('../../../src/http/page/marks.js', import.meta.url).href)) as {
  marksOf(recording: object): Mark[];
};

const marks = (...timeline: object[]) =>
  marksOf({ timeline, streams: [{ id: 'a', channel: 0 }], times: { durationMs: 60_000 } }).map((mark) => {
    const { kind, startMs, endMs, channel, words } = mark;
    return kind === 'dtmf' ? `${words} at ${startMs} in ${channel}` : `${kind} ${startMs}-${endMs} in ${channel}`;
  });
const key = (offsetMs: number, digit: string, channel = 0) => ({ type: 'dtmf', offsetMs, digit, channel });

test('keys that are pressed one after the other are read together', () => {
  expect(
    marks(key(1_000, '4'), key(1_200, '7'), key(2_500, '1'), key(2_600, '5', 1), key(2_700, '#'), key(9_000, '0')),
  ).toEqual(['471# at 1000 in 0', '5 at 2600 in 1', '0 at 9000 in 0']);
});

test('a gap is one only where somebody should have been heard', () => {
  const gap = (offsetMs: number, durationMs: number, channel = 0) => ({ type: 'gap', offsetMs, durationMs, channel });
  const hold = [
    { type: 'hold', offsetMs: 10_000, streamId: 'a' },
    { type: 'resume', offsetMs: 20_000, streamId: 'a' },
  ];
  expect(marks(...hold, gap(9_800, 10_300))).toEqual(['hold 10000-20000 in 0']);
  expect(marks(...hold, gap(9_800, 10_300, 1))).toEqual(['gap 9800-20100 in 1', 'hold 10000-20000 in 0']);
  expect(marks(...hold, gap(15_000, 10_000))).toEqual(['hold 10000-20000 in 0', 'gap 15000-25000 in 0']);
  const paused = [
    { type: 'paused', offsetMs: 30_000 },
    { type: 'resumed', offsetMs: 40_000 },
  ];
  expect(marks(...paused, gap(30_000, 10_000, 1))).toEqual(['pause 30000-40000 in null']);
});
