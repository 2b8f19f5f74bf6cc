import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL, SequenceTracker } from '../../src/rtp/sequence.ts';
import { figuresOf, SequenceModel } from './sequence-model.ts';

function feed(...numbers: number[]) {
  const tracker = new SequenceTracker();
  return { tracker, verdicts: numbers.map((number) => tracker.update(number & 0xffff)) };
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index);

/** The figures of a stream in which nothing went wrong. */
const flawless = (packets: number, extendedMax: number) => ({
  packets,
  duplicates: 0,
  reordered: 0,
  restarts: 0,
  trusted: true,
  expected: packets,
  lost: 0,
  extendedMax,
});

test('the constants of A.1', () => {
  expect({ MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL }).toEqual({
    MAX_DROPOUT: 3000,
    MAX_MISORDER: 100,
    MIN_SEQUENTIAL: 2,
  });
});

describe('in order', () => {
  test('nothing yet', () => {
    expect(figuresOf(new SequenceTracker())).toEqual({ ...flawless(0, 0), trusted: false });
  });

  test('one packet is not trusted yet', () => {
    const { tracker, verdicts } = feed(7);
    expect(verdicts).toEqual(['first']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(1, 7), trusted: false });
  });

  test('a run', () => {
    const { tracker, verdicts } = feed(7, 8, 9);
    expect(verdicts).toEqual(['first', 'next', 'next']);
    expect(figuresOf(tracker)).toEqual(flawless(3, 9));
  });

  test('wraps', () => {
    const { tracker, verdicts } = feed(65_534, 65_535, 0, 1);
    expect(verdicts).toEqual(['first', 'next', 'next', 'next']);
    expect(figuresOf(tracker)).toEqual(flawless(4, 65_537));
    expect([tracker.cycles, tracker.maxSeq, tracker.baseSeq]).toEqual([65_536, 1, 65_534]);
  });

  test('wraps again and again', () => {
    const tracker = new SequenceTracker();
    for (let number = 100; number < 200_100; number++) tracker.update(number & 0xffff);
    expect(figuresOf(tracker)).toEqual(flawless(200_000, 200_099));
    expect(tracker.extended).toBe(200_099);
  });
});

describe('loss (A.3)', () => {
  test('a gap is loss until it is filled', () => {
    const { tracker, verdicts } = feed(10, 11, 14);
    expect(verdicts).toEqual(['first', 'next', 'gap']);
    expect([tracker.expected, tracker.lost]).toEqual([5, 2]);
    expect([tracker.update(13), tracker.lost]).toEqual(['reordered', 1]);
    expect([tracker.update(12), tracker.lost]).toEqual(['reordered', 0]);
    expect(figuresOf(tracker)).toEqual({ ...flawless(5, 14), reordered: 2 });
  });

  test('across the wrap', () => {
    const { tracker, verdicts } = feed(65_534, 2, 65_535, 1);
    expect(verdicts).toEqual(['first', 'gap', 'reordered', 'reordered']);
    expect([tracker.expected, tracker.lost, tracker.extendedMax]).toEqual([5, 1, 65_538]);
  });

  test('the largest gap that is loss, and the smallest that is none', () => {
    const gap = feed(0, 1, 1 + MAX_DROPOUT - 1);
    expect(gap.verdicts).toEqual(['first', 'next', 'gap']);
    expect([gap.tracker.expected, gap.tracker.lost]).toEqual([3001, 2998]);
    const jump = feed(0, 1, 1 + MAX_DROPOUT);
    expect(jump.verdicts).toEqual(['first', 'next', 'jump']);
    expect([jump.tracker.expected, jump.tracker.lost, jump.tracker.packets]).toEqual([2, 0, 3]);
  });

  test('duplicates do not hide it', () => {
    const { tracker, verdicts } = feed(1, 2, 2, 2, 5, 5);
    expect(verdicts).toEqual(['first', 'next', 'duplicate', 'duplicate', 'gap', 'duplicate']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(3, 5), expected: 5, lost: 2, duplicates: 3 });
  });

  test('a gap longer than the window of missing numbers: the last ones may still come, once', () => {
    const { tracker } = feed(0, 1, 1001);
    expect([tracker.update(1000), tracker.update(902), tracker.update(902)]).toEqual([
      'reordered',
      'reordered',
      'duplicate',
    ]);
    expect(tracker.lost).toBe(997);
  });
});

describe('duplicates and reordering', () => {
  test('each number counts once, however late it is repeated', () => {
    const { tracker, verdicts } = feed(...range(0, 100), 99, 1, 50, 99);
    expect(verdicts.slice(100)).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(100, 99), duplicates: 4 });
  });

  test('a stale mark is not taken for a missing number 128 later', () => {
    // 5 goes missing for good; 133 = 5 + 128 came.
    const { tracker, verdicts } = feed(...range(0, 5), ...range(6, 195), 133);
    expect(verdicts.at(-1)).toBe('duplicate');
    expect([tracker.lost, tracker.duplicates]).toEqual([1, 1]);
  });

  test('the furthest behind that is reordering, and what is further', () => {
    const near = feed(1000, 2000, 2000 - (MAX_MISORDER - 1));
    expect(near.verdicts).toEqual(['first', 'gap', 'reordered']);
    const far = feed(1000, 2000, 2000 - MAX_MISORDER);
    expect(far.verdicts).toEqual(['first', 'gap', 'jump']);
  });

  test('the first packet came too early', () => {
    const { tracker, verdicts } = feed(10, 7, 9, 11, 9);
    expect(verdicts).toEqual(['first', 'reordered', 'reordered', 'next', 'duplicate']);
    expect(figuresOf(tracker)).toEqual({
      ...flawless(4, 11),
      expected: 5,
      lost: 1,
      duplicates: 1,
      reordered: 2,
    });
  });

  test('before a first packet with a small number: extended numbers below zero', () => {
    const { tracker, verdicts } = feed(1, 65_535, 0, 65_535, 2);
    expect(verdicts).toEqual(['first', 'reordered', 'reordered', 'duplicate', 'next']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(4, 2), duplicates: 1, reordered: 2 });
    expect(tracker.baseSeq).toBe(-1);
  });

  test('the extended number of the packet looked at', () => {
    const tracker = new SequenceTracker();
    const extended = [65_535, 1, 0, 0, 2, 20_000, 2, 20_000].map((number) => {
      tracker.update(number);
      return tracker.extended;
    });
    expect(extended).toEqual([65_535, 65_537, 65_536, 65_536, 65_538, 85_536, 65_538, 85_536]);
  });
});

describe('restart (A.1: two packets in sequence, far away)', () => {
  test('the old run is closed, nothing between counts as lost, the first packet of the new one is kept', () => {
    const { tracker, verdicts } = feed(10, 12, 40_000, 40_001, 40_003);
    expect(verdicts).toEqual(['first', 'gap', 'jump', 'restart', 'gap']);
    expect(figuresOf(tracker)).toEqual({
      ...flawless(5, 40_003),
      restarts: 1,
      expected: 3 + 4,
      lost: 1 + 1,
    });
    expect([tracker.baseSeq, tracker.received]).toEqual([40_000, 3]);
  });

  test('a restart across the wrap', () => {
    const { tracker, verdicts } = feed(30_000, 30_001, 65_535, 0, 1);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'restart', 'next']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(5, 65_537), restarts: 1 });
  });

  test('back to a lower number', () => {
    const { tracker, verdicts } = feed(30_000, 30_001, 100, 101, 102);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'restart', 'next']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(5, 102), restarts: 1 });
  });

  test('a stray is kept, but is neither expected nor lost', () => {
    const { tracker, verdicts } = feed(10, 11, 40_000, 12, 13);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'next', 'next']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(5, 13), expected: 4 });
  });

  test('its successor does not confirm a stray once the old run went on', () => {
    const { verdicts } = feed(10, 11, 40_000, 12, 40_001);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'next', 'jump']);
  });

  test('a duplicate of the stray does not confirm it', () => {
    const { tracker, verdicts } = feed(10, 11, 40_000, 40_000, 40_001);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'duplicate', 'restart']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(4, 40_001), duplicates: 1, restarts: 1 });
  });

  test('a lower number of the new run is reordering there', () => {
    const { verdicts, tracker } = feed(10, 11, 40_000, 40_001, 39_999, 11);
    expect(verdicts).toEqual(['first', 'next', 'jump', 'restart', 'reordered', 'jump']);
    expect(tracker.lost).toBe(0);
  });
});

describe('trust (A.1: MIN_SEQUENTIAL)', () => {
  test('a gap during probation begins it again, but every packet is kept', () => {
    const tracker = new SequenceTracker();
    const trust = [1, 3, 5, 6, 9].map((number) => {
      tracker.update(number);
      return tracker.trusted;
    });
    expect(trust).toEqual([false, false, false, true, true]);
    expect(tracker.packets).toBe(5);
  });
});

describe('resynchronise()', () => {
  test('numbers that were used meanwhile are not lost', () => {
    const { tracker } = feed(10, 12);
    tracker.resynchronise();
    expect([tracker.expected, tracker.lost]).toEqual([3, 1]);
    expect([tracker.update(2000), tracker.update(2003)]).toEqual(['first', 'gap']);
    expect(figuresOf(tracker)).toEqual({ ...flawless(4, 2003), trusted: false, expected: 3 + 4, lost: 1 + 2 });
  });

  test('twice is once; before the first packet it is nothing', () => {
    const tracker = new SequenceTracker();
    tracker.resynchronise();
    tracker.update(5);
    tracker.resynchronise();
    tracker.resynchronise();
    expect([tracker.update(6), tracker.expected, tracker.lost]).toEqual(['first', 2, 0]);
  });

  test('a stray before it does not confirm a restart behind it', () => {
    const { tracker } = feed(10, 11, 40_000);
    tracker.resynchronise();
    expect([tracker.update(100), tracker.update(40_001)]).toEqual(['first', 'jump']);
  });
});

test('reset() forgets everything', () => {
  const { tracker } = feed(65_535, 3, 40_000, 40_001, 40_001, 39_990);
  tracker.reset();
  expect({ ...figuresOf(tracker), extendedMax: 0 }).toEqual({ ...flawless(0, 0), trusted: false });
  expect([40_002, 40_003].map((number) => tracker.update(number))).toEqual(['first', 'next']);
  expect(figuresOf(tracker)).toEqual(flawless(2, 40_003));
});

describe('against a model that remembers every number', () => {
  type Step = { to: 'ahead' | 'behind' | 'number' | 'afterLast' | 'pause'; by: number };
  const step = (to: Step['to'], by: fc.Arbitrary<number>) => fc.record({ to: fc.constant(to), by });
  const steps = fc.array(
    fc.oneof(
      { weight: 12, arbitrary: step('ahead', fc.constant(1)) },
      { weight: 3, arbitrary: step('ahead', fc.integer({ min: 0, max: 140 })) },
      { weight: 1, arbitrary: step('ahead', fc.integer({ min: 2990, max: 3010 })) },
      { weight: 6, arbitrary: step('behind', fc.integer({ min: 0, max: 110 })) },
      { weight: 2, arbitrary: step('afterLast', fc.integer({ min: 0, max: 2 })) },
      { weight: 1, arbitrary: step('number', fc.integer({ min: 0, max: 0xffff })) },
      { weight: 1, arbitrary: step('pause', fc.constant(0)) },
    ),
    { minLength: 1, maxLength: 400, size: 'max' },
  );

  test('any mixture of gaps, reordering, duplicates, strays, restarts and pauses', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), steps, (first, plan) => {
        const tracker = new SequenceTracker();
        const model = new SequenceModel();
        let last = first;
        for (const { to, by } of plan) {
          if (to === 'pause') {
            tracker.resynchronise();
            model.resynchronise();
            continue;
          }
          // Most steps are taken from the highest number, some from the packet before, whatever that was.
          const from = { ahead: tracker.maxSeq + by, behind: tracker.maxSeq - by, number: by, afterLast: last + by }[
            to
          ];
          last = from & 0xffff;
          expect(tracker.update(last)).toBe(model.update(last));
        }
        expect(figuresOf(tracker)).toEqual(model.figures);
      }),
      { numRuns: 400 },
    );
  });

  test('any numbers at all', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 300, size: 'max' }), (numbers) => {
        const tracker = new SequenceTracker();
        const model = new SequenceModel();
        for (const number of numbers) expect(tracker.update(number)).toBe(model.update(number));
        expect(figuresOf(tracker)).toEqual(model.figures);
        expect(tracker.packets + tracker.duplicates).toBe(numbers.length);
      }),
    );
  });

  test('a shuffled, thinned and doubled stream: loss is exactly what is missing', () => {
    const fates = fc.array(
      fc.record({ copies: fc.constantFrom(0, 1, 1, 1, 1, 2), delay: fc.integer({ min: 0, max: 40 }) }),
      { minLength: 2, maxLength: 500, size: 'max' },
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff }), fates, (first, packets) => {
        const sent = packets.flatMap(({ copies, delay }, index) =>
          Array.from({ length: copies }, (_, copy) => ({ index, due: index + delay * (copy + 1) })),
        );
        fc.pre(sent.length > 0);
        const tracker = new SequenceTracker();
        for (const { index } of sent.toSorted((a, b) => a.due - b.due)) tracker.update((first + index) & 0xffff);
        const arrived = new Set(sent.map(({ index }) => index));
        const expected = Math.max(...arrived) - Math.min(...arrived) + 1;
        const { packets: counted, duplicates, lost } = tracker;
        expect({ counted, duplicates, lost, expected: tracker.expected }).toEqual({
          counted: arrived.size,
          duplicates: sent.length - arrived.size,
          lost: expected - arrived.size,
          expected,
        });
      }),
    );
  });
});
