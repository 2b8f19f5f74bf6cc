// Whole renders of ordinary calls, judged by listening to the WAV.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderJob } from '../../src/render/job.ts';
import { silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import {
  EVENTS,
  jobIn,
  journalOf,
  L16_WIDE,
  PCMA,
  PCMU,
  START_MS,
  talk,
  tone,
  writeJournal,
} from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { clicks, eventsOf, render, TWO } from './rendered.ts';

const call = () => [
  ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(440) }),
  ...talk({ streamId: 's1', fromMs: 500, toMs: 2500, signal: tone(880) }),
];

test('two parties: each in its channel, at its time, and every figure', async () => {
  const { job, result, wav, left, right } = await render(call(), TWO, { info: { INAM: 'Jürgen to 王' } });
  expect(toneLevel(left, 8000, 440, 0, 3000)).toBeCloseTo(-6, 0);
  expect(toneLevel(left, 8000, 880, 0, 3000)).toBeLessThan(-50);
  expect(toneLevel(right, 8000, 880, 500, 2500)).toBeCloseTo(-6, 0);
  expect(toneLevel(right, 8000, 440, 0, 3000)).toBeLessThan(-50);
  expect(toneOnset(left, 8000, 440)).toBeLessThan(1);
  expect(toneOnset(right, 8000, 880)).toBeCloseTo(500, 0);
  expect(silentBetween(right, 8000, 0, 499, 0)).toBe(true);
  expect(silentBetween(right, 8000, 2500, 3000, 0)).toBe(true);
  expect(clicks(left, 8000, 440, 0.5)).toEqual([]);
  expect({ chunks: wav.chunks, info: wav.info, container: wav.container }).toEqual({
    chunks: ['JUNK', 'fmt ', 'LIST', 'data'],
    info: { INAM: 'Jürgen to 王' },
    container: 'RIFF',
  });
  expect(existsSync(`${job.audioPath}.part`)).toBe(false);
  const file = readFileSync(job.audioPath);
  expect(result).toEqual({
    audio: {
      sampleRateHz: 8000,
      channels: 2,
      durationMs: 3000,
      startMs: START_MS,
      octets: file.length,
      sha256: createHash('sha256').update(file).digest('hex'),
    },
    streams: [
      {
        streamId: 's0',
        packets: 150,
        octets: 24_000,
        lost: 0,
        duplicates: 0,
        reordered: 0,
        jitterMs: 0,
        rtcpPackets: 0,
        ssrcs: [0x1234_0030],
        payloadTypes: { 0: 150 },
        sources: ['192.0.2.1:30000'],
        firstPacketMs: START_MS,
        lastPacketMs: START_MS + 2980,
        drops: {},
        codecs: ['PCMU/8000'],
        late: 0,
        undecodable: 0,
        rendered: true,
        driftPpm: null,
      },
      {
        streamId: 's1',
        packets: 100,
        octets: 16_000,
        lost: 0,
        duplicates: 0,
        reordered: 0,
        jitterMs: 0,
        rtcpPackets: 0,
        ssrcs: [0x1234_0031],
        payloadTypes: { 0: 100 },
        sources: ['192.0.2.1:30002'],
        firstPacketMs: START_MS + 500,
        lastPacketMs: START_MS + 2480,
        drops: {},
        codecs: ['PCMU/8000'],
        late: 0,
        undecodable: 0,
        rendered: true,
        driftPpm: null,
      },
    ],
    events: [],
    warnings: [],
  });
});

test('the same journal gives the same file', async () => {
  const [first, second] = [await render(call()), await render(call())];
  expect(first.result).toEqual(second.result);
});

test('mono: both parties mixed, with saturation instead of overflow', async () => {
  const loud = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: () => 0.9 }),
    ...talk({ streamId: 's1', fromMs: 500, toMs: 1000, signal: () => 0.9 }),
  ];
  const streams = TWO.map((stream) => ({ ...stream, channel: 0 }));
  const { wav, left } = await render(loud, streams, { channels: 1 });
  expect(wav.channels.length).toBe(1);
  expect(left[2000]).toBeCloseTo(0.9 * 32767, -3);
  expect(left[6000]).toBe(32767);
  const mixed = await render(call(), streams, { channels: 1 });
  expect(toneLevel(mixed.left, 8000, 440, 600, 2400)).toBeCloseTo(-6, 0);
  expect(toneLevel(mixed.left, 8000, 880, 600, 2400)).toBeCloseTo(-6, 0);
});

test('per party: three channels, a late joiner among them', async () => {
  const streams = [...TWO, { streamId: 's2' }];
  const packets = [...call(), ...talk({ streamId: 's2', fromMs: 1500, toMs: 2000, signal: tone(1320) })];
  const { wav } = await render(packets, streams, { channels: 3 });
  const levels = wav.channels.map((channel) =>
    [440, 880, 1320].map((hz) => toneLevel(channel, 8000, hz, 1500, 2000) > -10),
  );
  expect(levels).toEqual([
    [true, false, false],
    [false, true, false],
    [false, false, true],
  ]);
});

test('several streams on one channel, and a channel number beyond the file', async () => {
  const streams = [...TWO, { streamId: 's2', channel: 7 }];
  const packets = [...call(), ...talk({ streamId: 's2', fromMs: 1500, toMs: 2000, signal: tone(1320) })];
  const { right } = await render(packets, streams);
  expect(toneLevel(right, 8000, 880, 1500, 2000)).toBeCloseTo(-6, 0);
  expect(toneLevel(right, 8000, 1320, 1500, 2000)).toBeCloseTo(-6, 0);
});

test('one side silent, one side absent', async () => {
  const silent = await render([
    ...call().slice(0, 150),
    ...talk({ streamId: 's1', fromMs: 0, toMs: 3000, signal: () => 0 }),
  ]);
  expect(silentBetween(silent.right, 8000, 0, 3000)).toBe(true);
  expect(silent.result.streams[1]!.rendered).toBe(true);
  const absent = await render(call().slice(0, 150));
  expect(silentBetween(absent.right, 8000, 0, 3000, 0)).toBe(true);
  expect(absent.result.streams[1]).toMatchObject({ packets: 0, rendered: false, firstPacketMs: null });
});

test('who has spoken is silent afterwards, also where the window comes round again', async () => {
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 2000, signal: tone(440) }),
    ...talk({ streamId: 's0', fromMs: 35_000, toMs: 36_000, signal: tone(440), firstRtpTime: 50_000 + 280_000 }),
    ...talk({ streamId: 's1', fromMs: 0, toMs: 40_000, signal: tone(880) }),
  ];
  const { left } = await render(packets);
  expect(silentBetween(left, 8000, 2000, 35_000, 0)).toBe(true);
  expect(silentBetween(left, 8000, 36_000, 40_000, 0)).toBe(true);
});

test('the codec changes within the stream (PT 0 to 8)', async () => {
  const first = talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: tone(440) });
  const then = talk({
    streamId: 's0',
    fromMs: 1000,
    toMs: 2000,
    signal: tone(440),
    format: PCMA,
    firstSequence: 1050,
    firstRtpTime: 58_000,
  });
  const { left, result } = await render([...first, ...then], [{ streamId: 's0', formats: [PCMU, PCMA] }]);
  expect(toneLevel(left, 8000, 440, 0, 1000)).toBeCloseTo(-6, 0);
  expect(toneLevel(left, 8000, 440, 1000, 2000)).toBeCloseTo(-6, 0);
  expect(clicks(left, 8000, 440, 0.5)).toEqual([]);
  expect(result.streams[0]!.codecs).toEqual(['PCMU/8000', 'PCMA/8000']);
});

test('L16 at 16 kHz beside PCMU: the file takes the higher rate', async () => {
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(440) }),
    ...talk({ streamId: 's1', fromMs: 500, toMs: 2500, signal: tone(6000), format: L16_WIDE }),
  ];
  const { left, right, rateHz } = await render(packets, [{ streamId: 's0' }, { streamId: 's1', formats: [L16_WIDE] }]);
  expect(rateHz).toBe(16_000);
  expect(toneLevel(left, rateHz, 440, 0, 3000)).toBeCloseTo(-6, 0);
  expect(toneLevel(left, rateHz, 8000 - 440, 100, 2900)).toBeLessThan(-70);
  expect(toneLevel(right, rateHz, 6000, 500, 2500)).toBeCloseTo(-6, 1);
  expect(toneOnset(right, rateHz, 6000)).toBeCloseTo(500, 0);
});

test('a configured rate: resampled without aliases', async () => {
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(3000) }),
    ...talk({ streamId: 's1', fromMs: 500, toMs: 2500, signal: tone(6000), format: L16_WIDE }),
  ];
  const streams = [{ streamId: 's0' }, { streamId: 's1', formats: [L16_WIDE] }];
  const low = await render(packets, streams, { sampleRateHz: 8000 });
  expect(low.rateHz).toBe(8000);
  expect(toneLevel(low.left, 8000, 3000, 0, 3000)).toBeCloseTo(-6, 0);
  expect(toneLevel(low.right, 8000, 2000, 600, 2400)).toBeLessThan(-70);
  const high = await render(packets, streams, { sampleRateHz: 48_000 });
  expect(high.wav.durationMs).toBe(3000);
  expect(toneLevel(high.left, 48_000, 3000, 0, 3000)).toBeCloseTo(-6, 0);
  expect(toneLevel(high.left, 48_000, 5000, 100, 2900)).toBeLessThan(-70);
});

test('the sample rate changes within the stream', async () => {
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: tone(440) }),
    ...talk({ streamId: 's0', fromMs: 1000, toMs: 2000, signal: tone(440), format: L16_WIDE, firstSequence: 1050 }),
  ];
  const { left, rateHz } = await render(packets, [{ streamId: 's0', formats: [PCMU, L16_WIDE] }]);
  expect(rateHz).toBe(16_000);
  expect(toneLevel(left, rateHz, 440, 0, 1000)).toBeCloseTo(-6, 0);
  expect(toneLevel(left, rateHz, 440, 1000, 2000)).toBeCloseTo(-6, 0);
  expect(toneLevel(left, rateHz, 440, 990, 1050)).toBeCloseTo(-6, 0);
});

test('packets of 60 ms stand beside packets of 20 ms at the time they were spoken', async () => {
  // A packet leaves its sender when its last sample is spoken.
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 3000, signal: tone(440), delayMs: () => 20 }),
    ...talk({ streamId: 's1', fromMs: 600, toMs: 2400, signal: tone(880), packetMs: 60, delayMs: () => 60 }),
  ];
  const { right, result } = await render(packets);
  expect(toneOnset(right, 8000, 880)).toBeCloseTo(600, 0);
  expect(result.audio!.startMs).toBe(START_MS + 20);
});

test('an undecodable codec: counted and named, the other channel rendered, nothing invented', async () => {
  const g729 = { payloadType: 18, encoding: 'G729', clockRateHz: 8000, channels: 1, fmtp: null };
  const coded = talk({ streamId: 's1', fromMs: 0, toMs: 3000, signal: tone(880) }).map((packet) => ({
    ...packet,
    payloadType: packet.sequenceNumber % 10 === 0 ? 99 : 18,
    payload: packet.payload.subarray(0, 20),
  }));
  const { left, right, result } = await render(
    [...call().slice(0, 150), ...coded],
    [{ streamId: 's0' }, { streamId: 's1', formats: [g729], label: '1' }],
  );
  expect(toneLevel(left, 8000, 440, 0, 3000)).toBeCloseTo(-6, 0);
  expect(silentBetween(right, 8000, 0, 3000, 0)).toBe(true);
  expect(result.streams[1]).toMatchObject({
    codecs: ['G729/8000', 'unknown-99'],
    packets: 150,
    undecodable: 150,
    rendered: false,
  });
  expect(result.warnings).toEqual([
    {
      code: 'codec-not-decodable',
      message:
        'Stream s1 (label 1): 135 packets of G729/8000 cannot be decoded; they are kept in the journal and are silence in the audio.',
    },
    {
      code: 'codec-not-decodable',
      message:
        'Stream s1 (label 1): 15 packets of unknown-99 cannot be decoded; they are kept in the journal and are silence in the audio.',
    },
  ]);
});

test('only undecodable packets: no WAV at all', async () => {
  const directory = await temporaryDirectory();
  const job = jobIn(directory, TWO);
  writeJournal(
    job.journalPath,
    call().map((packet) => ({ ...packet, payloadType: 18 })),
  );
  const result = renderJob(job);
  expect(result.audio).toBeNull();
  expect(result.streams.map(({ undecodable, rendered }) => ({ undecodable, rendered }))).toEqual([
    { undecodable: 150, rendered: false },
    { undecodable: 100, rendered: false },
  ]);
  expect([existsSync(job.audioPath), existsSync(`${job.audioPath}.part`)]).toEqual([false, false]);
});

test.each([
  ['empty', ''],
  ['a journal without packets', journalOf([])],
])('%s: no audio, no error', async (_, journal) => {
  const directory = await temporaryDirectory();
  const job = jobIn(directory, TWO);
  writeFileSync(job.journalPath, journal);
  expect(renderJob(job)).toMatchObject({ audio: null, events: [], warnings: [] });
});

test('no journal: an error with its code', async () => {
  const directory = await temporaryDirectory();
  expect(() => renderJob(jobIn(directory, TWO))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});

test('a torn journal is rendered up to its last whole block, with a warning', async () => {
  const directory = await temporaryDirectory();
  const job = jobIn(directory, TWO);
  const journal = journalOf(call());
  writeFileSync(job.journalPath, journal);
  truncateSync(job.journalPath, Math.floor(journal.length / 2) + 1);
  const result = renderJob(job);
  expect(result.warnings.map(({ code }) => code)).toEqual(['journal-truncated']);
  expect(result.audio!.durationMs).toBeGreaterThan(1400);
  expect(result.audio!.durationMs).toBeLessThan(2000);
});

test('interfaces of unknown streams and unreadable datagrams do no harm', async () => {
  const packets = [...call(), ...talk({ streamId: 'x9', fromMs: 0, toMs: 9000, signal: tone(880) })];
  const { result, left } = await render(packets);
  expect(result.audio!.durationMs).toBe(3000);
  expect(toneLevel(left, 8000, 880, 0, 3000)).toBeLessThan(-50);
});

test('comfort noise is silence, not sound', async () => {
  const noise = talk({
    streamId: 's0',
    fromMs: 1000,
    toMs: 2000,
    signal: tone(440),
    firstSequence: 1050,
    firstRtpTime: 58_000,
  })
    .filter((_, i) => i % 10 === 0)
    .map((packet, i) => ({ ...packet, sequenceNumber: 1050 + i, payloadType: 13, payload: Uint8Array.of(40) }));
  const packets = [
    ...talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: tone(440) }),
    ...noise,
    ...talk({ streamId: 's0', fromMs: 2000, toMs: 3000, signal: tone(440), firstSequence: 1055, firstRtpTime: 66_000 }),
  ];
  const { left, result } = await render(packets);
  expect(silentBetween(left, 8000, 1001, 1999, 0)).toBe(true);
  expect(toneOnset(left, 8000, 440, 1100)).toBeCloseTo(2000, 0);
  expect(eventsOf(result, 'gap')).toEqual([
    { type: 'gap', streamId: 's0', offsetMs: 1000, durationMs: 1000, cause: 'silence' },
  ]);
  expect(result.streams[0]).toMatchObject({ codecs: ['PCMU/8000', 'CN/8000'], undecodable: 0, lost: 0 });
});

test('a payload type known from the other m-line only', async () => {
  const odd = { ...PCMA, payloadType: 110 };
  const packets = talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: tone(440), format: odd });
  const { left, result } = await render(packets, [
    { streamId: 's0' },
    { streamId: 's1', formats: [PCMU, EVENTS, odd] },
  ]);
  expect(toneLevel(left, 8000, 440, 0, 1000)).toBeCloseTo(-6, 0);
  expect(result.streams[0]!.codecs).toEqual(['PCMA/8000']);
});
