// Placement by arrival over an hour of holds, jitter and drift: what mod_oreka sends, and what a network does to it.
import { describe, expect, test } from 'vitest';
import { linearToUlaw } from '../../src/render/codecs/g711.ts';
import { silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import { START_MS, type SyntheticPacket, talk, tone } from '../support/synthetic-journal.ts';
import { clicks, eventsOf, render, type StreamPlan } from './rendered.ts';

const ONE: StreamPlan[] = [{ streamId: 's0', placement: 'arrival' }];
const BOTH: StreamPlan[] = [...ONE, { streamId: 's1', placement: 'arrival' }];
const HOUR_MS = 3600_000;
const SAMPLES = 160;

const random = (seed: number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
};

/** The sender's clock stops when nothing is sent: numbers and timestamps go on as if no time had passed. */
const linear = (packets: SyntheticPacket[]) =>
  packets.map((packet, i) => ({ ...packet, sequenceNumber: 1000 + i, rtpTime: 160 * (i + 1) }));

interface Side {
  packets: SyntheticPacket[];
  /** True times of the ticks that were sent, ms. */
  tickMs: number[];
}

/** A tick of one millisecond in every second that is talked through; all else is silence, encoded once. */
function hourOf(streamId: string, seed: number, driftPpm: number): Side {
  const next = random(seed);
  const silence = new Uint8Array(SAMPLES).fill(0xff);
  const packets: SyntheticPacket[] = [];
  const tickMs: number[] = [];
  const packetMs = 20 / (1 + driftPpm * 1e-6);
  let atMs = 0;
  let latestMs = 0;
  while (atMs < HOUR_MS) {
    const untilMs = Math.min(HOUR_MS, atMs + 2000 + 120_000 * next() ** 2);
    const fromMs = atMs;
    for (; atMs + packetMs <= untilMs; atMs += packetMs) {
      const tickAtMs = Math.ceil(atMs / 1000) * 1000;
      let payload = silence;
      if (tickAtMs < atMs + packetMs - 1.5 && tickAtMs - fromMs > 0) {
        const first = Math.round(((tickAtMs - atMs) / packetMs) * SAMPLES);
        payload = Uint8Array.from(silence);
        payload.fill(linearToUlaw(16_000), first, first + 8);
        tickMs.push(tickAtMs);
      }
      // Nobody overtakes in the queue.
      latestMs = Math.max(latestMs, atMs + packetMs + 20 * next());
      packets.push({
        streamId,
        arrivalMs: latestMs,
        payloadType: 0,
        sequenceNumber: packets.length,
        rtpTime: 160 * (packets.length + 1),
        ssrc: seed,
        payload,
      });
    }
    // Holds: seconds, sometimes minutes.
    atMs += next() < 0.2 ? 60_000 + 120_000 * next() : 300 + 12_000 * next();
  }
  return { packets, tickMs };
}

/** Every tick's place less its true time, ms; NaN for one that is not there. */
function errors(samples: Int16Array, tickMs: number[]): number[] {
  return tickMs.map((ms) => {
    for (let i = Math.max(0, (ms - 100) * 8); i < (ms + 100) * 8; i++) if (samples[i]! > 8000) return i / 8 - ms;
    return Number.NaN;
  });
}

describe('an hour with holds on either side', () => {
  test.each([
    [100, -100],
    [-100, 100],
    [0, 0],
  ])(
    'clocks at %i and %i ppm, 20 ms of jitter: within 20 ms of the truth and of each other',
    async (leftPpm, rightPpm) => {
      const [one, other] = [hourOf('s0', 3, leftPpm), hourOf('s1', 4, rightPpm)];
      const { left, right, result } = await render([...one.packets, ...other.packets], BOTH);
      const [leftErrors, rightErrors] = [errors(left, one.tickMs), errors(right, other.tickMs)];
      expect(leftErrors.length).toBeGreaterThan(1000);
      const all = [...leftErrors, ...rightErrors];
      expect(all.filter(Number.isNaN)).toEqual([]);
      // Both sides against the truth; so the sides lie no further apart than the widest two errors.
      expect(Math.max(...all) - Math.min(...all)).toBeLessThan(20);
      expect(Math.max(...all.map(Math.abs))).toBeLessThan(20);
      expect(result.streams.map(({ late, lost }) => [late, lost])).toEqual([
        [0, 0],
        [0, 0],
      ]);
      expect(result.warnings).toEqual([]);
      for (const { cause, durationMs } of eventsOf(result, 'gap')) {
        expect(cause).toBe('silence');
        expect(durationMs).toBeGreaterThan(280);
      }
    },
  );
});

describe('sequence numbers', () => {
  const steady = (toMs: number) => linear(talk({ streamId: 's0', fromMs: 0, toMs, signal: tone(440) }));

  test('neighbours in disorder and duplicates: the same audio as without', async () => {
    const plain = await render(steady(4000), ONE);
    const shuffled = steady(4000).flatMap((packet, i) => {
      const moved = i % 5 === 2 ? { ...packet, arrivalMs: packet.arrivalMs + 25 } : packet;
      return i % 3 === 0 ? [moved, { ...moved, arrivalMs: moved.arrivalMs + 15 }] : [moved];
    });
    const { result } = await render(shuffled, ONE);
    expect(result.audio!.sha256).toBe(plain.result.audio!.sha256);
    expect(result.streams[0]).toMatchObject({ packets: 200, duplicates: 67, reordered: 40, late: 0, lost: 0 });
  });

  test.each([1, 2, 3])('%i lost in the middle of talk: silence of their length', async (lost) => {
    const packets = steady(4000).filter((_, i) => i < 100 || i >= 100 + lost);
    const { left, wav, result } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 2000, 2000 + 20 * lost, 0)).toBe(true);
    expect(clicks(left.subarray(0, 16_000), 8000, 440, 0.5)).toEqual([]);
    expect(clicks(left.subarray(16_000 + 160 * lost + 1), 8000, 440, 0.5)).toEqual([]);
    expect(wav.durationMs).toBe(4000);
    expect(result.streams[0]).toMatchObject({ lost, late: 0 });
  });

  test('lost packets before a hold do not move what comes after it', async () => {
    const packets = linear([
      ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(440) }),
      ...talk({ streamId: 's0', fromMs: 9000, toMs: 12_000, signal: tone(660) }),
    ]).filter((_, i) => i < 147 || i >= 152);
    const { left } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 2941, 9030, 0)).toBe(true);
    expect(toneOnset(left, 8000, 660, 3000)).toBeCloseTo(9040, 0);
  });

  test.each([
    ['at once', 0],
    ['behind a hold', 2500],
  ])('a restart %s', async (_, pauseMs) => {
    const packets = linear([
      ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(440) }),
      ...talk({ streamId: 's0', fromMs: 3000 + pauseMs, toMs: 6000 + pauseMs, signal: tone(660) }),
    ]).map((packet, i) => (i < 150 ? packet : { ...packet, sequenceNumber: 40_000 + i, rtpTime: 160 * (i - 149) }));
    const { left, wav } = await render(packets, ONE);
    expect(wav.durationMs).toBe(6000 + pauseMs);
    expect(toneLevel(left, 8000, 440, 0, 3000)).toBeCloseTo(-6, 0);
    if (pauseMs > 0) expect(silentBetween(left, 8000, 3001, 2999 + pauseMs, 0)).toBe(true);
    expect(toneLevel(left, 8000, 660, 0, 2999)).toBeLessThan(-60);
    expect(toneLevel(left, 8000, 440, 3001 + pauseMs, 6000 + pauseMs)).toBeLessThan(-60);
    expect(toneLevel(left, 8000, 660, 3000 + pauseMs, 6000 + pauseMs)).toBeCloseTo(-6, 0);
  });

  test('wrap around', async () => {
    const [wrapped, plain] = [
      steady(4000).map((packet) => ({ ...packet, sequenceNumber: packet.sequenceNumber + 64_450 })),
      steady(4000),
    ];
    const sums = [await render(wrapped, ONE), await render(plain, ONE)].map(({ result }) => result.audio!.sha256);
    expect(sums[0]).toBe(sums[1]);
  });
});

describe('the first packet', () => {
  test('of one side comes late: its time is its arrival, though both begin with the same timestamp', async () => {
    const packets = [
      ...linear(talk({ streamId: 's0', fromMs: 0, toMs: 8000, signal: tone(440) })),
      ...linear(talk({ streamId: 's1', fromMs: 3064, toMs: 8000, signal: tone(880) })),
    ];
    const { left, right, result } = await render(packets, BOTH);
    expect(silentBetween(right, 8000, 0, 3063, 0)).toBe(true);
    expect(toneOnset(right, 8000, 880, 2000)).toBeCloseTo(3064, 0);
    expect(toneLevel(left, 8000, 440, 0, 8000)).toBeCloseTo(-6, 0);
    expect(result.audio!.startMs).toBe(START_MS);
    expect(result.events).toEqual([]);
  });

  test('is delayed more than the others: it does not delay them', async () => {
    const packets = linear(
      talk({ streamId: 's0', fromMs: 0, toMs: 8000, signal: tone(440), delayMs: (ms) => (ms === 0 ? 18 : 0) }),
    );
    const other = linear(talk({ streamId: 's1', fromMs: 0, toMs: 8000, signal: tone(440) }));
    const { left, right } = await render([...packets, ...other], BOTH);
    expect(toneOnset(left, 8000, 440)).toBeCloseTo(toneOnset(right, 8000, 440)!, 0);
    expect(toneLevel(left, 8000, 440, 0, 8000)).toBeCloseTo(-6, 0);
  });
});
