import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { Encoder } from '../../../src/archive/formats/encoder.ts';
import { COPY_FORMATS, type CopyFormat } from '../../../src/recording/audio-format.ts';
import { decoded, ffmpegIsInstalled } from '../../support/decoded.ts';
import { type Heard, toneLevel } from '../../support/listen.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { makeWav } from '../../support/wav.ts';

const DURATION_MS = 3_000;
/** Silence, then the caller's 440 Hz on the left and the callee's 880 Hz on the right. */
const FROM_MS = 1_000;

function call(): Buffer {
  const wav = makeWav({ channels: 2, durationMs: DURATION_MS, tonesHz: [440, 880] });
  wav.fill(0, 44, 44 + (FROM_MS / 1000) * 8000 * 4);
  return wav;
}

const order = (format: CopyFormat, wav = call()) => ({
  format,
  channels: 2,
  durationMs: DURATION_MS,
  wav: Readable.from([wav.subarray(0, 5_000), wav.subarray(5_000)], { objectMode: false }),
});

/** Each party's tone in its channel at its time, and nothing of the other's. */
function expectTheCall(heard: Heard, toleranceMs = 60): void {
  expect(heard.channels).toHaveLength(2);
  expect(Math.abs(heard.durationMs - DURATION_MS)).toBeLessThan(toleranceMs);
  for (const [channel, own, other] of [
    [0, 440, 880],
    [1, 880, 440],
  ] as const) {
    const level = (hz: number, fromMs: number, toMs: number) =>
      toneLevel(heard.channels[channel]!, heard.sampleRateHz, hz, fromMs, toMs);
    expect(level(own, FROM_MS + 100, DURATION_MS - 200)).toBeGreaterThan(-8);
    expect(level(other, FROM_MS + 100, DURATION_MS - 200)).toBeLessThan(-50);
    expect(level(own, 100, FROM_MS - 100)).toBeLessThan(-50);
  }
}

describe.skipIf(!ffmpegIsInstalled())('with ffmpeg', () => {
  test.each(COPY_FORMATS)('%s: both parties are where they were, in a file and as a stream', async (format) => {
    const encoder = (await Encoder.find())!;
    const directory = await temporaryDirectory();
    const path = join(directory, `audio.${format}`);
    await encoder.toFile(order(format), path);
    expectTheCall(await decoded(path));
    const streamed = join(directory, `streamed.${format}`);
    await writeFile(streamed, await buffer(encoder.toStream(order(format))));
    // An MP3's beginning says how much of it is padding; whoever streams does not know yet.
    expectTheCall(await decoded(streamed), format === 'mp3' ? 250 : 60);
  });

  test('FLAC gives back every sample', async () => {
    const path = join(await temporaryDirectory(), 'audio.flac');
    await (await Encoder.find())!.toFile(order('flac'), path);
    const data = Buffer.concat((await decoded(path)).channels.map((samples) => Buffer.from(samples.buffer)));
    const wav = call();
    const expected = [0, 1].map((channel) =>
      Int16Array.from({ length: data.length / 4 }, (_, frame) => wav.readInt16LE(44 + 4 * frame + 2 * channel)),
    );
    expect(data.equals(Buffer.concat(expected.map((samples) => Buffer.from(samples.buffer))))).toBe(true);
  });

  test('what is no audio, or cannot be read, leaves no file and says why', async () => {
    const encoder = (await Encoder.find())!;
    const path = join(await temporaryDirectory(), 'audio.opus');
    await expect(encoder.toFile(order('opus', Buffer.from('no WAV at all')), path)).rejects.toMatchObject({
      code: 'ENCODING_FAILED',
    });
    const torn = async function* () {
      yield call().subarray(0, 20_000);
      throw new Error('the disk is gone');
    };
    const broken = { ...order('opus'), wav: Readable.from(torn(), { objectMode: false }) };
    await expect(encoder.toFile(broken, path)).rejects.toThrow('the disk is gone');
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  test('given up in the middle, nothing is left', async () => {
    const encoder = (await Encoder.find())!;
    const path = join(await temporaryDirectory(), 'audio.mp3');
    const abort = new AbortController();
    const endless = new Readable({ read() {} });
    endless.push(call());
    const encoding = encoder.toFile({ ...order('mp3'), wav: endless }, path, abort.signal);
    abort.abort();
    await expect(encoding).rejects.toMatchObject({ code: 'ENCODING_FAILED' });
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  test('MP3 has two channels at most', async () => {
    const encoder = (await Encoder.find())!;
    expect([encoder.can('mp3', 2), encoder.can('mp3', 3), encoder.can('flac', 8)]).toEqual([true, false, true]);
  });
});

/** A program of that name that knows these encoders, and writes its arguments where the result should be. */
async function otherFfmpeg(encoders: string[]): Promise<string> {
  const directory = await temporaryDirectory();
  const list = encoders.map((name) => `echo " A..... ${name}  words"`).join('\n');
  const script = `#!/bin/sh\nif [ "$2" = -encoders ]; then\n${list || ':'}\nexit 0\nfi\nfor last; do :; done\n/bin/cat >/dev/null\necho "$@" > "\${last#file:}"\n`;
  await writeFile(join(directory, 'ffmpeg'), script);
  await chmod(join(directory, 'ffmpeg'), 0o755);
  return directory;
}

test('only what this ffmpeg was built with; none on the PATH is none', async () => {
  const encoder = (await Encoder.find(`/nowhere:${await otherFfmpeg(['flac', 'aac'])}`))!;
  expect([encoder.can('flac', 2), encoder.can('opus', 2), encoder.can('mp3', 2)]).toEqual([true, false, false]);
  expect(await Encoder.find(await temporaryDirectory())).toBeNull();
});

test('a result that is not of that format is not taken', async () => {
  const encoder = (await Encoder.find(await otherFfmpeg(['flac'])))!;
  const path = join(await temporaryDirectory(), 'audio.flac');
  await expect(encoder.toFile(order('flac'), path)).rejects.toMatchObject({ code: 'ENCODING_FAILED' });
  await expect(readFile(path)).rejects.toThrow('ENOENT');
});
