import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { createCommand } from '../../src/delivery/command.ts';
import { EVENT_TYPES, filedEvent } from '../../src/delivery/event.ts';
import { isInternal } from '../../src/delivery/http-call.ts';
import { fillTemplate, unknownFields } from '../../src/delivery/template.ts';
import { createUpload } from '../../src/delivery/upload.ts';
import { createWebhook } from '../../src/delivery/webhook.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const AUDIO = Buffer.alloc(300_000, 'RIFFaudio');
const SHA256 = createHash('sha256').update(AUDIO).digest('hex');
const signal = new AbortController().signal;
const party = (role: 'caller' | 'callee', aor: string, name: string | null) => ({
  id: role,
  aor,
  name,
  role,
  channel: 0,
  rule: 'x',
});
const document = exampleDocument({
  participants: [party('caller', 'sip:../../etc@x', null), party('callee', 'tel:+4930', 'Ann "&" Ö')],
  headers: [{ name: 'X-Tenant', value: 'north/7\r\nX-Evil: 1' }],
  files: [{ name: 'audio.wav', role: 'audio', octets: AUDIO.length, sha256: SHA256 }],
});
const finished = (one: RecordingDocument = document) => filedEvent(one, Date.UTC(2026, 0, 1));

interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

async function receiver(answer: (response: ServerResponse, received: Received) => void) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request;
    const body = await buffer(request).catch(() => Buffer.from('cut'));
    received.push({ method, url, headers, body });
    answer(response, received.at(-1)!);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { received, url: `http://127.0.0.1:${port}/hook` };
}

const ok = (response: ServerResponse) => response.writeHead(204).end();

function webhook(url: string, over: Partial<Parameters<typeof createWebhook>[0]> = {}) {
  return createWebhook({
    name: 'hook',
    url: new URL(url),
    events: EVENT_TYPES,
    key: Buffer.alloc(32, 1),
    headers: { authorization: 'Bearer x' },
    internal: 'allowed',
    timeoutMs: 300,
    publicUrl: 'https://rec.example/',
    userAgent: 'sipreel',
    wallMs: () => 1_000,
    ...over,
  });
}

function upload(url: string, over: Partial<Parameters<typeof createUpload>[0]> = {}) {
  return createUpload({
    name: 'up',
    method: 'PUT',
    url,
    form: 'raw',
    fileName: '{start}_{caller}_{id}.wav',
    headers: {},
    internal: 'allowed',
    timeoutMs: 1_000,
    userAgent: 'sipreel',
    openAudio: async () => ({
      file: document.files[0]!,
      read: () =>
        Readable.from(
          AUDIO.subarray(0)
            .toString('latin1')
            .match(/.{1,50000}/gs)!
            .map((piece) => Buffer.from(piece, 'latin1')),
        ),
      close: async () => {},
    }),
    ...over,
  });
}

test('a webhook says what happened, where to find it, and who says so', async () => {
  const { received, url } = await receiver(ok);
  await webhook(url).deliver(finished(), signal);
  const [{ method, headers, body }] = received as [Received];
  expect(method).toBe('POST');
  expect(headers).toMatchObject({ authorization: 'Bearer x', 'webhook-timestamp': '1', 'user-agent': 'sipreel' });
  expect(headers['webhook-signature']).toMatch(/^v1,/);
  expect(headers['idempotency-key']).toBe(headers['webhook-id']);
  const told = JSON.parse(body.toString());
  expect(told).toMatchObject({
    type: 'recording.finished',
    timestamp: '2026-01-01T00:00:00.000Z',
    data: { recording: document },
  });
  expect(told.data.links.audio).toBe(`https://rec.example/api/recordings/${document.id}/audio`);
});

test.each<[string, (response: ServerResponse) => unknown, string, RegExp]>([
  [
    'a redirect to loopback is not followed',
    (r) => r.writeHead(302, { location: 'http://127.0.0.1/' }).end(),
    'refused',
    /302/,
  ],
  ['a refusal', (r) => r.writeHead(400).end('no such\u0000 tenant'), 'refused', /no such +tenant/],
  ['gone', (r) => r.writeHead(410).end(), 'hopeless', /410/],
  ['overloaded', (r) => r.writeHead(503, { 'retry-after': '7' }).end(), 'unreachable', /503/],
  ['too many', (r) => r.writeHead(429).end(), 'unreachable', /429/],
  ['an answer without end', (r) => void r.writeHead(500).write(Buffer.alloc(1_000_000, 'x')), 'unreachable', /500/],
  ['silence', () => {}, 'unreachable', /300 ms/],
  ['a connection cut', (r) => r.destroy(), 'unreachable', /hang up|reset/],
])('%s', async (_name, answer, kind, words) => {
  const { url, received } = await receiver(answer);
  const failure = await webhook(url)
    .deliver(finished(), signal)
    .catch((error) => error);
  expect(failure).toMatchObject({ kind });
  expect(failure.message).toMatch(words);
  expect(received).toHaveLength(1);
});

test('internal addresses are not called unless allowed, whatever their name', async () => {
  const { url, received } = await receiver(ok);
  for (const target of [url, url.replace('127.0.0.1', 'localhost'), url.replace('127.0.0.1', '[::ffff:127.0.0.1]')]) {
    const failure = await webhook(target, { internal: 'refused' })
      .deliver(finished(), signal)
      .catch((error) => error);
    expect(failure, target).toMatchObject({ kind: 'refused' });
    expect(failure.message).toContain('internal address');
  }
  expect(received).toEqual([]);
});

test.each([
  ['127.9.9.9', true],
  ['10.1.2.3', true],
  ['169.254.169.254', true],
  ['0.0.0.0', true],
  ['::1', true],
  ['::', true],
  ['::ffff:192.168.1.1', true],
  ['64:ff9b::a00:1', true],
  ['fe80::1', true],
  ['192.0.2.1', false],
  ['2001:db8::1', false],
])('%s is internal: %s', (address, internal) => expect(isInternal(address)).toBe(internal));

test('an upload as the raw body: name from the call, digest, nothing of the wire in path or header', async () => {
  const { url, received } = await receiver(ok);
  await upload(`${url}/{year}/{caller}/{calleeName}.wav?t={header.x-tenant}`, {
    headers: { 'X-Tenant': '{header.X-Tenant}' },
  }).deliver(finished(), signal);
  const [{ method, url: path, headers, body }] = received as [Received];
  expect(method).toBe('PUT');
  expect(path).toBe('/hook/2026/etc/Ann-O.wav?t=north-7-X-Evil-1');
  expect(headers['x-tenant']).toBe('north-7-X-Evil-1');
  expect(headers['x-evil']).toBeUndefined();
  expect(body.equals(AUDIO)).toBe(true);
  expect(headers['repr-digest']).toBe(`sha-256=:${Buffer.from(SHA256, 'hex').toString('base64')}:`);
});

test('an upload as a form', async () => {
  const { url, received } = await receiver(ok);
  await upload(url, { form: 'multipart', method: 'POST' }).deliver(finished(), signal);
  const [{ headers, body }] = received as [Received];
  const form = await new Response(new Uint8Array(body), {
    headers: { 'content-type': headers['content-type']! },
  }).formData();
  expect(JSON.parse(form.get('recording') as string).id).toBe(document.id);
  const file = form.get('file') as File;
  expect(file.name).toBe(`20260102T030405Z_etc_${document.id}.wav`);
  expect(Buffer.from(await file.arrayBuffer()).equals(AUDIO)).toBe(true);
});

test('audio that has changed on disk never arrives whole', async () => {
  const { url, received } = await receiver(ok);
  const broken = { ...document.files[0]!, sha256: '0'.repeat(64) };
  const changed = upload(url, {
    openAudio: async () => ({ file: broken, read: () => Readable.from([AUDIO]), close: async () => {} }),
  });
  await expect(changed.deliver(finished(), signal)).rejects.toMatchObject({
    message: expect.stringContaining('verify'),
  });
  expect(received.every(({ body }) => body.length < AUDIO.length)).toBe(true);
});

test('a recording without audio is passed over', async () => {
  const { url, received } = await receiver(ok);
  await upload(url, { openAudio: async () => null }).deliver(finished(), signal);
  expect(received).toEqual([]);
});

test('a program gets its arguments as they are, the event on its input, and none of our secrets', async () => {
  const directory = await temporaryDirectory();
  const script = join(directory, 'told.sh');
  const out = join(directory, 'out');
  await writeFile(
    script,
    `#!/bin/sh\nout="$1"; shift\nfor a in "$@"; do printf '%s\\n' "$a"; done >"$out"; env >>"$out"; cat >>"$out"\n`,
    { mode: 0o755 },
  );
  process.env.SIPREEL_TEST_SECRET = 'hidden';
  onTestFinished(() => void delete process.env.SIPREEL_TEST_SECRET);
  const target = createCommand({
    name: 'c',
    events: EVENT_TYPES,
    command: [script, out, '{audio}', '{calleeName}; $(touch x)', '{header.X-Tenant}'],
    timeoutMs: 5_000,
    publicUrl: null,
    directoryOf: async () => directory,
  });
  await target.deliver(finished(), signal);
  const said = await readFile(out, 'utf8');
  expect(said.split('\n').slice(0, 3)).toEqual([join(directory, 'audio.wav'), 'Ann-O; $(touch x)', 'north-7-X-Evil-1']);
  expect(said).toContain('"type":"recording.finished"');
  expect(said).not.toContain('hidden');
});

test.each([
  [['/bin/sh', '-c', 'echo broken >&2; exit 3'], /ended with 3: broken/],
  [['/no/such/program'], /ENOENT/],
  [['/bin/sleep', '60'], /SIGKILL/],
])('a program that fails: %j', async (command, words) => {
  const common = { name: 'c', events: EVENT_TYPES, publicUrl: null, directoryOf: async () => null };
  const failing = createCommand({ ...common, command, timeoutMs: 300 }).deliver(finished(), signal);
  await expect(failing).rejects.toThrow(words);
});

test('templates', () => {
  expect(unknownFields('{start}-{nope}-{header.X-A}-{header.}-{constructor}')).toEqual([
    'nope',
    'header.',
    'constructor',
  ]);
  expect(fillTemplate('{group}/{callee}/{durationSeconds}', document)).toBe('none/+4930/10');
});
