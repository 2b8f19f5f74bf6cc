// Audio in other formats: copies with ranges, and what is made while it is sent.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Encoder } from '../../src/archive/formats/encoder.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { decoded, ffmpegIsInstalled } from '../support/decoded.ts';
import { toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { makeWav } from '../support/wav.ts';
import { type DoorOptions, openDoor } from './door-under-test.ts';

const WAV = makeWav({ channels: 2, durationMs: 1_000 });
const { id: ID, times } = exampleDocument();
const audio = (format: string) => `/api/recordings/${ID}/audio?format=${format}`;

async function withWav(options: DoorOptions = {}) {
  const door = await openDoor(options);
  const directory = join(door.dataDirectory, 'recordings/2026/01/02/one');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'audio.wav'), WAV);
  const sha256 = createHash('sha256').update(WAV).digest('hex');
  const document = exampleDocument({
    times: { ...times, durationMs: 1_000 },
    files: [{ name: 'audio.wav', role: 'audio', octets: WAV.length, sha256 }],
  });
  await writeFile(join(directory, 'recording.json'), JSON.stringify(document));
  return { ...door, token: await door.newToken('listen') };
}

test('a copy that there is has a length, a digest and ranges', async () => {
  const { ask, token, library, told } = await withWav();
  const copy = Buffer.from('fLaC and so on');
  const path = join(await temporaryDirectory(), 'made');
  await writeFile(path, copy);
  await library.addCopy(ID, 'flac', path);
  const whole = await ask(`${audio('flac')}&download=true`, token);
  expect(Object.fromEntries(whole.headers)).toMatchObject({
    'content-type': 'audio/flac',
    'content-length': String(copy.length),
    'accept-ranges': 'bytes',
    etag: `"${createHash('sha256').update(copy).digest('hex')}"`,
    'content-disposition': `attachment; filename="${ID}.flac"`,
  });
  expect(Buffer.from(await whole.arrayBuffer())).toEqual(copy);
  const part = await ask(audio('flac'), token, { headers: { range: 'bytes=1-3' } });
  expect([part.status, await part.text()]).toEqual([206, 'LaC']);
  expect(told.map(({ action }) => action)).toEqual(['download', 'play']);
  for (const same of ['', '?format=wav']) {
    const wav = await ask(`/api/recordings/${ID}/audio${same}`, token);
    expect(wav.headers.get('content-type')).toBe('audio/wav');
    expect(Buffer.from(await wav.arrayBuffer())).toEqual(WAV);
  }
});

test('without an encoder: 501 in words; what is no format: 400', async () => {
  const { ask, token, told } = await withWav();
  const answer = await ask(audio('opus'), token);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([501, 'ENCODER_MISSING']);
  expect((await ask(audio('..%2f..%2fetc'), token)).status).toBe(400);
  expect(told).toEqual([]);
});

describe.skipIf(!ffmpegIsInstalled())('with ffmpeg', () => {
  test('what is not stored is made while it is sent, and told', async () => {
    const { ask, token, told } = await withWav({ encoder: (await Encoder.find())! });
    const head = await ask(audio('opus'), token, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'audio/ogg; codecs=opus']);
    expect(told).toEqual([]);
    const answer = await ask(audio('opus'), token, { headers: { range: 'bytes=5-' } });
    expect([answer.status, answer.headers.get('accept-ranges')]).toEqual([200, 'none']);
    const path = join(await temporaryDirectory(), 'made.opus');
    await writeFile(path, Buffer.from(await answer.arrayBuffer()));
    const { channels, sampleRateHz } = await decoded(path);
    const level = (channel: number, hz: number) => toneLevel(channels[channel]!, sampleRateHz, hz, 100, 900);
    expect([level(0, 440) > -8, level(0, 880) < -40, level(1, 880) > -8, level(1, 440) < -40]).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(told.map(({ action, detail }) => [action, detail])).toEqual([['play', 'audio.opus, made for this']]);
  });

  test('whoever leaves ends the encoder, and a third one at once is told to wait', async () => {
    const { ask, token, library } = await withWav({ encoder: (await Encoder.find())! });
    let open = 0;
    const openFile = library.openFile.bind(library);
    library.openFile = async (recordingId, wanted) => {
      const file = await openFile(recordingId, wanted);
      if (!file) return null;
      open++;
      const { Readable } = await import('node:stream');
      // A WAV that never ends.
      const read = () => Readable.from([WAV, new Promise(() => {})], { objectMode: false });
      const close = async () => {
        open--;
        await file.close();
      };
      return { ...file, read, close };
    };
    const abort = new AbortController();
    const two = [1, 2].map(() => ask(audio('flac'), token, { signal: abort.signal }).catch(() => null));
    await expect.poll(() => open, { timeout: 5_000 }).toBe(2);
    expect((await ask(audio('flac'), token)).status).toBe(503);
    abort.abort();
    await Promise.all(two);
    await expect.poll(() => open, { timeout: 5_000 }).toBe(0);
  });
});
