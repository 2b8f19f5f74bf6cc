// Finding, playing and downloading over HTTP.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileRecording } from '../../src/archive/filing.ts';
import { WavFile } from '../../src/render/wav-file.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { AUDIO, fileExample, recordingId } from '../archive/library-suite.ts';
import { type DoorUnderTest, openDoor } from './door-under-test.ts';

const ID = recordingId(1);
const SHA = createHash('sha256').update(AUDIO).digest('hex');

async function withRecording() {
  const door = await openDoor();
  await fileExample(door.dataDirectory, { id: ID });
  return { ...door, token: await door.newToken('listen') };
}

describe('search', () => {
  test('pages with a cursor, a summary for each', async () => {
    const { dataDirectory, ask, newToken } = await openDoor();
    for (let n = 1; n <= 5; n++) {
      const start = `2026-01-0${n}T00:00:00.000Z`;
      await fileExample(dataDirectory, { id: recordingId(n), times: { ...exampleDocument().times, start } });
    }
    const token = await newToken('listen');
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const answer = await ask(`/api/recordings?limit=2${after && `&after=${after}`}`, token);
      expect(answer.status).toBe(200);
      const page = (await answer.json()) as { items: { id: string; octets: number }[]; next: string | null };
      seen.push(...page.items.map((item) => item.id));
      expect(page.items[0]!.octets).toBe(AUDIO.length);
      after = page.next;
    }
    expect(seen).toEqual([5, 4, 3, 2, 1].map(recordingId));
    const some = await ask('/api/recordings?from=2026-01-02&to=2026-01-04T00:00:00%2B00:00&state=finished', token);
    expect(((await some.json()) as { items: object[] }).items).toHaveLength(2);
    const sums = await ask('/api/statistics?to=2026-01-03', token);
    expect(await sums.json()).toMatchObject({ recordings: 2, octets: 2 * AUDIO.length, byState: { finished: 2 } });
  });

  test.each([
    'limit=0',
    'limit=201',
    'limit=1e9',
    'limit=x',
    'from=yesterday',
    'from=2026-13-45',
    'minDurationMs=-1',
    'state=deleted',
    'header=nocolon',
    'silentSide=maybe',
    'unknown=1',
    'party=a&party=b',
    'party[a]=b',
    `text=${'x'.repeat(201)}`,
    'text=%00',
    'after=forged',
    'after=%00',
    'scope=x',
    '__proto__=x',
  ])('mistakes are told with 400: %s', async (query) => {
    const { ask, token } = await withRecording();
    const answer = await ask(`/api/recordings?${query}`, token);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toMatch('application/problem+json');
    expect(await answer.json()).toMatchObject({ status: 400, title: 'The request has mistakes' });
  });

  test.each(["' OR 1=1 --", '" OR ""="', 'x*', 'NEAR(a b)', 'a AND NOT b', '%', '_', '\\', '{}', '$where', '../..'])(
    'the syntax of databases is text: %s',
    async (text) => {
      const { ask, token } = await withRecording();
      for (const field of ['text', 'party', 'group', 'tag', 'callId']) {
        const answer = await ask(`/api/recordings?${field}=${encodeURIComponent(text)}`, token);
        expect(answer.status, field).toBe(200);
        expect(((await answer.json()) as { items: object[] }).items, field).toEqual([]);
      }
    },
  );
});

describe('one recording', () => {
  test('is given whole, with what people added', async () => {
    const { ask, token, library } = await withRecording();
    await library.setTags(ID, ['vip']);
    const answer = await ask(`/api/recordings/${ID}`, token);
    expect(await answer.json()).toMatchObject({ document: { id: ID, version: 1 }, annotations: { tags: ['vip'] } });
  });

  test.each([
    '..%2f..%2fetc%2fpasswd',
    '..%5c..%5cwindows',
    '%2e%2e',
    '%00',
    `${ID}%00`,
    `${ID}.json`,
    '%2fetc%2fpasswd',
    'recordings%2f2026',
    '__proto__',
    'constructor',
    "' OR 1=1",
    '%F0%9F%98%80',
  ])('tricks in the id find nothing: %s', async (id) => {
    const { ask, send, newToken } = await withRecording();
    const token = await newToken('admin');
    for (const path of ['', '/audio', '/journal', '/waveform']) {
      expect((await ask(`/api/recordings/${id}${path}`, token)).status, path).toBe(404);
    }
    expect((await send('DELETE', `/api/recordings/${id}`, token)).status).toBe(404);
    expect((await send('PUT', `/api/recordings/${id}/tags`, token, { tags: [] })).status).toBe(404);
  });

  test.each([
    '/../../etc/passwd',
    '/..%2f..%2fpackage.json',
    '/.env',
    '/api/docs/static/..%2f..%2findex.html',
    '/%c0%ae%c0%ae/x',
  ])('tricks in the address of a file find nothing: %s', async (path) => {
    const { ask, token } = await withRecording();
    expect((await ask(path, token)).status).toBeGreaterThanOrEqual(400);
    expect((await ask(path, token)).status).toBeLessThan(500);
  });
});

describe('audio', () => {
  const audio = `/api/recordings/${ID}/audio`;
  const get = (door: DoorUnderTest & { token: string }, headers: Record<string, string> = {}, method = 'GET') =>
    door.ask(audio, door.token, { method, headers });

  test('whole', async () => {
    const answer = await get(await withRecording());
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'audio/wav',
      'content-length': String(AUDIO.length),
      'accept-ranges': 'bytes',
      etag: `"${SHA}"`,
      'cache-control': 'private, no-cache',
    });
    expect(answer.headers.get('content-disposition')).toBeNull();
    expect(await answer.text()).toBe(AUDIO);
  });

  test('HEAD says the same without content, and nobody has heard anything', async () => {
    const door = await withRecording();
    const answer = await get(door, { range: 'bytes=0-3' }, 'HEAD');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-length')).toBe(String(AUDIO.length));
    expect(await answer.text()).toBe('');
    expect(door.told).toEqual([]);
  });

  const last = AUDIO.length - 1;
  test.each([
    ['bytes=0-3', 0, 3],
    ['bytes=5-', 5, last],
    ['bytes=-4', AUDIO.length - 4, last],
    [`bytes=-${AUDIO.length + 100}`, 0, last],
    ['bytes=3-3', 3, 3],
    [`bytes=${last}-`, last, last],
    [`bytes=0-${'9'.repeat(18)}`, 0, last],
    ['BYTES=0-0', 0, 0],
  ])('%s is a part', async (range, from, to) => {
    const answer = await get(await withRecording(), { range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes ${from}-${to}/${AUDIO.length}`);
    expect(answer.headers.get('content-length')).toBe(String(to - from + 1));
    expect(await answer.text()).toBe(AUDIO.slice(from, to + 1));
  });

  test.each([`bytes=${AUDIO.length}-`, 'bytes=999999-', 'bytes=-0', `bytes=${'9'.repeat(19)}-`])(
    '%s cannot be satisfied',
    async (range) => {
      const door = await withRecording();
      const answer = await get(door, { range });
      expect(answer.status).toBe(416);
      expect(answer.headers.get('content-range')).toBe(`bytes */${AUDIO.length}`);
      expect(answer.headers.get('content-type')).toMatch('application/problem+json');
      expect(door.told).toEqual([]);
    },
  );

  test.each([
    'bytes=5-3',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=0-1,3-4',
    'chapters=1-2',
    '0-3',
    'bytes=0x1-2',
    `bytes=${'9'.repeat(400)}-`,
  ])('what is no single range is answered with the whole: %s', async (range) => {
    const answer = await get(await withRecording(), { range });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe(AUDIO);
  });

  test('If-Range and If-None-Match go by the digest', async () => {
    const door = await withRecording();
    const range = 'bytes=0-3';
    expect((await get(door, { range, 'if-range': `"${SHA}"` })).status).toBe(206);
    expect((await get(door, { range, 'if-range': '"other"' })).status).toBe(200);
    expect((await get(door, { range, 'if-range': `W/"${SHA}"` })).status).toBe(200);
    expect((await get(door, { range, 'if-range': 'Sat, 01 Jan 2028 00:00:00 GMT' })).status).toBe(200);
    expect((await get(door, { 'if-none-match': `"x", W/"${SHA}"` })).status).toBe(304);
    expect((await get(door, { 'if-none-match': '*' })).status).toBe(304);
    expect((await get(door, { 'if-none-match': '"x"' })).status).toBe(200);
  });

  test('play, download and journal are told, with who, where from and how much', async () => {
    const door = await withRecording();
    await (await get(door, { range: 'bytes=2-5' })).text();
    const download = await door.ask(`${audio}?download=true`, door.token);
    expect(download.headers.get('content-disposition')).toBe(`attachment; filename="${ID}.wav"`);
    await download.text();
    const who = door.told[0]!.who;
    expect(who).toMatch(/^token:listen-/);
    const common = { who, from: '127.0.0.1', recordingId: ID };
    expect(door.told).toEqual([
      { action: 'play', ...common, detail: `audio.wav, octets 2-5 of ${AUDIO.length}` },
      { action: 'download', ...common, detail: `audio.wav, octets 0-${last} of ${AUDIO.length}` },
    ]);
  });

  test('what the audit log cannot take is not given out', async () => {
    const door = await openDoor({ audit: () => ({ write: () => Promise.reject(new Error('disk full')) }) });
    await fileExample(door.dataDirectory, { id: ID });
    const answer = await get({ ...door, token: await door.newToken('listen') });
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toMatch('RIFF');
  });

  test('there is no journal here, and no audio in an empty recording', async () => {
    const door = await withRecording();
    await fileExample(door.dataDirectory, { id: recordingId(2), state: 'empty', audio: null, files: [] });
    for (const path of [`${ID}/journal`, `${recordingId(2)}/audio`, `${recordingId(2)}/waveform`]) {
      expect((await door.ask(`/api/recordings/${path}`, door.token)).status, path).toBe(404);
    }
  });
});

test('the waveform shows where in which channel it is loud', async () => {
  const door = await openDoor();
  const spool = join(door.dataDirectory, 'spool', ID);
  await mkdir(spool, { recursive: true });
  const frames = 8_000;
  const samples = new Int16Array(2 * frames);
  for (let frame = 0; frame < frames; frame++) {
    if (frame < 2_000) samples[2 * frame] = frame % 2 ? -16_384 : 100;
    if (frame >= 6_000) samples[2 * frame + 1] = -32_768;
  }
  const wav = new WavFile(join(spool, 'audio.wav'), {
    sampleRateHz: 8_000,
    channels: 2,
    frames,
    info: { INAM: 'test' },
  });
  wav.write(samples);
  const document = exampleDocument({ id: ID, files: [{ name: 'audio.wav', role: 'audio', ...wav.finish() }] });
  const root = join(door.dataDirectory, 'recordings');
  await fileRecording(spool, document, { root, nameTemplate: '{id}', journal: 'always' });

  const answer = await door.ask(`/api/recordings/${ID}/waveform?points=16`, await door.newToken('listen'));
  const quarter = (value: number) => Array.from({ length: 4 }, () => value);
  expect(await answer.json()).toEqual({
    sampleRateHz: 8_000,
    durationMs: 1_000,
    peaks: [
      [quarter(0.5), quarter(0), quarter(0), quarter(0)].flat(),
      [quarter(0), quarter(0), quarter(0), quarter(1)].flat(),
    ],
  });
});
