// Clients that are slow, greedy, late or in each other's way.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { get as httpGet } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { fingerprint } from '../../src/archive/disk/disk-steps.ts';
import { fileRecording } from '../../src/archive/filing.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { fileExample, recordingId } from '../archive/library-suite.ts';
import { type DoorUnderTest, openDoor } from './door-under-test.ts';

const ID = recordingId(1);

/** So large that no socket buffer takes it whole. */
async function fileLarge({ dataDirectory }: DoorUnderTest): Promise<Buffer> {
  const spool = join(dataDirectory, 'spool', ID);
  await mkdir(spool, { recursive: true });
  const content = randomBytes(24 << 20);
  await writeFile(join(spool, 'audio.wav'), content);
  const file = { name: 'audio.wav', role: 'audio' as const, ...fingerprint(join(spool, 'audio.wav')) };
  const root = join(dataDirectory, 'recordings');
  await fileRecording(spool, exampleDocument({ id: ID, files: [file] }), {
    root,
    nameTemplate: '{id}',
    journal: 'always',
  });
  return content;
}

test('who listens while the recording is deleted hears it to the end', async () => {
  const door = await openDoor();
  const content = await fileLarge(door);
  const admin = await door.newToken('admin');
  const headers = { authorization: `Bearer ${admin}` };
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    httpGet(`${door.url}/api/recordings/${ID}/audio`, { headers }, resolve).on('error', reject);
  });
  expect((await door.send('DELETE', `/api/recordings/${ID}`, admin)).status).toBe(204);
  expect((await door.ask(`/api/recordings/${ID}/audio`, admin)).status).toBe(404);
  expect((await buffer(response)).equals(content)).toBe(true);
  expect(door.told.map(({ action, detail }) => `${action} ${detail}`)).toEqual([
    `play audio.wav, octets 0-${content.length - 1} of ${content.length}`,
    'delete asked for',
    'delete done',
  ]);
});

test.skipIf(process.platform !== 'linux')('who leaves in the middle leaves no file open', async () => {
  const door = await openDoor();
  await fileLarge(door);
  const token = await door.newToken('listen');
  const openFiles = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    return links.filter((link) => link.endsWith('audio.wav') || link.endsWith('audio.wav (deleted)')).length;
  };
  for (let i = 0; i < 40; i++) {
    const leave = new AbortController();
    const answer = door.ask(`/api/recordings/${ID}/audio`, token, { signal: leave.signal });
    // Every other one leaves before it has an answer.
    if (i % 2 === 0) await answer;
    else await new Promise((resolve) => setImmediate(resolve));
    leave.abort();
    await answer.then((one) => one.arrayBuffer()).catch(() => {});
  }
  for (let i = 0; i < 100 && (await openFiles()) > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(await openFiles()).toBe(0);
});

test('of many deletions at once one succeeds', async () => {
  const door = await openDoor();
  await fileExample(door.dataDirectory, { id: ID });
  const admin = await door.newToken('admin');
  const answers = await Promise.all(
    Array.from({ length: 6 }, () => door.send('DELETE', `/api/recordings/${ID}`, admin)),
  );
  expect(answers.map((answer) => answer.status).sort()).toEqual([204, 404, 404, 404, 404, 404]);
  expect(door.told.filter(({ detail }) => detail === 'done')).toHaveLength(1);
});

test('what is on hold stays, and says why', async () => {
  const door = await openDoor();
  await fileExample(door.dataDirectory, { id: ID });
  const [manage, admin] = [await door.newToken('manage', {}, 'desk'), await door.newToken('admin')];
  const held = await door.send('PUT', `/api/recordings/${ID}/hold`, manage, { reason: 'court' });
  expect(await held.json()).toMatchObject({ hold: { reason: 'court', by: 'token:desk' } });
  const refused = await door.send('DELETE', `/api/recordings/${ID}`, admin);
  expect(refused.status).toBe(409);
  expect(await refused.json()).toMatchObject({ code: 'ON_HOLD' });
  expect((await door.send('DELETE', `/api/recordings/${ID}/hold`, manage)).status).toBe(403);
  expect((await door.send('DELETE', `/api/recordings/${ID}/hold`, admin)).status).toBe(200);
  expect((await door.send('DELETE', `/api/recordings/${ID}`, admin)).status).toBe(204);
});

test('notes and tags: kept as text, limited, removable', async () => {
  const door = await openDoor();
  await fileExample(door.dataDirectory, { id: ID });
  const token = await door.newToken('manage', {}, 'desk');
  const path = `/api/recordings/${ID}`;
  const text = "<script>alert(1)</script>\n'; DROP TABLE notes; --";
  const added = (await (await door.send('POST', `${path}/notes`, token, { text })).json()) as {
    notes: { noteId: string; text: string }[];
  };
  expect(added.notes).toMatchObject([{ text, by: 'token:desk' }]);
  expect((await door.send('DELETE', `${path}/notes/${added.notes[0]!.noteId}`, token)).status).toBe(200);
  expect((await door.send('DELETE', `${path}/notes/${added.notes[0]!.noteId}`, token)).status).toBe(404);
  const status = async (body: unknown) => (await door.send('PUT', `${path}/tags`, token, body)).status;
  expect(await status({ tags: ['a'.repeat(64)] })).toBe(200);
  expect(await status({ tags: ['a'.repeat(65)] })).toBe(400);
  expect(await status({ tags: Array.from({ length: 51 }, (_, i) => `${i}`) })).toBe(400);
  expect(await status({ tags: ['nul\0'] })).toBe(400);
  expect(await status({ tags: [' '] })).toBe(400);
  expect(await status({ tags: 'a' })).toBe(400);
  expect(await status({ tags: [], more: 1 })).toBe(400);
  expect(await status([])).toBe(400);
});

test('bodies: too large, broken, poisoned', async () => {
  const door = await openDoor();
  const post = async (body: string) =>
    (await door.ask('/api/session', null, { method: 'POST', body, headers: { 'content-type': 'application/json' } }))
      .status;
  expect(await post(JSON.stringify({ token: 'x'.repeat(100_000) }))).toBe(413);
  expect(await post('{"token":')).toBe(400);
  expect(await post('')).toBe(400);
  expect(await post('{"__proto__":{"role":"admin"},"token":"x"}')).toBe(400);
  expect(await post('[[[[[[[[]]]]]]]]')).toBe(400);
  expect(await post(`${'['.repeat(30_000)}${']'.repeat(30_000)}`)).toBe(400);
});

/** Sends text as it is and returns what comes back until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
  });
}

test.each([
  ['headers without end', `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'X: y\r\n'.repeat(5_000)}`, /431/],
  ['an endless address', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, /431|414/],
  ['no HTTP', 'OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n', /400/],
  [
    'two lengths',
    'POST /api/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    /400/,
  ],
  ['two hosts', 'GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n', /200|400/],
  ['no host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n', /400|421/],
])('%s', async (_, text, expected) => {
  const { port } = await openDoor();
  expect(await raw(port, text)).toMatch(expected);
});

test('closing lets running downloads go on for two seconds, and no longer', async () => {
  const door = await openDoor();
  await fileLarge(door);
  const token = await door.newToken('listen');
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    httpGet(`${door.url}/api/recordings/${ID}/audio`, { headers }, resolve).on('error', reject);
  });
  // Nobody reads: the slow client does not hold the recorder up.
  const cut = new Promise((resolve) => response.once('error', resolve).once('close', resolve));
  await door.door.close();
  response.resume();
  await cut;
  expect(response.complete).toBe(false);
});
