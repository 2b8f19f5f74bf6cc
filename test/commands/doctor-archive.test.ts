// What `sipreel doctor` says of master key, store and formats.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { writeRecordingKey } from '../../src/archive/encryption/recording-key.ts';
import { checkArchive } from '../../src/commands/doctor-archive.ts';
import { configFromFlags } from '../../src/commands/serve-options.ts';
import type { Config } from '../../src/config/schema.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { S3Store } from '../support/s3-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const KEY = Buffer.alloc(32, 7);

afterEach(() => vi.unstubAllEnvs());

async function verdicts(data: string, settings: Partial<Config>): Promise<string[]> {
  const findings = await checkArchive({ ...(await configFromFlags({ data })), ...settings });
  return findings.map(({ verdict, text }) => `${verdict}: ${text}`);
}

async function keyFile(content: string, mode = 0o600): Promise<Pick<Config, 'encryption'>> {
  const path = join(await temporaryDirectory(), 'keys');
  await writeFile(path, content);
  await chmod(path, mode);
  return { encryption: { keyFile: path, masterKey: null } };
}

/** A recording whose key is under that master key. */
async function encryptedRecording(data: string, key: Buffer): Promise<void> {
  const directory = join(data, 'recordings/2026/01/02/one');
  await mkdir(directory, { recursive: true });
  const document = exampleDocument();
  await writeFile(join(directory, 'recording.json'), JSON.stringify(document));
  await writeRecordingKey(directory, document.id, Buffer.alloc(32, 1), { id: 'k', key });
}

test('the master key: readable, of the right length, and the one that the recordings were encrypted with', async () => {
  const data = await temporaryDirectory();
  expect(await verdicts(data, {})).toEqual([]);
  const right = `k:${KEY.toString('base64')}`;
  expect(await verdicts(data, await keyFile(right))).toEqual([expect.stringMatching(/^ok: .* master key k$/)]);
  expect(await verdicts(data, await keyFile(right, 0o644))).toEqual([
    expect.stringMatching(/^warn: .*chmod 600/),
    expect.stringMatching(/^ok/),
  ]);
  expect(await verdicts(data, await keyFile(`k:${KEY.subarray(1).toString('base64')}`))).toEqual([
    expect.stringMatching(/^fail: the master key cannot be used.*32 octets/),
  ]);
  expect(await verdicts(data, { encryption: { keyFile: '/nowhere/keys', masterKey: null } })).toEqual([
    expect.stringMatching(/^fail: .*ENOENT/),
  ]);
  await encryptedRecording(data, KEY);
  expect(await verdicts(data, await keyFile(right))).toEqual([
    expect.stringMatching(/^ok/),
    expect.stringMatching(/^ok: the master key opens .*one$/),
  ]);
  const other = await verdicts(data, await keyFile(`k:${Buffer.alloc(32, 8).toString('base64')}`));
  expect(other[1]).toMatch(/^fail: .*was not made with the master key/);
  expect(await verdicts(data, {})).toEqual([
    expect.stringMatching(/^fail: .*one is encrypted, and there is no master key/),
  ]);
});

test('the store: a probe object is written, read and deleted; what it refuses is said', async () => {
  const s3 = await new S3Store().start();
  const configured = (secretAccessKey: string): Pick<Config, 's3'> => ({
    s3: {
      bucket: 'bucket',
      endpoint: s3.url,
      region: 'us-east-1',
      prefix: 'p/',
      accessKeyId: 'id',
      secretAccessKey,
      keepLocalHours: null,
    },
  });
  const data = await temporaryDirectory();
  expect(await verdicts(data, configured('secret'))).toEqual([
    expect.stringMatching(/^ok: store http.*bucket bucket: an object was written, read and deleted$/),
  ]);
  expect(s3.objects.size).toBe(0);
  for (const [method, words] of [
    ['PUT', /^fail: .*could not be written: .*403/],
    ['GET', /^fail: .*could not be read: .*403/],
    ['DELETE', /^warn: .*could not be deleted.*403/],
  ] as const) {
    s3.trouble = (request) => (request.method === method ? 403 : null);
    expect(await verdicts(data, configured('secret'))).toEqual([expect.stringMatching(words)]);
  }
  const nobody = configured('secret');
  nobody.s3.endpoint = 'http://127.0.0.1:1';
  expect(await verdicts(data, nobody)).toEqual([
    expect.stringMatching(/^fail: .*could not be written: .*ECONNREFUSED/),
  ]);
});

test('formats without an encoder: the WAV stays, and that is said', async () => {
  const data = await temporaryDirectory();
  const { audio } = await configFromFlags({ data });
  vi.stubEnv('PATH', data);
  expect(await verdicts(data, { audio: { ...audio, formats: ['opus'] } })).toEqual([
    expect.stringMatching(/^warn: no ffmpeg .*: opus;.*install ffmpeg/),
  ]);
});
