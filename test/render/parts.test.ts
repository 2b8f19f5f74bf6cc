// The small parts on their own: clocks, chain, window, gaps, events, payload types, pauses.
import { describe, expect, test } from 'vitest';
import { ArrivalChain } from '../../src/render/arrival-chain.ts';
import { ArrivalClock } from '../../src/render/arrival-clock.ts';
import { EventLog, MAX_EVENTS } from '../../src/render/event-log.ts';
import { GapFinder } from '../../src/render/gaps.ts';
import { Pauses } from '../../src/render/pauses.ts';
import { PayloadTypes } from '../../src/render/payload-types.ts';
import { SequenceClock } from '../../src/render/sequence-clock.ts';
import { SourceWatch } from '../../src/render/sources.ts';
import { unwrapTick } from '../../src/render/stretch.ts';
import { frameAt } from '../../src/render/track.ts';
import { PlaceRing, SampleRing } from '../../src/render/window.ts';
import { EVENTS, jobIn, PCMA, PCMU } from '../support/synthetic-journal.ts';

describe('arrival clock', () => {
  test('counts from the first packet; disorder stays, steps go', () => {
    const clock = new ArrivalClock();
    const year = 365 * 86_400_000;
    const read = [1000, 1020, 1010, 1040, 1040 + year, 1060 + year, 500, 520].map((ms) => clock.read(ms));
    expect(read).toEqual([0, 20, 10, 40, 40, 60, 60, 80]);
    expect([clock.epochMs, clock.steps]).toEqual([1000, 2]);
  });

  test('hours of silence are no step', () => {
    const clock = new ArrivalClock();
    expect([5, 5 + 23 * 3600_000].map((ms) => clock.read(ms))).toEqual([0, 23 * 3600_000]);
    expect(clock.steps).toBe(0);
  });
});

test('arrival chain: joins what is near, cuts what is far', () => {
  const chain = new ArrivalChain();
  const starts = [0, 25, 35, 190, 200, 201, 202, 203, 204].map((ms) => chain.place(ms, 20));
  expect(starts).toEqual([0, 20, 40, 190, 210, 230, 250, 203, 223]);
});

describe('sequence clock', () => {
  const read = (packets: [ssrc: number, sequence: number, ticks: number][]) => {
    const clock = new SequenceClock();
    return packets.map(([ssrc, sequence, ticks]) => clock.read(ssrc, sequence, ticks));
  };

  test('counts payload; leaves room for lost ones; puts reordered ones back', () => {
    const ticks = read([
      [1, 65_534, 160],
      [1, 65_535, 160],
      [1, 0, 240],
      [1, 1, 160],
      [1, 4, 160],
      [1, 3, 160],
      [1, 5, 160],
      [1, 5, 160],
    ]);
    expect(ticks).toEqual([0, 160, 320, 560, 1040, 880, 1200, 1200]);
  });

  test('a jump of the numbers or another SSRC simply goes on', () => {
    const ticks = read([
      [1, 10, 160],
      [1, 5000, 160],
      [1, 5001, 160],
      [2, 9, 160],
    ]);
    expect(ticks).toEqual([0, 160, 320, 480]);
  });
});

test('unwrapping: the tick nearest to the arrival, over wraps in both directions', () => {
  const cases: [rtpTime: number, elapsedMs: number, tick: number][] = [
    [100 + 160, 20, 160],
    [100 - 160, 20, -160],
    [(100 + 8 * 86_400_000) >>> 0, 86_400_000, 8 * 86_400_000],
    [(100 + 8 * 864_000_000 + 400) >>> 0, 864_000_000, 8 * 864_000_000 + 400],
  ];
  for (const [rtpTime, elapsedMs, tick] of cases) expect(unwrapTick(rtpTime, 100, elapsedMs, 0, 8000)).toBe(tick);
});

test('frames: times between two frames never tip by rounding', () => {
  // Half a frame beside every frame: consecutive packets must meet, whatever the last binary digit says.
  for (let packet = 0; packet < 100_000; packet++) {
    const from = frameAt(0.0625 + packet * 20, 8000);
    expect(frameAt(0.0625 + packet * 20 + 20, 8000) - from).toBe(160);
  }
});

test('frames: neither do times that are computed from rates', () => {
  for (let frame = 0; frame < 50_000; frame++) {
    if (frameAt((frame + 0.5) * (1000 / 44_100), 44_100) !== frame + 1) expect(frame).toBeNull();
  }
});

test('source watch: told once per change of SSRC or sender, not for another address of ours', () => {
  const events = new EventLog();
  const watch = new SourceWatch('s0', events);
  let texts = 0;
  const observe = (ssrc: number, host: number[], port: number, ours = 9) => {
    const address = host.length === 4 ? host.join('.') : '2001:db8::1';
    const buffer = Uint8Array.from([
      ...new Array(32).fill(1),
      ...host,
      ...host.map(() => ours),
      ...new Array(8).fill(0),
    ]);
    const sourceHost = () => {
      texts++;
      return address;
    };
    watch.observe({
      header: { ssrc },
      sourcePort: port,
      buffer,
      datagramStart: buffer.length,
      arrivalMs: 0,
      sourceHost,
    } as never);
  };
  const [a, b, six] = [[192, 0, 2, 1], [192, 0, 2, 2], new Array(16).fill(7)];
  for (let i = 0; i < 10; i++) observe(1, a, 5000);
  expect(texts).toBe(1);
  observe(1, a, 5000, 10);
  observe(1, b, 5000, 10);
  observe(2, b, 5000, 10);
  observe(2, six, 5000);
  observe(2, six, 5000);
  observe(3, a, 6000);
  expect(events.finish(0, 0).map((event) => 'detail' in event && event.detail)).toEqual([
    'address 192.0.2.1:5000 to 192.0.2.2:5000',
    'SSRC 0x00000001 to 0x00000002',
    'address 192.0.2.2:5000 to [2001:db8::1]:5000',
    'SSRC 0x00000002 to 0x00000003, address [2001:db8::1]:5000 to 192.0.2.1:6000',
  ]);
  expect(watch.sources).toEqual(['192.0.2.1:5000', '192.0.2.2:5000', '[2001:db8::1]:5000', '192.0.2.1:6000']);
});

describe('window', () => {
  test('samples wrap around the ring', () => {
    const ring = new SampleRing(16);
    ring.write(12, Int16Array.from([1, 2, 3, 4, 5, 6]), 6);
    const into = new Int16Array(8);
    ring.read(11, into, 8);
    expect([...into]).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
    ring.clear(13, 4);
    ring.read(11, into, 8);
    expect([...into]).toEqual([0, 1, 0, 0, 0, 0, 6, 0]);
    expect([ring.indexOf(-1), ring.frames]).toEqual([15, 16]);
  });

  test('places: free, taken, marked, over the edge', () => {
    const places = new PlaceRing(16);
    places.mark(14, 4, 7);
    places.markFree(16, 4, 9);
    expect([14, 17, 18, 19, 20].map((frame) => places.at(frame))).toEqual([7, 7, 9, 9, 0]);
    expect(places.taken(10, 8)).toBe(4);
    expect([places.nextFree(14, 24), places.nextFree(21, 24), places.nextFree(14, 18)]).toEqual([20, 21, 18]);
    expect([places.nextTaken(8, 24), places.nextTaken(20, 24)]).toEqual([14, 24]);
  });
});

describe('gaps', () => {
  const RATE = 1000;

  function find(
    marks: [from: number, to: number][],
    notes: [number, number][],
    pauses: { startMs: number; endMs: number }[] = [],
  ) {
    const events = new EventLog();
    const intervals = new Pauses(
      pauses.map((pause) => ({ streamId: 's0', ...pause })),
      's0',
      0,
    );
    const finder = new GapFinder('s0', RATE, 0, intervals, events);
    const places = new PlaceRing(4096);
    for (const [from, to] of marks) places.mark(from, to - from, 1);
    for (const [endFrame, missing] of notes) finder.note(endFrame, missing);
    for (let from = 0; from < 3000; from += 500) finder.scan(places, from, from + 500);
    return events.finish(0, 0).map((event) => 'cause' in event && [event.offsetMs, event.durationMs, event.cause]);
  }

  test('from the first to the last packet, 100 ms or longer, over the edges of blocks', () => {
    expect(
      find(
        [
          [300, 450],
          [600, 700],
          [799, 900],
          [2100, 2200],
        ],
        [
          [600, 7],
          [2100, 0],
        ],
      ),
    ).toEqual([
      [450, 150, 'loss'],
      [900, 1200, 'silence'],
    ]);
  });

  test('a pause explains a hole better than missing numbers do', () => {
    expect(
      find(
        [
          [0, 100],
          [900, 1000],
        ],
        [[900, 40]],
        [{ startMs: 110, endMs: 880 }],
      ),
    ).toEqual([[100, 800, 'interruption']]);
  });

  test('what reordering filled in is no part of the hole', () => {
    // The note was made when 100–900 was missing; then 500–900 came.
    expect(
      find(
        [
          [0, 100],
          [500, 1000],
          [1500, 1600],
        ],
        [
          [900, 40],
          [1500, 3],
        ],
      ),
    ).toEqual([
      [100, 400, 'loss'],
      [1000, 500, 'loss'],
    ]);
  });
});

describe('events', () => {
  test('sorted by offset; what is known by arrival is moved by the packet’s length', () => {
    const events = new EventLog();
    events.sourceChange('s0', 1020, 'x');
    events.gap('s0', 900.00049, 100.0001, 'loss');
    events.dtmf('s1', 800, 50, '5');
    expect(events.finish(500, 20)).toEqual([
      { type: 'dtmf', streamId: 's1', offsetMs: 300, durationMs: 50, digit: '5' },
      { type: 'gap', streamId: 's0', offsetMs: 400, durationMs: 100, cause: 'loss' },
      { type: 'source-change', streamId: 's0', offsetMs: 500, detail: 'x' },
    ]);
    expect(events.warnings()).toEqual([]);
  });

  test('the silence of a pressed key is no gap; that of the other stream, or loss, is', () => {
    const events = new EventLog();
    events.dtmf('s0', 1000, 160, '5');
    events.gap('s0', 990, 200, 'silence');
    events.gap('s0', 990, 500, 'silence');
    events.gap('s0', 990, 200, 'loss');
    events.gap('s1', 990, 200, 'silence');
    expect(events.finish(0, 0).filter(({ type }) => type === 'gap').length).toBe(3);
  });

  test('bounded by type', () => {
    const events = new EventLog();
    for (let i = 0; i < MAX_EVENTS + 5; i++) events.gap('s0', i, 100, 'loss');
    events.dtmf('s0', 0, 50, '1');
    expect(events.finish(0, 0).length).toBe(MAX_EVENTS + 1);
    expect(events.warnings()).toEqual([
      {
        code: 'too-many-events',
        message: `Only the first ${MAX_EVENTS} events of type gap are listed; 5 more were left out.`,
      },
    ]);
  });
});

describe('payload types', () => {
  const streams = jobIn('/', [
    { streamId: 's0', formats: [PCMU, { ...PCMU, payloadType: 96 }, { ...PCMA, payloadType: 96, untilMs: 1_000 }] },
    {
      streamId: 's1',
      formats: [PCMU, EVENTS, { ...PCMA, payloadType: 0 }, { ...PCMA, payloadType: 110, channels: 2 }],
    },
  ]).streams;
  const types = new PayloadTypes(streams[0]!, streams);

  test.each([
    [0, 'audio', 'PCMU/8000'],
    [96, 'audio', 'PCMU/8000'],
    [101, 'telephone-event', 'TELEPHONE-EVENT/8000'],
    [8, 'audio', 'PCMA/8000'],
    [13, 'comfort-noise', 'CN/8000'],
    [10, 'audio', 'L16/44100/2'],
    [18, 'undecodable', 'G729/8000'],
    [110, 'audio', 'PCMA/8000/2'],
    [120, 'undecodable', 'unknown-120'],
  ])('%i: own formats, the others’, the static table', (payloadType, kind, name) => {
    const { kind: foundKind, name: foundName } = types.of(payloadType);
    expect([foundKind, foundName]).toEqual([kind, name]);
  });

  test('a number that was given another meaning: as it was when the packet came, also in the other stream', () => {
    const names = [999, 1_000, 2_000].map((unixMs) => types.of(96, unixMs).name);
    expect(names).toEqual(['PCMA/8000', 'PCMU/8000', 'PCMU/8000']);
    expect(types.of(96, 1_000)).toBe(types.of(96, 5_000));
    expect(
      types
        .allOf(96)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(['PCMA/8000', 'PCMU/8000']);
    expect(types.allOf(0).map(({ name }) => name)).toEqual(['PCMU/8000']);
    expect(new PayloadTypes(streams[1]!, streams).of(96, 0).name).toBe('PCMA/8000');
  });
});

test('pauses: each begins something new once, and explains holes', () => {
  const pauses = new Pauses(
    [
      { streamId: 's0', startMs: 5000, endMs: null },
      { streamId: 's1', startMs: 1100, endMs: 9000 },
      { streamId: 's0', startMs: 1500, endMs: 2000 },
      { streamId: 's0', startMs: 1600, endMs: 1700 },
    ],
    's0',
    1000,
  );
  expect([0, 499, 1100, 1200, 3999, 4000, 9000].map((ms) => pauses.begunBy(ms))).toEqual([
    false,
    false,
    true,
    false,
    false,
    true,
    false,
  ]);
  expect([pauses.overlaps(0, 500), pauses.overlaps(900, 1100), pauses.overlaps(8000, 8100)]).toEqual([
    false,
    true,
    true,
  ]);
});
