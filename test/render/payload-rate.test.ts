// Payloads whose rate is not what their label says: mod_oreka after a codec change, and on stereo channels.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeUlaw } from '../../src/render/codecs/g711.ts';
import { RateFinder } from '../../src/render/rate-finder.ts';
import { silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import { during, type Signal, START_MS, type SyntheticPacket, tone } from '../support/synthetic-journal.ts';
import { render } from './rendered.ts';

const BY_ARRIVAL = [{ streamId: 's0', placement: 'arrival' as const }];
/** A signal per channel; one for mono. */
type Sound = Signal[];

interface Run {
  fromMs: number;
  toMs: number;
  sound: Sound;
  /** Octets per second. */
  rateHz: number;
  packetMs?: number;
}

const random = (seed: number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 0x8000_0000;
  };
};

/** As the module sends: a packet leaves when it is full, the sequence number rises by one, the timestamp by 160. */
function oreka(runs: Run[], delayMs: (sentMs: number, index: number) => number = () => 0): SyntheticPacket[] {
  const packets: SyntheticPacket[] = [];
  for (const { fromMs, toMs, sound, rateHz, packetMs = 20 } of runs) {
    const octets = Math.round((rateHz * packetMs) / 1000);
    for (let atMs = fromMs; atMs + packetMs <= toMs + 1e-6; atMs += packetMs) {
      const pcm = Int16Array.from({ length: octets }, (_, i) => {
        const frame = Math.floor(i / sound.length) * sound.length;
        return Math.round(32767 * sound[i % sound.length]!(atMs + (frame * 1000) / rateHz));
      });
      const index = packets.length;
      packets.push({
        streamId: 's0',
        arrivalMs: atMs + packetMs + delayMs(atMs, index),
        payloadType: 0,
        sequenceNumber: 65_000 + index,
        rtpTime: 160 * (index + 1),
        ssrc: 7,
        payload: encodeUlaw(pcm),
      });
    }
  }
  return packets;
}

/** FIFO: no packet overtakes another. */
function inOrder(packets: SyntheticPacket[]): SyntheticPacket[] {
  let latestMs = 0;
  return packets.map((packet) => {
    latestMs = Math.max(latestMs, packet.arrivalMs);
    return { ...packet, arrivalMs: latestMs };
  });
}

const A440: Sound = [tone(440)];
const rateWarnings = (warnings: { code: string; message: string }[]) =>
  warnings.filter(({ code }) => code === 'payload-rate').map(({ message }) => message);

/** 440 Hz and nothing an octave beside it, in every half second. */
function expect440(samples: Int16Array, rateHz: number, fromMs: number, toMs: number, levelDb = -6): void {
  for (let atMs = fromMs; atMs + 500 <= toMs; atMs += 500) {
    expect(Math.abs(toneLevel(samples, rateHz, 440, atMs, atMs + 500) - levelDb)).toBeLessThan(1);
    for (const hz of [220, 880]) expect(toneLevel(samples, rateHz, hz, atMs, atMs + 500)).toBeLessThan(-40);
  }
}

describe('rates that are not the label’s', () => {
  test.each([
    [16_000, 16_000],
    [4000, 8000],
    [24_000, 24_000],
    [48_000, 48_000],
  ])('8 kHz, then %i octets per second, then 8 kHz', async (rateHz, outputHz) => {
    const packets = oreka([
      { fromMs: 0, toMs: 4000, sound: A440, rateHz: 8000 },
      { fromMs: 4000, toMs: 9000, sound: A440, rateHz },
      { fromMs: 9000, toMs: 12_000, sound: A440, rateHz: 8000 },
    ]);
    const { left, wav, result } = await render(packets, BY_ARRIVAL);
    expect([wav.sampleRateHz, wav.durationMs]).toEqual([outputHz, 12_000]);
    expect440(left, outputHz, 0, 12_000);
    expect(rateWarnings(result.warnings)).toEqual([
      `Stream s0: from 4.020 s to 9.000 s of the audio, labelled PCMU/8000: the payload has ${rateHz} octets per second: one channel at ${rateHz} Hz; rendered so.`,
    ]);
    expect(result.warnings.length).toBe(1);
    expect(result.events).toEqual([]);
    expect(result.streams[0]).toMatchObject({ late: 0, undecodable: 0, codecs: ['PCMU/8000'] });
  });

  test('an output rate of 8 kHz is kept to', async () => {
    const packets = oreka([
      { fromMs: 0, toMs: 4000, sound: A440, rateHz: 8000 },
      { fromMs: 4000, toMs: 8000, sound: A440, rateHz: 16_000 },
    ]);
    const { left, wav } = await render(packets, BY_ARRIVAL, { sampleRateHz: 8000 });
    expect([wav.sampleRateHz, wav.durationMs]).toEqual([8000, 8000]);
    expect440(left, 8000, 0, 8000);
  });

  test('from the first packet on, under jitter and drift, with holds', async () => {
    const next = random(5);
    const packets = inOrder(
      oreka(
        [
          { fromMs: 0, toMs: 20_000, sound: A440, rateHz: 16_000 },
          { fromMs: 50_000, toMs: 60_000, sound: A440, rateHz: 16_000 },
        ],
        (sentMs) => 20 * next() + sentMs * 100e-6,
      ),
    );
    const { left, result, wav } = await render(packets, BY_ARRIVAL);
    expect(wav.sampleRateHz).toBe(16_000);
    expect440(left, 16_000, 100, 19_900);
    expect(silentBetween(left, 16_000, 20_030, 49_950, 0)).toBe(true);
    expect440(left, 16_000, 50_100, 59_900);
    expect(rateWarnings(result.warnings).length).toBe(1);
  });

  test('bursts, loss and disorder do not hide a change', async () => {
    const packets = oreka(
      [
        { fromMs: 0, toMs: 10_000, sound: A440, rateHz: 8000 },
        { fromMs: 10_000, toMs: 20_000, sound: A440, rateHz: 16_000 },
      ],
      // Five at a time; one in eleven comes behind the next.
      (_, index) => 20 * (4 - (index % 5)) + (index % 11 === 3 ? 25 : 0),
    ).filter((_, i) => i % 37 !== 0);
    const { result, wav } = await render(packets, BY_ARRIVAL);
    expect(wav.sampleRateHz).toBe(16_000);
    expect(Math.abs(wav.durationMs - 20_000)).toBeLessThan(100);
    const [message, ...others] = rateWarnings(result.warnings);
    expect(message).toMatch(/from (9|10)\.\d+ s .* 16000 octets per second: one channel at 16000 Hz/);
    expect(others).toEqual([]);
  });

  test('a change without a change of the packet size', async () => {
    const packets = oreka([
      { fromMs: 0, toMs: 20_000, sound: A440, rateHz: 8000, packetMs: 20 },
      { fromMs: 20_000, toMs: 40_000, sound: A440, rateHz: 16_000, packetMs: 10 },
    ]);
    const { left, result, wav } = await render(packets, BY_ARRIVAL);
    expect(wav.sampleRateHz).toBe(16_000);
    expect440(left, 16_000, 0, 17_000);
    expect440(left, 16_000, 23_000, 40_000);
    expect(rateWarnings(result.warnings).length).toBe(1);
  });

  test('every piece of sound is where it was spoken, before, in and behind a part at 16 kHz', async () => {
    const at = (beepMs: number, hz: number): Signal => during(beepMs, beepMs + 300, tone(hz));
    const packets = oreka([
      { fromMs: 0, toMs: 3000, sound: [at(1500, 1000)], rateHz: 8000 },
      { fromMs: 4000, toMs: 8000, sound: [at(5500, 3000)], rateHz: 16_000 },
      { fromMs: 20_000, toMs: 24_000, sound: [at(21_300, 5000)], rateHz: 16_000 },
      { fromMs: 24_000, toMs: 27_000, sound: [at(25_200, 1000)], rateHz: 8000 },
    ]);
    const { left } = await render(packets, BY_ARRIVAL);
    const onsets = [1000, 3000, 5000].map((hz) => toneOnset(left, 16_000, hz)!);
    for (const [i, expectedMs] of [1500, 5500, 21_300].entries()) {
      expect(Math.abs(onsets[i]! - expectedMs)).toBeLessThan(3);
    }
    expect(Math.abs(toneOnset(left, 16_000, 1000, 22_000)! - 25_200)).toBeLessThan(3);
    expect(silentBetween(left, 16_000, 8010, 19_990, 0)).toBe(true);
  });

  test('the other side stays where it is', async () => {
    const other = oreka([{ fromMs: 0, toMs: 12_000, sound: [tone(880)], rateHz: 8000 }]);
    const packets = [
      ...oreka([
        { fromMs: 0, toMs: 4000, sound: A440, rateHz: 8000 },
        { fromMs: 4000, toMs: 12_000, sound: A440, rateHz: 16_000 },
      ]),
      ...other.map((packet) => ({ ...packet, streamId: 's1' })),
    ];
    const { left, right, wav } = await render(packets, [...BY_ARRIVAL, { streamId: 's1', placement: 'arrival' }]);
    expect(wav.durationMs).toBe(12_000);
    expect440(left, 16_000, 0, 12_000);
    expect(toneLevel(right, 16_000, 880, 0, 12_000)).toBeCloseTo(-6, 0);
    expect(toneLevel(right, 16_000, 440, 0, 12_000)).toBeLessThan(-60);
  });

  test('a label that says 16000 and means it is no reason for a warning, 8 kHz under it neither', async () => {
    const formats = [{ payloadType: 0, encoding: 'PCMU', clockRateHz: 16_000, channels: 1, fmtp: null }];
    for (const rateHz of [8000, 16_000]) {
      const packets = oreka([{ fromMs: 0, toMs: 5000, sound: A440, rateHz }]);
      const { left, wav, result } = await render(packets, [{ ...BY_ARRIVAL[0]!, formats }]);
      expect(wav.sampleRateHz).toBe(rateHz);
      expect440(left, rateHz, 0, 5000);
      expect(result.warnings).toEqual([]);
    }
  });

  test('what cannot be told is rendered as labelled, and said', async () => {
    // 11,000 octets per second: no rate of any codec.
    const packets = oreka([{ fromMs: 0, toMs: 5000, sound: A440, rateHz: 11_000 }]);
    const { wav, result } = await render(packets, BY_ARRIVAL);
    expect(wav.sampleRateHz).toBe(8000);
    expect(rateWarnings(result.warnings).length).toBe(1);
    expect(rateWarnings(result.warnings)[0]).toMatch(
      /^Stream s0: from 0\.\d+ s to 5\.\d+ s of the audio, labelled PCMU\/8000: the rate of the payload cannot be told from its arrival; rendered at 8000 Hz\.$/,
    );
  });

  test('only streams placed by arrival are looked at', async () => {
    const packets = oreka([{ fromMs: 0, toMs: 5000, sound: A440, rateHz: 16_000 }]);
    const { wav, result } = await render(packets, [{ streamId: 's0' }]);
    expect(wav.sampleRateHz).toBe(8000);
    expect(rateWarnings(result.warnings)).toEqual([]);
  });
});

describe('interleaved stereo', () => {
  const speech: Signal = (ms) => tone(440, 0.3)(ms) + tone(150, 0.1)(ms) + tone(1900, 0.05)(ms);
  test.each<[string, Sound, number]>([
    ['the same on both', [tone(440), tone(440)], -6],
    ['two tones', [tone(440), tone(700)], -12],
    ['one side silent', [tone(440), () => 0], -12],
  ])('%s', async (_, sound, levelDb) => {
    const packets = oreka([
      { fromMs: 0, toMs: 3000, sound: A440, rateHz: 8000 },
      { fromMs: 3000, toMs: 8000, sound, rateHz: 16_000 },
    ]);
    const { left, wav, result } = await render(packets, BY_ARRIVAL);
    expect([wav.sampleRateHz, wav.durationMs]).toEqual([8000, 8000]);
    expect440(left, 8000, 0, 3000);
    expect440(left, 8000, 3000, 8000, levelDb);
    expect(rateWarnings(result.warnings)).toEqual([
      'Stream s0: from 3.020 s to 8.000 s of the audio, labelled PCMU/8000: the payload has 16000 octets per second: two interleaved channels at 8000 Hz; rendered so, mixed to one.',
    ]);
  });

  test('one channel at 16 kHz with the spectrum of speech is not taken for two', async () => {
    const packets = oreka([{ fromMs: 0, toMs: 5000, sound: [speech], rateHz: 16_000 }]);
    const { wav } = await render(packets, BY_ARRIVAL);
    expect(wav.sampleRateHz).toBe(16_000);
  });

  test('silence tells nothing: one channel, and the doubt is said', async () => {
    const packets = oreka([{ fromMs: 0, toMs: 5000, sound: [() => 0], rateHz: 16_000 }]);
    const { result, wav } = await render(packets, BY_ARRIVAL);
    expect([wav.sampleRateHz, wav.durationMs]).toEqual([16_000, 5000]);
    expect(rateWarnings(result.warnings)[0]).toMatch(/Whether they are two interleaved channels cannot be told\.$/);
  });
});

describe('what is no change', () => {
  const steady = (packetMs: number): Run[] => [{ fromMs: 0, toMs: 30_000, sound: A440, rateHz: 8000, packetMs }];
  const next = random(11);
  const cases: [string, () => SyntheticPacket[]][] = [
    ...[10, 20, 30, 60].flatMap((packetMs): [string, () => SyntheticPacket[]][] => [
      [`packets of ${packetMs} ms`, () => oreka(steady(packetMs))],
      [`packets of ${packetMs} ms with jitter`, () => inOrder(oreka(steady(packetMs), () => 20 * next()))],
      [`packets of ${packetMs} ms with strong jitter`, () => inOrder(oreka(steady(packetMs), () => 80 * next()))],
      [`packets of ${packetMs} ms in disorder`, () => oreka(steady(packetMs), () => 60 * next())],
      [`packets of ${packetMs} ms, a tenth lost`, () => oreka(steady(packetMs)).filter(() => next() > 0.1)],
    ]),
    ...[2, 3, 5, 6, 8, 10, 16].map((burst): [string, () => SyntheticPacket[]] => [
      `bursts of ${burst}`,
      () => oreka(steady(20), (_, index) => 20 * (burst - 1 - (index % burst))),
    ]),
    ['intervals of 10 and 30 ms in turn', () => oreka(steady(20), (_, index) => 10 * (index % 2))],
    ...[500, 1500, 3000].map((stallMs): [string, () => SyntheticPacket[]] => [
      `stalls of ${stallMs} ms and their bursts`,
      () => inOrder(oreka(steady(20), (sentMs) => (sentMs % 7000 < stallMs ? stallMs - (sentMs % 7000) : 0))),
    ]),
    [
      'a stall that drains at twice the speed',
      () => oreka(steady(20), (ms) => (ms < 10_000 ? 0 : Math.max(0, Math.min(ms - 10_000, 3000) - (ms - 10_000) / 2))),
    ],
    ...[5, 10, 25, 50].flatMap((packets) =>
      [100, 160, 200, 500, 1000].map((gapMs): [string, () => SyntheticPacket[]] => [
        `talk of ${packets} packets, gaps of ${gapMs} ms`,
        () =>
          oreka(
            Array.from({ length: 60 }, (_, n) => {
              const fromMs = n * (packets * 20 + gapMs);
              return { fromMs, toMs: fromMs + packets * 20, sound: A440, rateHz: 8000 };
            }),
          ),
      ]),
    ),
    [
      'packets of 20, 30, 60, 20 ms in turn',
      () =>
        oreka(
          [20, 30, 60, 20, 10].map((packetMs, n) => ({
            fromMs: n * 6000,
            toMs: (n + 1) * 6000,
            sound: A440,
            rateHz: 8000,
            packetMs,
          })),
        ),
    ],
    [
      'a short last packet of every prompt',
      () =>
        oreka(
          Array.from({ length: 20 }, (_, n): Run[] => [
            { fromMs: n * 3000, toMs: n * 3000 + 1000, sound: A440, rateHz: 8000 },
            { fromMs: n * 3000 + 1000, toMs: n * 3000 + 1010, sound: A440, rateHz: 8000, packetMs: 10 },
          ]).flat(),
        ),
    ],
    [
      'packets of 10 and 20 ms without order',
      () => {
        let atMs = 0;
        return oreka(
          Array.from({ length: 1500 }, (): Run => {
            const packetMs = next() < 0.5 ? 10 : 20;
            atMs += packetMs;
            return { fromMs: atMs - packetMs, toMs: atMs, sound: A440, rateHz: 8000, packetMs };
          }),
        );
      },
    ],
    ['three packets', () => oreka(steady(20)).slice(0, 3)],
  ];

  test.each(cases)('%s', async (_, packets) => {
    const { result, rateHz } = await render(packets(), BY_ARRIVAL);
    expect([rateHz, rateWarnings(result.warnings)]).toEqual([8000, []]);
  });

  test('a restart of the sequence numbers, and another source', async () => {
    const packets = oreka(steady(20)).map((packet, i) => ({
      ...packet,
      sequenceNumber: packet.sequenceNumber + (i >= 500 ? 30_000 : 0),
      ssrc: i >= 1000 ? 9 : 7,
    }));
    const { left, result } = await render(packets, BY_ARRIVAL, {
      pauses: [{ streamId: 's0', startMs: START_MS, endMs: START_MS + 1 }],
    });
    expect(result.warnings).toEqual([]);
    expect440(left, 8000, 0, 30_000);
  });
});

test('whatever comes, the parts are few, in order and within the packets', () => {
  const table = new Int16Array(256);
  const payload = new Uint8Array(1500);
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.nat(0xffff),
          fc.double({ min: -100, max: 400, noNaN: true }),
          fc.integer({ min: 1, max: 1500 }),
          fc.nat(2),
        ),
        { maxLength: 400 },
      ),
      fc.integer({ min: 1, max: 40 }),
      (steps, repeats) => {
        const finder = new RateFinder();
        let packets = 0;
        let atMs = 0;
        for (const [sequence, stepMs, octets, ssrc] of steps) {
          for (let i = 0; i < repeats; i++) {
            atMs += stepMs;
            finder.observe(ssrc, (sequence + i) & 0xffff, atMs, table, payload, 0, octets);
            packets++;
          }
        }
        const parts = finder.finish();
        expect(parts.length).toBeLessThanOrEqual(200);
        expect(parts[0]?.firstPacket ?? 0).toBe(0);
        for (let i = 1; i < parts.length; i++) {
          expect(parts[i]!.firstPacket).toBeGreaterThan(parts[i - 1]!.firstPacket);
          expect(parts[i]!.firstPacket).toBeLessThan(packets);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('two thousand calls at 8 kHz over networks of every kind: no false alarm; a change to 16 kHz is mostly found', () => {
  const next = random(77);
  const one = <T>(choices: T[]): T => choices[Math.floor(next() * choices.length)]!;
  const table = new Int16Array(256);
  const payload = new Uint8Array(1000);
  const partsOf = (rateAfterHz: number) => {
    const [packetMs, jitterMs, burst, lossRatio] = [
      one([10, 20, 30, 60]),
      one([0, 2, 20, 60]),
      one([1, 1, 1, 2, 3, 4, 5, 8]),
      one([0, 0, 0.01, 0.1]),
    ];
    const [talkPackets, gapMs, stallRatio, stallMs, overtaking] = [
      one([25, 50, 200, 1e9, 1e9]),
      one([60, 100, 160, 200, 300, 500, 2000]),
      one([0, 0, 0.001, 0.005]),
      one([200, 1000, 3000]),
      next() < 0.3,
    ];
    const sent: { arrivalMs: number; sequence: number; octets: number }[] = [];
    let [atMs, stalledUntilMs, latestMs, talked] = [0, 0, 0, 0];
    for (let i = 0; atMs < 30_000; i++) {
      const rateHz = atMs < 15_000 ? 8000 : rateAfterHz;
      atMs += packetMs;
      if (++talked > talkPackets) {
        atMs += gapMs * 2 * next();
        talked = 0;
      }
      if (next() < stallRatio) stalledUntilMs = atMs + stallMs * next();
      let arrivalMs = Math.max(stalledUntilMs, atMs + jitterMs * next() + packetMs * (burst - 1 - (i % burst)));
      if (!overtaking) arrivalMs = latestMs = Math.max(arrivalMs, latestMs);
      if (next() >= lossRatio) sent.push({ arrivalMs, sequence: i, octets: (rateHz * packetMs) / 1000 });
    }
    const finder = new RateFinder();
    for (const { arrivalMs, sequence, octets } of sent.sort((a, b) => a.arrivalMs - b.arrivalMs)) {
      finder.observe(1, sequence, arrivalMs, table, payload, 0, octets);
    }
    return finder.finish();
  };
  for (let i = 0; i < 2000; i++) expect(partsOf(8000)).toEqual([]);
  let found = 0;
  for (let i = 0; i < 200; i++) if (partsOf(16_000).some(({ rateHz }) => rateHz === 16_000)) found++;
  expect(found).toBeGreaterThan(180);
});
