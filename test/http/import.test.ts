// Recordings handed in over HTTP: whole, in any way that PBXs send them, or not at all.
import { readdir, readFile } from 'node:fs/promises';
import { request as rawRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { verifyRecordings } from '../../src/archive/verify.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { makeWav } from '../support/wav.ts';
import { type DoorUnderTest, openDoor } from './door-under-test.ts';

const STEREO = makeWav({ channels: 2 });

interface Imported {
  status: number;
  id: string;
  code?: string;
  detail?: string;
}

async function openImport(options: Parameters<typeof openDoor>[0] = {}) {
  const door = await openDoor(options);
  const token = await door.newToken('import', {}, 'pbx');
  const put = async (path: string, body: Buffer | string | FormData, init: RequestInit = {}): Promise<Imported> => {
    const answer = await door.ask(path, token, {
      method: 'PUT',
      ...init,
      body: body as NonNullable<RequestInit['body']>,
    });
    return { status: answer.status, ...((await answer.json()) as { id: string }) };
  };
  const documentOf = async (id: string) => (await door.library.get(id))!.document;
  return { ...door, token, put, documentOf };
}

const spooled = (door: DoorUnderTest) => readdir(join(door.dataDirectory, 'spool'));

async function nothingLeft(door: DoorUnderTest) {
  await vi.waitFor(async () => expect(await spooled(door)).toEqual([]), 5_000);
  expect(await readdir(join(door.dataDirectory, 'recordings'))).toEqual([]);
}

const form = (file: Buffer, name: string, fields: Record<string, string>) => {
  const data = new FormData();
  for (const [key, value] of Object.entries(fields)) data.append(key, value);
  data.append('recording', new Blob([new Uint8Array(file)]), name);
  return data;
};

describe('what is told of the call', () => {
  test('in the query, with the file as the body', async () => {
    const door = await openImport();
    const query = new URLSearchParams({
      caller: '+49 30 1234567',
      callerName: 'Ann Ångström',
      callee: 'sip:2002@example.com',
      start: '2026-01-02T03:04:05+01:00',
      callId: 'call-1@pbx',
      group: 'sales',
      direction: 'inbound',
      tags: 'urgent, sales',
      channels: 'caller-left',
      'X-Account': '4711',
    });
    const { status, id } = await door.put(`/api/import?${query}`, STEREO);
    expect(status).toBe(201);
    const document = await door.documentOf(id);
    expect(document).toMatchObject({
      source: 'import',
      state: 'finished',
      times: { start: '2026-01-02T02:04:05.000Z', end: '2026-01-02T02:04:05.200Z', durationMs: 200 },
      call: { sipCallId: 'call-1@pbx', groupId: 'sales', vendor: { direction: 'inbound' }, peer: '127.0.0.1' },
      participants: [
        { aor: '+49 30 1234567', name: 'Ann Ångström', role: 'caller', channel: 0, rule: 'import-stated, caller-left' },
        { aor: 'sip:2002@example.com', name: null, role: 'callee', channel: 1 },
      ],
      audio: { sampleRateHz: 8000, channels: 2, layout: 'caller-callee' },
      warnings: [],
      tags: ['sales', 'urgent'],
      headers: [{ name: 'X-Account', value: '4711' }],
    });
    const listener = await door.newToken('listen');
    const found = await door.ask('/api/recordings?number=030%201234567&tag=urgent&source=import', listener);
    expect(((await found.json()) as { items: { id: string }[] }).items.map((item) => item.id)).toEqual([id]);
    const audio = await door.ask(`/api/recordings/${id}/audio`, listener);
    expect(Buffer.from(await audio.arrayBuffer()).equals(STEREO)).toBe(true);
    expect(door.told.slice(0, 1)).toEqual([
      {
        action: 'import',
        who: 'token:pbx',
        from: '127.0.0.1',
        recordingId: id,
        detail: `audio.wav, ${STEREO.length} octets`,
      },
    ]);
    for await (const { problems } of verifyRecordings(door.dataDirectory)) expect(problems).toEqual([]);
    expect(await spooled(door)).toEqual([]);
  });

  test('in a form, whose fields may stand after the file', async () => {
    const door = await openImport();
    const data = form(makeWav(), 'a.wav', { caller: '1001' });
    data.append('callee', '2002');
    data.append('start', '1767322800');
    const { status, id } = await door.put('/api/import?caller=ignored', data, { method: 'POST' });
    expect(status).toBe(201);
    const document = await door.documentOf(id);
    expect(document.participants.map(({ aor, channel, rule }) => [aor, channel, rule])).toEqual([
      ['1001', 0, 'import-stated, mixed'],
      ['2002', 0, 'import-stated, mixed'],
    ]);
    expect(document.times.start).toBe('2026-01-02T03:00:00.000Z');
    expect(document.audio?.layout).toBe('mono');
    expect(document.warnings.map(({ code }) => code)).toEqual(['mixed-audio']);
  });

  test('by nobody: it ended when it came, and that is said', async () => {
    const door = await openImport();
    const { id } = await door.put('/api/import', STEREO);
    const document = await door.documentOf(id);
    expect(Date.parse(document.times.end)).toBe(door.clock.wallMs());
    expect(document.times.statedStart).toBeNull();
    expect(document.audio?.layout).toBe('per-party');
    expect(document.warnings.map(({ code }) => code)).toEqual(['channels-unknown', 'start-unknown']);
  });

  test.each([
    ['start', 'yesterday'],
    ['start', '2026-01-02T03:04:05'],
    ['channels', 'left'],
    ['tags', 'x'.repeat(101)],
    ['caller', 'x'.repeat(2_001)],
    ['caller', 'a\0b'],
  ])('a wrong %s is refused', async (name, value) => {
    const door = await openImport();
    const answer = await door.put(`/api/import?${new URLSearchParams({ [name]: value })}`, STEREO);
    expect(answer).toMatchObject({ status: 400, code: 'INVALID_REQUEST' });
    expect(answer.detail).toMatch(name);
    await nothingLeft(door);
  });

  test('names never become paths', async () => {
    const door = await openImport();
    const name = encodeURIComponent('../../../../etc/passwd');
    const { id } = await door.put(`/api/import/${name}?caller=${name}&callId=${name}`, STEREO);
    const { directory, document } = (await door.library.get(id))!;
    expect(document.call.vendor.fileName).toBe('passwd');
    expect(directory).toMatch(join(door.dataDirectory, 'recordings'));
    expect(await readdir(directory!)).toEqual(['audio.wav', 'recording.json']);
  });
});

describe('the same again', () => {
  test('is the same recording, with 200; another call with the same audio is another', async () => {
    const door = await openImport();
    const first = await door.put('/api/import?callId=a&caller=1', STEREO);
    const again = await door.put('/api/import?callId=a&caller=1', form(STEREO, 'x.wav', {}), { method: 'POST' });
    const other = await door.put('/api/import?callId=b&caller=1', STEREO);
    expect([first.status, again.status, other.status]).toEqual([201, 200, 201]);
    expect(again.id).toBe(first.id);
    expect(other.id).not.toBe(first.id);
    expect((await door.library.statistics({})).recordings).toBe(2);
    expect(await spooled(door)).toEqual([]);
  });

  test('ten at once make one', async () => {
    const door = await openImport();
    const answers = await Promise.all(Array.from({ length: 10 }, () => door.put('/api/import?callId=a', STEREO)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(9).fill(200), 201]);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect((await door.library.statistics({})).recordings).toBe(1);
  });
});

describe('audio', () => {
  test.each(['pcm16', 'pcm8', 'pcm24', 'alaw', 'mulaw'] as const)('%s is taken as it is, and drawn', async (coding) => {
    const door = await openImport();
    const wav = makeWav({ coding, channels: 2, tonesHz: [440, 0], durationMs: 250 });
    const { id } = await door.put('/api/import', wav);
    expect((await door.documentOf(id)).times.durationMs).toBe(250);
    const answer = await door.ask(`/api/recordings/${id}/waveform?points=10`, await door.newToken('listen'));
    const { peaks } = (await answer.json()) as { peaks: number[][] };
    for (const peak of peaks[0]!) expect(peak).toBeCloseTo(0.5, 1);
    for (const peak of peaks[1]!) expect(peak).toBeLessThan(0.01);
    for await (const { problems } of verifyRecordings(door.dataDirectory)) expect(problems).toEqual([]);
  });

  test('GSM in WAV is kept, and said not to be decodable', async () => {
    const door = await openImport();
    const { status, id } = await door.put('/api/import/x.WAV', makeWav({ coding: 'gsm', durationMs: 400 }));
    expect(status).toBe(201);
    const document = await door.documentOf(id);
    expect(document.times.durationMs).toBe(400);
    expect(document.warnings.map(({ code }) => code)).toContain('not-decodable');
    const waveform = await door.ask(`/api/recordings/${id}/waveform`, await door.newToken('listen'));
    expect(waveform.status).toBe(409);
    for await (const { problems } of verifyRecordings(door.dataDirectory)) expect(problems).toEqual([]);
  });

  const withSize = (at: number, octets: number) => {
    const wav = Buffer.from(STEREO);
    wav.writeUInt32LE(octets, at);
    return wav;
  };
  const withWord = (at: number, value: number) => {
    const wav = Buffer.from(STEREO);
    wav.writeUInt16LE(value, at);
    return wav;
  };

  test.each<[string, Buffer | string, number, RegExp]>([
    ['text', 'RIFF is what I am called', 415, /convert/],
    ['a page', '<html>RIFF....WAVE</html>', 415, /convert/],
    ['a zip file', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(500)]), 415, /convert/],
    ['an MP3 file', Buffer.concat([Buffer.from('ID3\x04'), Buffer.alloc(500)]), 415, /convert/],
    ['nothing', '', 415, /convert/],
    ['the beginning of one', STEREO.subarray(0, 11), 415, /convert/],
    ['a head alone', STEREO.subarray(0, 12), 422, /data chunk is missing/],
    ['one cut short', STEREO.subarray(0, -100), 422, /the file has/],
    ['one with something behind it', Buffer.concat([STEREO, Buffer.from('PK\x03\x04')]), 422, /the file has/],
    ['one that claims 4 GiB', withSize(40, 0xfffffff0), 422, /beyond its end/],
    ['a data chunk that was never closed', withSize(40, 0), 422, /no samples/],
    ['a frame cut in two', withSize(40, STEREO.length - 46), 422, /inside a frame/],
    ['MP3 in WAV', withWord(20, 0x55), 422, /MP3/],
    ['no channels', withWord(22, 0), 422, /format/],
    ['odd bits', withWord(34, 12), 422, /12 bits/],
    ['frames of a wrong size', withWord(32, 7), 422, /frames/],
  ])('%s is refused', async (_, body, status, words) => {
    const door = await openImport();
    const answer = await door.put('/api/import', body, { headers: { 'content-type': 'audio/wav' } });
    expect(answer.status).toBe(status);
    expect(answer.detail).toMatch(words);
    await nothingLeft(door);
  });

  test('nothing is unpacked', async () => {
    const door = await openImport();
    const bomb = gzipSync(Buffer.alloc(8 << 20));
    const answer = await door.put('/api/import', bomb, { headers: { 'content-encoding': 'gzip' } });
    expect(answer).toMatchObject({ status: 415, code: 'ENCODED' });
    await nothingLeft(door);
  });
});

describe('limits', () => {
  test('of size: told before, or noticed on the way', async () => {
    const door = await openImport({ settings: { importMaxOctets: 10_000 } });
    const large = makeWav({ durationMs: 5_000 });
    expect(await door.put('/api/import', Buffer.alloc(3 << 20))).toMatchObject({ status: 413 });
    expect(await door.put('/api/import', large)).toMatchObject({ status: 413, code: 'IMPORT_TOO_LARGE' });
    expect(await door.put('/api/import', form(large, 'x.wav', {}))).toMatchObject({ status: 413 });
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${door.token}` };
      const request = rawRequest(`${door.url}/api/import`, { method: 'PUT', headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      request.on('error', reject);
      for (let at = 0; at < large.length; at += 9_000) request.write(large.subarray(at, at + 9_000));
      request.end();
    });
    expect(status).toBe(413);
    await nothingLeft(door);
  });

  test('a full disk', async () => {
    const reasons = [{ code: 'STORAGE_LOW' as const, message: 'Too little space.' }];
    const door = await openImport({ readiness: () => ({ ready: false, reasons, gauges: [] }) });
    expect(await door.put('/api/import', STEREO)).toMatchObject({ status: 503, code: 'STORAGE_LOW' });
    await nothingLeft(door);
  });

  test('scope: a token hands in what it is for', async () => {
    const door = await openImport();
    const token = await door.newToken('import', { parties: ['10*'] });
    const status = async (caller: string) =>
      (await door.ask(`/api/import?caller=${caller}`, token, { method: 'PUT', body: new Uint8Array(STEREO) })).status;
    expect(await status('2002')).toBe(403);
    await nothingLeft(door);
    expect(await status('1001')).toBe(201);
  });

  test('the audit log comes first: without it nothing is taken', async () => {
    const refusing = { write: async () => Promise.reject(new Error('no space')) };
    const door = await openImport({ audit: () => refusing });
    expect((await door.put('/api/import', STEREO)).status).toBe(500);
    await nothingLeft(door);
  });
});

describe('half uploads', () => {
  const head = (door: { token: string }, more: string) =>
    `PUT /api/import HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${door.token}\r\n${more}\r\n\r\n`;
  const part = '--b\r\nContent-Disposition: form-data; name="f"; filename="f.wav"\r\n\r\n';

  test.each([
    ['a body', 'Content-Length: 100000', STEREO],
    ['chunks', 'Transfer-Encoding: chunked', Buffer.concat([Buffer.from('400\r\n'), STEREO.subarray(0, 1024)])],
    [
      'a form',
      'Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000',
      Buffer.concat([Buffer.from(part), STEREO]),
    ],
  ])('leave nothing behind: %s', async (_, headers, body) => {
    const door = await openImport();
    const socket = connect(door.port, '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(head(door, headers)), body]));
    await vi.waitFor(async () => expect(await spooled(door)).toHaveLength(1), 5_000);
    socket.destroy();
    await nothingLeft(door);
    expect(door.told).toEqual([]);
  });

  test.each([
    ['a form that breaks off', 'multipart/form-data; boundary=b', Buffer.concat([Buffer.from(part), STEREO])],
    ['a form without a boundary', 'multipart/form-data', STEREO],
    [
      'a form without a file',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--',
    ],
    [
      'two files',
      'multipart/form-data; boundary=b',
      Buffer.concat([Buffer.from(part), STEREO, Buffer.from(`\r\n${part}x\r\n--b--`)]),
    ],
  ])('%s', async (_, type, body) => {
    const door = await openImport();
    expect(await door.put('/api/import', body, { headers: { 'content-type': type } })).toMatchObject({ status: 400 });
    await nothingLeft(door);
  });

  test('a form as browsers send links is told what to do', async () => {
    const door = await openImport();
    const answer = await door.put('/api/import', 'a=b', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer).toMatchObject({ status: 415, code: 'NO_FILE' });
  });
});

describe('who', () => {
  test('a token as the password, for imports alone, and never from another site', async () => {
    const door = await openImport();
    const basic = { authorization: `Basic ${Buffer.from(`freeswitch:${door.token}`).toString('base64')}` };
    const send = (path: string, headers: Record<string, string>, method = 'PUT') =>
      door.ask(path, null, { method, headers, ...(method === 'PUT' && { body: new Uint8Array(STEREO) }) });
    expect((await send('/api/import', basic)).status).toBe(201);
    expect((await send('/api/import', { ...basic, origin: 'http://evil.example' })).status).toBe(403);
    expect((await send('/api/recordings', basic, 'GET')).status).toBe(401);
    const wrong = { authorization: `Basic ${Buffer.from('a:sipreel_wrong').toString('base64')}` };
    expect((await send('/api/import', wrong)).status).toBe(401);
    expect((await door.ask('/api/recordings', door.token)).status).toBe(403);
  });
});

test('a recording in two pieces with a pause between them is whole', async () => {
  const door = await openImport();
  const headers = { authorization: `Bearer ${door.token}`, 'content-length': String(STEREO.length) };
  const document = await new Promise<Partial<RecordingDocument>>((resolve, reject) => {
    const request = rawRequest(`${door.url}/api/import`, { method: 'PUT', headers }, async (answer) => {
      resolve(JSON.parse((await answer.toArray()).join('')) as object);
    });
    request.on('error', reject);
    request.write(STEREO.subarray(0, 100));
    void pause(100).then(() => request.end(STEREO.subarray(100)));
  });
  const { directory } = (await door.library.get(document.id!))!;
  expect((await readFile(join(directory!, 'audio.wav'))).equals(STEREO)).toBe(true);
});
