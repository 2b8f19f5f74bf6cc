// True time under everything a network and a sender do: loss, disorder, jumps, stalls, holds, drift.
import { describe, expect, test } from 'vitest';
import { silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import { during, START_MS, type SyntheticPacket, talk, tone } from '../support/synthetic-journal.ts';
import { clicks, eventsOf, render } from './rendered.ts';

const ONE = [{ streamId: 's0' }];
const steady = (toMs: number, more = {}) => talk({ streamId: 's0', fromMs: 0, toMs, signal: tone(440), ...more });

/** Onsets of the 50 ms beeps that begin at every full second. */
const beeps = tone(1000);
const everySecond = (trueMs: number) => (trueMs % 1000 < 50 ? beeps(trueMs) : 0);

/** Where the beeps of whole seconds are heard, less where they were spoken, in ms. */
function misplacements(samples: Int16Array, rateHz: number, seconds: number[]): number[] {
  return seconds.map((second) => {
    const onset = toneOnset(samples, rateHz, 1000, second * 1000 - 400);
    return onset === null || onset > second * 1000 + 400 ? Number.NaN : onset - second * 1000;
  });
}

const largest = (values: number[]) => Math.max(...values.map(Math.abs));

describe('loss and disorder', () => {
  test('loss becomes silence of the right length, and an event from 100 ms on', async () => {
    const packets = steady(4000).filter((_, i) => !(i >= 50 && i < 60) && i !== 100);
    const { left, result } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 1000, 1200, 0)).toBe(true);
    expect(silentBetween(left, 8000, 2000, 2020, 0)).toBe(true);
    expect(toneOnset(left, 8000, 440, 1100)).toBeCloseTo(1200, 0);
    expect(toneLevel(left, 8000, 440, 2020, 4000)).toBeCloseTo(-6, 0);
    expect(result.streams[0]).toMatchObject({ packets: 189, lost: 11, late: 0 });
    expect(result.events).toEqual([{ type: 'gap', streamId: 's0', offsetMs: 1000, durationMs: 200, cause: 'loss' }]);
  });

  test('reordering is healed', async () => {
    const packets = steady(4000).map((packet, i) => ({
      ...packet,
      arrivalMs: packet.arrivalMs + (i % 5 === 3 ? 70 : 0),
    }));
    const { left, result, wav } = await render(packets, ONE);
    expect(clicks(left, 8000, 440, 0.5)).toEqual([]);
    expect(toneLevel(left, 8000, 440, 0, 4000)).toBeCloseTo(-6, 0);
    expect(wav.durationMs).toBe(4000);
    expect(result.streams[0]).toMatchObject({ lost: 0, late: 0, reordered: 40 });
    expect(result.events).toEqual([]);
  });

  test('a packet that comes seconds late still finds its place', async () => {
    const packets = steady(8000).map((packet, i) => (i === 50 ? { ...packet, arrivalMs: 7000 } : packet));
    const { left, result } = await render(packets, ONE);
    expect(clicks(left, 8000, 440, 0.5)).toEqual([]);
    expect(result.streams[0]!.late).toBe(0);
  });

  test('a packet that comes after its place was written is counted as late', async () => {
    const packets = steady(60_000).map((packet, i) => (i === 50 ? { ...packet, arrivalMs: 50_000 } : packet));
    const { left, result, wav } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 1000, 1020, 0)).toBe(true);
    expect(result.streams[0]!.late).toBe(1);
    expect(wav.durationMs).toBe(60_000);
  });

  test('duplicates change nothing', async () => {
    const packets = steady(2000).flatMap((packet) => [packet, { ...packet, arrivalMs: packet.arrivalMs + 35 }]);
    const [twice, once] = [await render(packets, ONE), await render(steady(2000), ONE)];
    expect(twice.result.audio!.sha256).toBe(once.result.audio!.sha256);
    expect(twice.result.streams[0]).toMatchObject({ packets: 100, duplicates: 100, late: 0, lost: 0 });
  });

  test('sequence numbers and timestamps wrap', async () => {
    const [wrapped, plain] = [
      await render(steady(4000, { firstSequence: 65_500, firstRtpTime: 2 ** 32 - 8000 }), ONE),
      await render(steady(4000), ONE),
    ];
    expect(wrapped.result.audio!.sha256).toBe(plain.result.audio!.sha256);
    expect(wrapped.result.streams[0]).toMatchObject({ lost: 0, reordered: 0 });
  });

  test('jitter does not move the audio', async () => {
    // Delays between 0 and 60 ms without order; the fastest packets show the true time.
    const jitter = (_: number, i: number) => ((i * 7919) % 61) * 1;
    const { left, result } = await render(steady(20_000, { delayMs: jitter, signal: everySecond }), ONE);
    expect(largest(misplacements(left, 8000, [1, 5, 10, 15, 19]))).toBeLessThan(2);
    expect(result.streams[0]!.late).toBe(0);
  });
});

describe('breaks of the sender’s clock', () => {
  test('the SSRC changes in mid-call', async () => {
    const packets = [
      ...steady(2000),
      ...talk({ streamId: 's0', fromMs: 2500, toMs: 4000, signal: tone(660), ssrc: 0xabcdef01, firstRtpTime: 7 }),
    ];
    const { left, result } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 2000, 2499, 0)).toBe(true);
    expect(toneOnset(left, 8000, 660, 2100)).toBeCloseTo(2500, 0);
    expect(result.events).toEqual([
      { type: 'gap', streamId: 's0', offsetMs: 2000, durationMs: 500, cause: 'silence' },
      { type: 'source-change', streamId: 's0', offsetMs: 2500, detail: 'SSRC 0x12340030 to 0xabcdef01' },
    ]);
    expect(result.streams[0]!.ssrcs).toEqual([0x12340030, 0xabcdef01]);
  });

  test('pause and resume: new source port, sequence number and timestamp jump, same SSRC', async () => {
    const packets = [
      ...steady(3000),
      ...talk({
        streamId: 's0',
        fromMs: 8000,
        toMs: 10_000,
        signal: tone(660),
        firstSequence: 1150 + 77,
        firstRtpTime: 0x9000_0000,
        source: { host: '192.0.2.1', port: 36_000 },
      }),
    ];
    const pauses = [{ streamId: 's0', startMs: START_MS + 3005, endMs: START_MS + 7990 }];
    const { left, result, wav } = await render(packets, ONE, { pauses });
    expect(wav.durationMs).toBe(10_000);
    expect(toneOnset(left, 8000, 660, 3100)).toBeCloseTo(8000, 0);
    expect(result.streams[0]).toMatchObject({ lost: 0, sources: ['192.0.2.1:30000', '192.0.2.1:36000'] });
    expect(result.events).toEqual([
      { type: 'gap', streamId: 's0', offsetMs: 3000, durationMs: 5000, cause: 'interruption' },
      {
        type: 'source-change',
        streamId: 's0',
        offsetMs: 8000,
        detail: 'address 192.0.2.1:30000 to 192.0.2.1:36000',
      },
    ]);
  });

  test('a pause too short to be seen in the delays', async () => {
    const after = talk({ streamId: 's0', fromMs: 3060, toMs: 5000, signal: tone(660) });
    const packets = [
      ...steady(3000),
      ...after.map((packet, i) => ({ ...packet, sequenceNumber: 1150 + i, rtpTime: 50_000 + 24_000 + i * 160 })),
    ];
    const pauses = [{ streamId: 's0', startMs: START_MS + 2990, endMs: START_MS + 3050 }];
    const { left } = await render(packets, ONE, { pauses });
    expect(silentBetween(left, 8000, 3000, 3059, 0)).toBe(true);
    expect(toneOnset(left, 8000, 660, 3010)).toBeCloseTo(3060, 0);
  });

  test.each([
    ['forwards', 0x4000_0000],
    ['backwards', -500_000],
    ['by a second', 8000],
  ])('the timestamps jump %s, without a pause', async (_, jump) => {
    const packets = steady(20_000, { signal: everySecond }).map((packet, i) => ({
      ...packet,
      rtpTime: packet.rtpTime + (i >= 400 ? jump : 0),
    }));
    const { left, result, wav } = await render(packets, ONE);
    expect(wav.durationMs).toBe(20_000);
    expect(largest(misplacements(left, 8000, [1, 7, 9, 15, 19]))).toBeLessThan(2);
    expect(result.streams[0]).toMatchObject({ late: 0 });
    expect(result.events).toEqual([]);
  });

  test('a hold in which the timestamps stand still: the time is put back', async () => {
    const [before, after] = [steady(3000), talk({ streamId: 's0', fromMs: 5000, toMs: 8000, signal: tone(660) })];
    const packets = [
      ...before,
      ...after.map((packet, i) => ({ ...packet, sequenceNumber: 1150 + i, rtpTime: 50_000 + 24_000 + i * 160 })),
    ];
    const { left, result } = await render(packets, ONE);
    expect(silentBetween(left, 8000, 3000, 4999, 0)).toBe(true);
    expect(toneOnset(left, 8000, 660, 3100)).toBeCloseTo(5000, 0);
    expect(result.events).toEqual([
      { type: 'gap', streamId: 's0', offsetMs: 3000, durationMs: 2000, cause: 'silence' },
    ]);
  });

  test.each(['rtp-time', 'arrival'] as const)(
    'prompts of half a second, each behind a hidden pause (%s)',
    async (placement) => {
      let step = 0;
      const packets = Array.from({ length: 20 }, (_, n) =>
        talk({ streamId: 's0', fromMs: n * 1000, toMs: n * 1000 + 500, signal: tone(n % 2 === 0 ? 440 : 660) }).map(
          (packet) => ({ ...packet, sequenceNumber: 1000 + step, rtpTime: 160 * step++ }),
        ),
      ).flat();
      const { left, result } = await render(packets, [{ streamId: 's0', placement }]);
      for (let n = 1; n < 20; n++) {
        const onset = toneOnset(left, 8000, n % 2 === 0 ? 440 : 660, n * 1000 - 300);
        expect(Math.abs(onset! - n * 1000)).toBeLessThan(2);
        expect(silentBetween(left, 8000, n * 1000 - 499, n * 1000 - 1, 0)).toBe(true);
      }
      expect(eventsOf(result, 'gap').length).toBe(19);
      expect(result.streams[0]!.late).toBe(0);
    },
  );

  test('two stalls in a row, the first not drained when the second begins', async () => {
    const stalls = (sentMs: number) => {
      if (sentMs >= 3000 && sentMs < 3600) return Math.max(300, 3600 - sentMs);
      return sentMs >= 3600 && sentMs < 4600 ? 4600 - sentMs : 0;
    };
    const { left, result } = await render(steady(10_000, { delayMs: stalls, signal: everySecond }), ONE);
    expect(largest(misplacements(left, 8000, [2, 3, 4, 5, 6, 9]))).toBeLessThan(2);
    expect(result.streams[0]!.late).toBe(0);
  });

  test('a stray packet with a wild timestamp moves nothing', async () => {
    const packets = steady(10_000, { signal: everySecond }).map((packet, i) =>
      i % 100 === 50 ? { ...packet, rtpTime: packet.rtpTime + (i % 200 === 50 ? 1e9 : -1e6) } : packet,
    );
    const { left, result, wav } = await render(packets, ONE);
    expect(largest(misplacements(left, 8000, [2, 4, 6, 8]))).toBeLessThan(2);
    expect(wav.durationMs).toBe(10_000);
    expect(result.streams[0]!.late).toBe(5);
  });

  test('discontinuous transmission: the timestamps go on in silence, one stretch', async () => {
    const packets = steady(10_000).filter((_, i) => i < 100 || (i >= 300 && i < 320) || i >= 450);
    const renumbered = packets.map((packet, i) => ({ ...packet, sequenceNumber: 1000 + i }));
    const { left, result } = await render(renumbered, ONE);
    expect(toneOnset(left, 8000, 440, 2100)).toBeCloseTo(6000, 0);
    expect(toneOnset(left, 8000, 440, 6500)).toBeCloseTo(9000, 0);
    expect(result.events).toEqual([
      { type: 'gap', streamId: 's0', offsetMs: 2000, durationMs: 4000, cause: 'silence' },
      { type: 'gap', streamId: 's0', offsetMs: 6400, durationMs: 2600, cause: 'silence' },
    ]);
  });

  test('where a new source overlaps the old one a little, the old one stays', async () => {
    const packets = [
      ...steady(1000, { signal: () => 0.25 }),
      ...talk({ streamId: 's0', fromMs: 995, toMs: 2000, signal: () => -0.25, ssrc: 7 }),
    ];
    const { left, result } = await render(packets, ONE);
    const at = (ms: number) => Math.sign(left[ms * 8]!);
    expect([990, 996, 999, 1000, 1001, 1014, 1999].map(at)).toEqual([1, 1, 1, -1, -1, -1, -1]);
    expect(result.streams[0]!.late).toBe(0);
  });

  test('two senders at once do not add up: the one that was first is heard', async () => {
    const packets = [
      ...steady(3000),
      ...talk({ streamId: 's0', fromMs: 1005, toMs: 5000, signal: tone(660), ssrc: 7 }),
    ];
    const { left, result } = await render(packets, ONE);
    expect(toneLevel(left, 8000, 440, 1005, 3000)).toBeCloseTo(-6, 0);
    expect(toneLevel(left, 8000, 660, 1005, 2950)).toBeLessThan(-40);
    expect(toneLevel(left, 8000, 660, 3010, 5000)).toBeCloseTo(-6, 0);
    expect(clicks(left.subarray(0, 8000 * 2.9), 8000, 440, 0.5)).toEqual([]);
    expect(result.streams[0]!.late).toBeGreaterThan(95);
  });
});

describe('the network', () => {
  test('a stall and its burst are healed: no gap, no shift', async () => {
    const stall = (sentMs: number) => (sentMs >= 3000 && sentMs < 3500 ? 3500 - sentMs : 0);
    const { left, result, wav } = await render(steady(10_000, { delayMs: stall, signal: everySecond }), ONE);
    expect(wav.durationMs).toBe(10_000);
    expect(largest(misplacements(left, 8000, [1, 2, 3, 4, 5, 8]))).toBeLessThan(2);
    expect(result.events).toEqual([]);
    expect(result.streams[0]!.late).toBe(0);
  });

  test.each([
    ['after 0.7 s', 9_500, 10_200],
    ['after 20 s', 9_500, 30_000],
    ['after 0.2 s, the two packets that are left', 9_960, 10_160],
  ])('a stall that outlasts the call: what comes at once %s was spoken when it was sent', async (_, fromMs, readMs) => {
    const stall = (sentMs: number) => (sentMs >= fromMs ? readMs - sentMs : 0);
    const speech = (trueMs: number) => (trueMs < 9_900 ? everySecond(trueMs) : beeps(trueMs));
    const { left, result, wav } = await render(steady(10_000, { delayMs: stall, signal: speech }), ONE);
    expect(largest(misplacements(left, 8000, [8, 9]))).toBeLessThan(2);
    expect(toneOnset(left, 8000, 1000, 9_500)).toBeCloseTo(9_900, 0);
    expect(wav.durationMs).toBe(10_000);
    expect(result.events).toEqual([]);
    expect(result.streams[0]!.late).toBe(0);
  });

  test('a prompt behind a hidden pause at the end of a call is no burst: it takes its time', async () => {
    const [before, after] = [steady(3000), talk({ streamId: 's0', fromMs: 5000, toMs: 5400, signal: tone(660) })];
    const packets = [
      ...before,
      ...after.map((packet, i) => ({ ...packet, sequenceNumber: 1150 + i, rtpTime: 50_000 + 24_000 + i * 160 })),
    ];
    const { left } = await render(packets, ONE);
    expect(toneOnset(left, 8000, 660, 3100)).toBeCloseTo(5000, 0);
  });

  test('a stall that ends slowly moves nothing either', async () => {
    // Eight seconds in which the queue drains: longer than the doubt lasts.
    const drain = (sentMs: number) => (sentMs >= 3000 && sentMs < 11_000 ? 800 * (1 - (sentMs - 3000) / 8000) : 0);
    const { left } = await render(steady(40_000, { delayMs: drain, signal: everySecond }), ONE);
    expect(largest(misplacements(left, 8000, [2, 3, 4, 6, 9, 12, 20, 39]))).toBeLessThan(12);
  });

  test('a congested minute in a long call does not bend the time line', async () => {
    const congestion = (sentMs: number) => (sentMs >= 60_000 && sentMs < 120_000 ? 70 : 0);
    const { left } = await render(steady(300_000, { delayMs: congestion, signal: everySecond }), ONE);
    expect(largest(misplacements(left, 8000, [30, 59, 65, 90, 115, 125, 200, 290]))).toBeLessThan(15);
  });

  test('the first packets come in a burst', async () => {
    const burst = (sentMs: number) => (sentMs < 400 ? 400 - sentMs : 0);
    const packets = [
      ...steady(6000, { delayMs: burst, signal: everySecond }),
      ...talk({ streamId: 's1', fromMs: 0, toMs: 6000, signal: everySecond }),
    ];
    const { left, right, wav } = await render(packets, [...ONE, { streamId: 's1' }]);
    expect(wav.durationMs).toBe(6000);
    expect(largest(misplacements(left, 8000, [1, 3, 5]))).toBeLessThan(2);
    expect(largest(misplacements(right, 8000, [1, 3, 5]))).toBeLessThan(2);
  });
});

describe('drift', () => {
  /** A long call in which only the seconds around the measured ones are beeps; all else is one encoded packet of silence. */
  function longTalk(streamId: string, driftPpm: number, jitterMs: number): SyntheticPacket[] {
    let random = streamId.charCodeAt(1);
    const exponential = () => {
      random = (random * 1103515245 + 12345) % 2 ** 31;
      return -jitterMs * Math.log((random + 1) / 2 ** 31);
    };
    const beep = during(0, Number.POSITIVE_INFINITY, everySecond);
    return talk({ streamId, fromMs: 0, toMs: 3600_000, signal: beep, driftPpm, delayMs: exponential, packetMs: 40 });
  }

  test('an hour at +200 and -200 ppm under jitter: within 20 ms of the truth, no clicks, drift told', async () => {
    const packets = [...longTalk('s0', 200, 8), ...longTalk('s1', -200, 8)];
    const { left, right, result, wav } = await render(packets, [...ONE, { streamId: 's1' }]);
    const seconds = [1, 10, 60, 300, 600, 1200, 1800, 2400, 3000, 3300, 3500, 3598];
    expect(largest(misplacements(left, 8000, seconds))).toBeLessThan(5);
    expect(largest(misplacements(right, 8000, seconds))).toBeLessThan(5);
    expect(Math.abs(wav.durationMs - 3600_000)).toBeLessThan(100);
    expect(result.events).toEqual([]);
    for (const [stream, ppm] of [200, -200].entries()) {
      expect(Math.abs(result.streams[stream]!.driftPpm! - ppm)).toBeLessThan(3);
      expect(result.streams[stream]).toMatchObject({ late: 0, lost: 0 });
    }
  });

  test('a stretched tone stays a clean tone', async () => {
    const packets = talk({ streamId: 's0', fromMs: 0, toMs: 120_000, signal: tone(1000), driftPpm: 250 });
    const { left } = await render(packets, ONE);
    expect(clicks(left, 8000, 1000, 0.5)).toEqual([]);
    // Whole samples are put in, so the phase is off by up to half a sample: 0.2 dB at 1 kHz.
    expect(toneLevel(left, 8000, 1000, 60_000, 61_000)).toBeCloseTo(-6.1, 0.5);
    for (const hz of [900, 950, 1050, 1100]) expect(toneLevel(left, 8000, hz, 60_000, 61_000)).toBeLessThan(-45);
  });
});

describe('placement by arrival', () => {
  const BY_ARRIVAL = [{ streamId: 's0', placement: 'arrival' as const }];

  test('timestamps of another rate and holes without time in them are no matter', async () => {
    // As mod_oreka does: the step is that of the channel's codec, the clock stops while nothing is sent.
    const [before, after] = [steady(3000), talk({ streamId: 's0', fromMs: 4558, toMs: 8000, signal: tone(660) })];
    const packets = [...before, ...after].map((packet, i) => ({
      ...packet,
      sequenceNumber: 6605 + i,
      rtpTime: 960 * (i + 1),
    }));
    const { left, result } = await render(packets, BY_ARRIVAL);
    expect(clicks(left.subarray(0, 23_900), 8000, 440, 0.5)).toEqual([]);
    expect(silentBetween(left, 8000, 3001, 4557, 0)).toBe(true);
    expect(toneOnset(left, 8000, 660, 3100)).toBeCloseTo(4558, 0);
    expect(result.events).toEqual([
      { type: 'gap', streamId: 's0', offsetMs: 3000, durationMs: 1558, cause: 'silence' },
    ]);
  });

  test('lost and reordered neighbours are healed by their sequence numbers', async () => {
    const packets = steady(4000)
      .filter((_, i) => i < 50 || i >= 53)
      .map((packet, i) => ({ ...packet, rtpTime: 0, arrivalMs: packet.arrivalMs + (i % 7 === 3 ? 25 : 0) }));
    const { left, wav, result } = await render(packets, BY_ARRIVAL);
    expect(silentBetween(left, 8000, 1000, 1060, 0)).toBe(true);
    expect(toneLevel(left, 8000, 440, 1060, 4000)).toBeCloseTo(-6, 0);
    expect(clicks(left.subarray(8500), 8000, 440, 0.5)).toEqual([]);
    expect(wav.durationMs).toBe(4000);
    expect(result.streams[0]).toMatchObject({ late: 0, lost: 3 });
  });

  test('the rate that the SDP claims for G.711 is not believed', async () => {
    const claimed = [
      {
        ...BY_ARRIVAL[0]!,
        formats: [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 16_000, channels: 1, fmtp: null }],
      },
    ];
    const { left, rateHz, wav } = await render(steady(4000), claimed);
    expect({ rateHz, durationMs: wav.durationMs }).toEqual({ rateHz: 8000, durationMs: 4000 });
    expect(toneLevel(left, 8000, 440, 0, 4000)).toBeCloseTo(-6, 0);
  });

  test('packets of 240 octets every 30 ms with the step of 20 ms', async () => {
    const packets = steady(6000, { packetMs: 30 }).map((packet, i) => ({ ...packet, rtpTime: 160 * i }));
    const { left, wav } = await render(packets, BY_ARRIVAL);
    expect(wav.durationMs).toBe(6000);
    expect(clicks(left, 8000, 440, 0.5)).toEqual([]);
    expect(toneLevel(left, 8000, 440, 0, 6000)).toBeCloseTo(-6, 0);
  });
});

test('gaps of both streams, in the order of their offsets', async () => {
  const packets = [
    ...steady(5000).filter((_, i) => i < 100 || i >= 110),
    ...talk({ streamId: 's1', fromMs: 0, toMs: 5000, signal: tone(880) }).filter((_, i) => i < 75 || i >= 90),
  ];
  const { result } = await render(packets, [...ONE, { streamId: 's1' }]);
  expect(eventsOf(result, 'gap').map(({ streamId, offsetMs, durationMs }) => [streamId, offsetMs, durationMs])).toEqual(
    [
      ['s1', 1500, 300],
      ['s0', 2000, 200],
    ],
  );
});
