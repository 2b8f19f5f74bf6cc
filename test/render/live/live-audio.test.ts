// A running call as audio: the clock and the journal are the test's, so that every piece is known beforehand.
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LiveAudio } from '../../../src/render/live/live-audio.ts';
import { toneLevel } from '../../support/listen.ts';
import {
  EVENTS,
  jobIn,
  journalOf,
  keyPress,
  L16_WIDE,
  START_MS,
  type SyntheticPacket,
  talk,
  tone,
} from '../../support/synthetic-journal.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const HEARD_DB = -8;
const SILENT_DB = -60;
const SIDES = [{ streamId: 's0' }, { streamId: 's1' }];

/** Packets that are there from the beginning; others can be appended to the file. */
async function follow(packets: SyntheticPacket[], streams: Parameters<typeof jobIn>[1] = SIDES, more = {}) {
  const directory = await temporaryDirectory();
  const path = join(directory, 'capture.pcapng');
  writeFileSync(path, journalOf(packets));
  const job = jobIn(directory, streams, more);
  const live = await LiveAudio.open(job, START_MS);
  onTestFinished(() => live.close());
  /** What has been said until that ms, in pieces as the recorder asks for them. */
  const until = async (fromMs: number, toMs: number) => {
    const pieces = [];
    for (let ms = fromMs; ms < toMs; ms += 200) pieces.push(await live.next(job, START_MS + ms + 200));
    const samples = pieces.flatMap((piece) => [...piece.samples]);
    const level = (side: number, hz: number) => {
      const one = Int16Array.from(samples.filter((_, i) => i % 2 === side));
      return toneLevel(one, live.sampleRateHz, hz, 0, toMs - fromMs);
    };
    const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    return { level, frames: samples.length / 2, levels: pieces.at(-1)!.levelsDb, loudest };
  };
  return { until, path, live, job };
}

const left = (over = {}) => talk({ streamId: 's0', fromMs: 0, toMs: 3_000, signal: tone(440), ...over });
const right = (over = {}) => talk({ streamId: 's1', fromMs: 0, toMs: 3_000, signal: tone(880), ...over });

test('each side is heard on its own channel, without holes, and metered', async () => {
  const { until, live } = await follow([...left(), ...right({ signal: tone(880, 0.05) })]);
  await until(0, 1_000);
  const { level, frames, levels } = await until(1_000, 2_000);
  expect([live.sampleRateHz, frames]).toEqual([8_000, 8_000]);
  expect(level(0, 440)).toBeGreaterThan(HEARD_DB);
  expect(level(1, 880)).toBeGreaterThan(HEARD_DB - 20);
  expect(Math.max(level(0, 880), level(1, 440))).toBeLessThan(SILENT_DB);
  // A sine of half and of a twentieth of full scale.
  expect(levels).toEqual([-9, -29]);
});

test('what is older than the beginning is not heard, and a journal that grows is', async () => {
  const { until, path } = await follow(talk({ streamId: 's0', fromMs: -5_000, toMs: -1_000, signal: tone(440) }));
  expect((await until(0, 1_000)).level(0, 440)).toBeLessThan(SILENT_DB);
  appendFileSync(path, journalOf(talk({ streamId: 's0', fromMs: 900, toMs: 2_000, signal: tone(440) })));
  await until(1_000, 1_800);
  expect((await until(1_800, 2_200)).level(0, 440)).toBeGreaterThan(HEARD_DB);
});

test('half a block is waited for', async () => {
  const { until, path } = await follow([]);
  const more = journalOf(left());
  appendFileSync(path, more.subarray(0, 1_001));
  await until(0, 400);
  appendFileSync(path, more.subarray(1_001));
  expect((await until(1_000, 2_000)).level(0, 440)).toBeGreaterThan(HEARD_DB);
});

test('duplicates, keys, encrypted packets and noise are not heard', async () => {
  const twice = left();
  const key = keyPress(
    { streamId: 's1', arrivalMs: 200, payloadType: 101, sequenceNumber: 1, rtpTime: 0, ssrc: 7 },
    5,
    8_000,
  );
  const encrypted = talk({ streamId: 's1-encrypted', fromMs: 0, toMs: 3_000, signal: () => Math.random() - 0.5 });
  const unknown = right().map((packet) => ({ ...packet, payloadType: 96 }));
  const streams = [{ streamId: 's0' }, { streamId: 's1', formats: [EVENTS] }];
  const { until } = await follow([...twice, ...twice, ...key, ...encrypted, ...unknown], streams);
  await until(0, 1_000);
  const { levels, level } = await until(1_000, 2_000);
  expect(levels).toEqual([-9, -90]);
  expect(level(0, 440)).toBeLessThan(-5);
});

test('a sender that begins anew, or jumps in its time, goes on being heard', async () => {
  const again = talk({ streamId: 's0', fromMs: 1_000, toMs: 3_000, signal: tone(440), ssrc: 99, firstRtpTime: 4e9 });
  const jump = talk({ streamId: 's1', fromMs: 1_000, toMs: 3_000, signal: tone(880), firstRtpTime: 77 });
  const { until } = await follow([...left({ toMs: 1_000 }), ...again, ...right({ toMs: 1_000 }), ...jump]);
  await until(0, 2_000);
  const { level } = await until(2_000, 3_000);
  expect(Math.min(level(0, 440), level(1, 880))).toBeGreaterThan(HEARD_DB);
});

test('a wide stream makes it wide, a narrow one beside it is at its pitch; a mixed one is on both ears', async () => {
  const wide = await follow(
    [...left({ format: L16_WIDE }), ...right()],
    [{ streamId: 's0', formats: [L16_WIDE] }, { streamId: 's1' }],
  );
  expect(wide.live.sampleRateHz).toBe(16_000);
  await wide.until(0, 1_000);
  const both = await wide.until(1_000, 2_000);
  expect(Math.min(both.level(0, 440), both.level(1, 880))).toBeGreaterThan(HEARD_DB);

  const mixed = await follow(left(), [{ streamId: 's0', placement: 'arrival' }], { channels: 1 });
  await mixed.until(0, 1_000);
  const ears = await mixed.until(1_000, 2_000);
  expect(Math.min(ears.level(0, 440), ears.level(1, 440))).toBeGreaterThan(HEARD_DB);
});

test('a file that is no longer what it was is said to be so', async () => {
  const { live, job, path } = await follow(left());
  await live.next(job, START_MS + 200);
  truncateSync(path, 0);
  appendFileSync(path, Buffer.alloc(journalOf(left()).length + 64, 0xff));
  await expect(live.next(job, START_MS + 400)).rejects.toThrow('not what it was');
});

test('what comes too late, or is left out, is not heard when the ring comes round again', async () => {
  const { until, path, live, job } = await follow([]);
  await until(0, 2_000);
  appendFileSync(path, journalOf(left({ fromMs: 1_000, toMs: 1_200 })));
  expect((await until(2_000, 7_000)).loudest).toBe(0);

  appendFileSync(path, journalOf(left({ fromMs: 7_000, toMs: 9_000, firstRtpTime: 1_000_000 })));
  await live.next(job, START_MS + 7_200);
  // Nobody asked for three seconds: the last two of them are given.
  await live.next(job, START_MS + 10_800);
  expect((await until(10_800, 15_000)).loudest).toBe(0);
});
