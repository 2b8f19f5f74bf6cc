// An object store as a target of delivery, as configured.
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { PART_OCTETS } from '../../src/archive/remote/object-store.ts';
import { configFromFlags } from '../../src/commands/serve-options.ts';
import { deliveryTargets } from '../../src/config/delivery-targets.ts';
import { deliveryTarget } from '../../src/config/sections/delivery.ts';
import { filedEvent } from '../../src/delivery/event.ts';
import { DeliveryFailure } from '../../src/delivery/target.ts';
import type { RecordingLibrary } from '../../src/recording/library.ts';
import { exampleDocument } from '../archive/example-document.ts';
import { S3Store } from '../support/s3-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const KEY = '2026/01/north-7_unknown.wav';

async function target(s3: S3Store, audio: Buffer, over: object = {}) {
  const file = { name: 'audio.wav', role: 'audio' as const, octets: audio.length, sha256: sha256Of(audio) };
  const document = exampleDocument({ files: [file], headers: [{ name: 'X-Tenant', value: '../north/7' }] });
  const state = { content: audio, open: 0 };
  const openFile: RecordingLibrary['openFile'] = async () => {
    state.open++;
    const read = (first: number, last: number) => Readable.from([state.content.subarray(first, last + 1)]);
    return { file, read, close: async () => void state.open-- };
  };
  const one = deliveryTarget.parse({
    kind: 's3',
    name: 'archive',
    bucket: 'bucket',
    endpoint: s3.url,
    key: '{year}/{month}/{header.X-Tenant}_{caller}.wav',
    accessKeyId: 'id',
    secretAccessKey: 'secret',
    allowInternal: true,
    ...over,
  });
  const config = await configFromFlags({ data: await temporaryDirectory() });
  const library = { openFile } as unknown as RecordingLibrary;
  const delivery = { ...config.delivery, targets: [one] };
  const make = () => deliveryTargets({ ...config, delivery }, { library, product: 'sipreel', wallMs: () => 0 })[0]!;
  return { make, event: filedEvent(document, 0), state };
}

const sha256Of = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const signal = () => new AbortController().signal;

test('the audio is there under a name from the template, with its sum; once more changes nothing', async () => {
  const s3 = await new S3Store().start();
  const audio = randomBytes(10_000);
  const { make, event, state } = await target(s3, audio);
  for (let time = 0; time < 2; time++) await make().deliver(event, signal());
  expect([...s3.objects.keys()]).toEqual([KEY]);
  expect(s3.objects.get(KEY)!.content.equals(audio)).toBe(true);
  expect(state.open).toBe(0);
});

test('a process that is killed in the middle is gone on with: only what is missing is sent', async () => {
  const s3 = await new S3Store().start();
  const audio = randomBytes(2 * PART_OCTETS + 5);
  const { make, event } = await target(s3, audio);
  s3.trouble = ({ query }) => (query.get('partNumber') === '3' ? 'hang' : null);
  const killed = new AbortController();
  const sending = make().deliver(event, killed.signal);
  await expect
    .poll(() => s3.requests.some(({ query }) => query.get('partNumber') === '3'), { timeout: 8_000 })
    .toBe(true);
  killed.abort();
  await expect(sending).rejects.toThrow();
  s3.trouble = () => null;
  s3.requests.length = 0;
  await make().deliver(event, signal());
  expect(s3.requests.flatMap(({ method, query }) => (method === 'PUT' ? [query.get('partNumber')] : []))).toEqual([
    '3',
  ]);
  expect(s3.objects.get(KEY)!.content.equals(audio)).toBe(true);
});

test('audio that changed on disk does not stay in the store; a store that keeps something else is tried again', async () => {
  const s3 = await new S3Store().start();
  const audio = randomBytes(10_000);
  const { make, event, state } = await target(s3, audio);
  state.content = randomBytes(10_000);
  await expect(make().deliver(event, signal())).rejects.toMatchObject({ kind: 'hopeless' });
  expect(s3.objects.size).toBe(0);
  state.content = audio;
  s3.tellsSums = false;
  s3.keep = (content) => Buffer.from(content).fill(0, 5, 6);
  await expect(make().deliver(event, signal())).rejects.toMatchObject({ kind: 'unreachable' });
  s3.trouble = () => 503;
  await expect(make().deliver(event, signal())).rejects.toMatchObject({ kind: 'unreachable' });
});

test('internal addresses are refused unless allowed, also behind a name', async () => {
  const s3 = await new S3Store().start();
  const { port } = new URL(s3.url);
  for (const endpoint of [s3.url, `http://localhost:${port}`]) {
    const { make, event } = await target(s3, randomBytes(10), { allowInternal: false, endpoint });
    await expect(make().deliver(event, signal())).rejects.toBeInstanceOf(DeliveryFailure);
  }
  expect(s3.requests).toEqual([]);
});
