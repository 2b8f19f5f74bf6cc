// A call in the running recorder, with a master key and a store: encrypted on the disk, gone from it, played over the API from the store.
import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { upkeep } from '../../src/commands/upkeep.ts';
import { findLocalApi } from '../../src/http/local-access.ts';
import { decoded, ffmpegIsInstalled } from '../support/decoded.ts';
import { toneLevel } from '../support/listen.ts';
import { S3Store } from '../support/s3-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { type RecorderHere, recordHere } from './recorder-here.ts';

test('a call is encrypted, goes into the store, and is played from there', async () => {
  const s3 = await new S3Store().start();
  const data = await temporaryDirectory();
  const config = join(await temporaryDirectory(), 'sipreel.yaml');
  const masterKey = `a:${createHash('sha256').update('test').digest('base64')}`;
  await writeFile(
    config,
    `s3: { bucket: bucket, endpoint: "${s3.url}", accessKeyId: id, secretAccessKey: s, keepLocalHours: 0 }
encryption: { masterKey: "${masterKey}" }
`,
  );
  const server = recordHere(data, '--config', config);
  const client = await testClient();
  const call = await client.connect(toneCall(await server.sipPort('udp')));
  await sleep(600);
  await call.bye();
  const [filed] = await filedRecordings(data, 1);
  const { directory, document } = filed!;
  await vi.waitFor(
    async () => expect((await readdir(directory)).sort()).toEqual(['key.json', 'recording.json', 'remote.json']),
    { timeout: 10_000, interval: 50 },
  );
  expect([...s3.objects.keys()].map((key) => key.split('/').at(-1)).sort()).toEqual([
    'audio.wav.enc',
    'capture.pcapng.enc',
  ]);

  const { url, token } = (await findLocalApi(data))!;
  const headers = { authorization: `Bearer ${token}` };
  const audio = `${url}/api/recordings/${document.id}/audio`;
  const whole = Buffer.from(await (await fetch(audio, { headers })).arrayBuffer());
  const file = document.files.find(({ role }) => role === 'audio')!;
  expect(createHash('sha256').update(whole).digest('hex')).toBe(file.sha256);
  const range = await fetch(audio, { headers: { ...headers, range: 'bytes=100-299' } });
  expect(range.status).toBe(206);
  expect(Buffer.from(await range.arrayBuffer()).equals(whole.subarray(100, 300))).toBe(true);
  const deleted = await fetch(`${url}/api/recordings/${document.id}`, { method: 'DELETE', headers });
  expect(deleted.status).toBe(204);
  expect(s3.objects.size).toBe(0);
});

test.skipIf(!ffmpegIsInstalled())(
  'a later setting for other formats: new calls by themselves, older ones on order',
  async () => {
    const data = await temporaryDirectory();
    const config = join(await temporaryDirectory(), 'sipreel.yaml');
    await writeFile(config, 'audio: { formats: [opus] }\n');
    const client = await testClient();
    const record = async (server: RecorderHere) => {
      const call = await client.connect(toneCall(await server.sipPort('udp')));
      await sleep(900);
      await call.bye();
    };
    const first = recordHere(data);
    await record(first);
    await filedRecordings(data, 1);
    await first.stop();
    const order = await upkeep(['--data', data, '--config', config]);
    const second = recordHere(data, '--config', config);
    await record(second);
    const filed = await filedRecordings(data, 2);
    expect(order).toBe(0);
    for (const { directory } of filed) {
      await vi.waitFor(async () => expect(await readdir(directory)).toContain('formats.json'), { timeout: 40_000 });
      const { channels, sampleRateHz } = await decoded(join(directory, 'audio.opus'));
      const levels = channels.map((one) => [440, 880].map((hz) => toneLevel(one, sampleRateHz, hz, 200, 700) > -20));
      expect(levels).toEqual([
        [true, false],
        [false, true],
      ]);
    }
    expect(await readdir(data)).not.toContain('upkeep.json');
  },
  60_000,
);
