import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createArchive } from '../../../src/archive/archive.ts';
import { DirectoryLibrary } from '../../../src/archive/directory-library.ts';
import { fileEncryption } from '../../../src/archive/encryption/encryption.ts';
import { MasterKeys } from '../../../src/archive/encryption/master-keys.ts';
import { StoreCopies } from '../../../src/archive/remote/copies.ts';
import { StoreMirror } from '../../../src/archive/remote/mirror.ts';
import { ObjectStore, PART_OCTETS } from '../../../src/archive/remote/object-store.ts';
import { StoredFiles } from '../../../src/archive/stored-files.ts';
import { verifyRecordings } from '../../../src/archive/verify.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { SessionState } from '../../../src/recording/session-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { S3Store } from '../../support/s3-store.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';

const ID = '0f1e2d3c-0000-4000-8000-000000000001';
const HOUR_MS = 3_600_000;
const AUDIO = randomBytes(150_000);
const JOURNAL = randomBytes(3_000);
const PREFIX = `sipreel/2026/01/02/${ID}`;

interface Setting {
  data?: string;
  keepLocalMs?: number | null;
  encrypted?: boolean;
}

/** A recorder's archive with a store; opened again on the same directory it is the next process. */
async function open(store: S3Store, { data, keepLocalMs = null, encrypted = false }: Setting = {}) {
  const directory = data ?? (await temporaryDirectory());
  const clock = new ManualClock(Date.now());
  const credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
  const copies = new StoreCopies(
    new ObjectStore({ bucket: 'bucket', endpoint: store.url, region: 'us-east-1', credentials }),
    clock,
  );
  const masterKeys = new MasterKeys({ keys: `k:${Buffer.alloc(32, 7).toString('base64')}`, file: null });
  const files = new StoredFiles({ masterKeys, remote: copies });
  const library = new DirectoryLibrary({ dataDirectory: directory, clock, log: silentLog, files });
  const engine = createArchive({
    spoolDirectory: directory,
    archiveDirectory: directory,
    nameTemplate: '{start}_{id}',
    journal: 'always',
    ...(encrypted ? { encryption: fileEncryption(masterKeys) } : {}),
    log: silentLog,
  });
  await engine.prepare();
  await library.prepare();
  const mirror = new StoreMirror({
    dataDirectory: directory,
    prefix: 'sipreel/',
    keepLocalMs,
    copies,
    find: (recordingId) => library.get(recordingId),
    clock,
    log: silentLog,
  });
  await mirror.start();
  onTestFinished(() => mirror.close());
  return { data: directory, clock, library, mirror, copies, files, archive: mirror.mirrored(engine) };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function file({ archive }: Opened, audio = AUDIO): Promise<string> {
  const paths = await archive.createSession(ID);
  await writeFile(paths.audioPath, audio);
  await writeFile(paths.journalPath, JOURNAL);
  const sha256 = createHash('sha256').update(audio).digest('hex');
  const document = exampleDocument({
    id: ID,
    files: [{ name: 'audio.wav', role: 'audio', octets: audio.length, sha256 }],
  });
  return (await archive.file({ recordingId: ID } as SessionState, document)).directory;
}

async function read({ library }: Opened, first = 0, last = AUDIO.length - 1): Promise<Buffer> {
  const audio = (await library.openFile(ID, 'audio'))!;
  try {
    return await buffer(audio.read(first, last));
  } finally {
    await audio.close();
  }
}

const marks = ({ data }: Opened) => readdir(join(data, 'store-pending'));
const store = () => new S3Store().start();
const until = (condition: () => Promise<unknown> | unknown) => vi.waitFor(condition, { timeout: 8_000, interval: 10 });

test('what is filed is in the store, sum and all; the local files stay unless told otherwise', async () => {
  const s3 = await store();
  const recorder = await open(s3);
  const directory = await file(recorder);
  await recorder.mirror.idle();
  expect([...s3.objects.keys()].sort()).toEqual([`${PREFIX}/audio.wav`, `${PREFIX}/capture.pcapng`]);
  expect(s3.objects.get(`${PREFIX}/audio.wav`)!.content.equals(AUDIO)).toBe(true);
  expect((await readdir(directory)).sort()).toEqual(['audio.wav', 'capture.pcapng', 'recording.json', 'remote.json']);
  expect(await marks(recorder)).toEqual([]);
});

test.each([false, true])(
  'the local files go in time, and ranges play from the store (encrypted: %s)',
  async (encrypted) => {
    const s3 = await store();
    const recorder = await open(s3, { keepLocalMs: HOUR_MS, encrypted });
    const directory = await file(recorder);
    await recorder.mirror.idle();
    expect((await readdir(directory)).filter((name) => name.startsWith('audio'))).toHaveLength(1);
    recorder.clock.advance(HOUR_MS + 60_000);
    await recorder.mirror.idle();
    expect((await readdir(directory)).filter((name) => /^(audio|capture)/.test(name))).toEqual([]);
    expect(await marks(recorder)).toEqual([]);
    expect((await read(recorder)).equals(AUDIO)).toBe(true);
    for (const [first, last] of [
      [0, 0],
      [65_535, 65_536],
      [100, 140_000],
      [149_999, 149_999],
    ] as const)
      expect((await read(recorder, first, last)).equals(AUDIO.subarray(first, last + 1))).toBe(true);
    expect(s3.objects.get(`${PREFIX}/audio.wav`) === undefined).toBe(encrypted);
    for await (const { problems } of verifyRecordings(recorder.data, recorder.files))
      expect(problems.filter(({ code }) => code !== 'audio-wrong')).toEqual([]);
    await recorder.library.delete(ID);
    expect(s3.objects.size).toBe(0);
    expect(await readdir(join(recorder.data, 'trash'))).toEqual([]);
  },
);

test('a large file goes in parts', async () => {
  const s3 = await store();
  const recorder = await open(s3);
  const audio = randomBytes(2 * PART_OCTETS + 123);
  await file(recorder, audio);
  await recorder.mirror.idle();
  const { content, sum } = s3.objects.get(`${PREFIX}/audio.wav`)!;
  expect(content.equals(audio)).toBe(true);
  expect(sum.endsWith('-3')).toBe(true);
  expect(s3.requests.filter(({ method, key }) => method === 'GET' && key.endsWith('audio.wav'))).toEqual([]);
  expect(s3.uploads.size).toBe(0);
});

test('a store that tells no sums is read again; one that keeps something else is not believed, and the local file stays', async () => {
  const s3 = await store();
  s3.tellsSums = false;
  let flips = 1;
  s3.keep = (content) => {
    const kept = Buffer.from(content);
    if (flips-- > 0) kept[10]! ^= 1;
    return kept;
  };
  const recorder = await open(s3, { keepLocalMs: 0 });
  const directory = await file(recorder);
  await recorder.mirror.idle();
  expect(await readdir(directory)).toContain('audio.wav');
  expect(await marks(recorder)).toEqual([ID]);
  recorder.clock.advance(10_000);
  await recorder.mirror.idle();
  expect(await readdir(directory)).not.toContain('audio.wav');
  expect((await read(recorder)).equals(AUDIO)).toBe(true);
});

test('a store that refuses: again after growing delays; filing does not wait, and neither does reading', async () => {
  const s3 = await store();
  s3.trouble = () => 503;
  const recorder = await open(s3, { keepLocalMs: 0 });
  await file(recorder);
  await recorder.mirror.idle();
  for (const [delayMs, requests] of [
    [9_000, 1],
    [1_000, 2],
    [19_000, 2],
    [1_000, 3],
  ] as const) {
    recorder.clock.advance(delayMs);
    await recorder.mirror.idle();
    expect(s3.requests).toHaveLength(requests);
  }
  expect((await read(recorder)).equals(AUDIO)).toBe(true);
  expect(recorder.mirror.figures()).toEqual({ count: 1, oldestMs: 30_000 });
  s3.trouble = () => null;
  recorder.clock.advance(60_000);
  await recorder.mirror.idle();
  expect(recorder.mirror.figures()).toEqual({ count: 0, oldestMs: 0 });
  expect(s3.objects.size).toBe(2);
  expect((await read(recorder)).equals(AUDIO)).toBe(true);
});

test('a process that dies at any request is followed by one that finishes', async () => {
  const audio = randomBytes(PART_OCTETS + 10);
  for (let dies = 1; ; dies++) {
    const s3 = await store();
    const first = await open(s3, { keepLocalMs: 0 });
    let requests = 0;
    s3.trouble = () => (++requests >= dies ? 'hang' : null);
    await file(first, audio);
    await Promise.race([first.mirror.idle(), until(() => expect(requests).toBeGreaterThanOrEqual(dies))]);
    const died = requests >= dies;
    // Closing aborts what hangs and leaves the rest as it is.
    await first.mirror.close();
    s3.trouble = () => null;
    const next = await open(s3, { data: first.data, keepLocalMs: 0 });
    await next.mirror.idle();
    expect([...s3.objects.keys()].sort(), `died at ${dies}`).toEqual([
      `${PREFIX}/audio.wav`,
      `${PREFIX}/capture.pcapng`,
    ]);
    expect(s3.objects.get(`${PREFIX}/audio.wav`)!.content.equals(audio)).toBe(true);
    expect(await marks(next)).toEqual([]);
    expect((await read(next, 0, audio.length - 1)).equals(audio)).toBe(true);
    expect(s3.uploads.size, `died at ${dies}`).toBe(0);
    if (!died) break;
  }
});

test('parts that the store has with their sums are not sent again by the next process', async () => {
  const audio = randomBytes(3 * PART_OCTETS + 10);
  for (const tells of [true, false]) {
    const s3 = await store();
    s3.tellsSums = tells;
    const first = await open(s3);
    const part = ({ method, query }: { method: string; query: URLSearchParams }) =>
      method === 'PUT' ? query.get('partNumber') : null;
    s3.trouble = (request) => (part(request) === '4' ? 'hang' : null);
    await file(first, audio);
    await until(() => expect(s3.requests.map(part)).toContain('4'));
    await first.mirror.close();
    s3.trouble = () => null;
    s3.requests.length = 0;
    const next = await open(s3, { data: first.data });
    await next.mirror.idle();
    expect(s3.requests.map(part).filter((number) => number !== null)).toEqual(tells ? ['4'] : ['1', '2', '3', '4']);
    expect(s3.objects.get(`${PREFIX}/audio.wav`)!.content.equals(audio)).toBe(true);
    expect(s3.uploads.size).toBe(0);
  }
});

test('deleted while it is uploaded: nothing is left in the store', async () => {
  const s3 = await store();
  const recorder = await open(s3);
  s3.trouble = ({ method }) => (method === 'PUT' ? 'hang' : null);
  await file(recorder, randomBytes(PART_OCTETS + 10));
  await until(() => expect(s3.requests.some(({ method }) => method === 'PUT')).toBe(true));
  expect(s3.uploads.size).toBe(1);
  await recorder.library.delete(ID);
  await recorder.mirror.idle();
  expect(s3.objects.size + s3.uploads.size).toBe(0);
  expect(await recorder.library.get(ID)).toBeNull();
  expect(await readdir(join(recorder.data, 'trash'))).toEqual([]);
});

test('deleted while the store is away: gone here at once, and there when it is back, also after a restart', async () => {
  const s3 = await store();
  const first = await open(s3);
  await file(first);
  await first.mirror.idle();
  s3.trouble = () => 503;
  await first.library.delete(ID);
  expect(await first.library.get(ID)).toBeNull();
  expect(s3.objects.size).toBe(2);
  await first.mirror.close();
  const next = await open(s3, { data: first.data });
  await next.library.emptyTrash();
  const [grave] = await readdir(join(next.data, 'trash'));
  expect(await readdir(join(next.data, 'trash', grave!))).toEqual(['remote.json']);
  s3.trouble = () => null;
  await next.library.emptyTrash();
  expect(s3.objects.size).toBe(0);
  expect(await readdir(join(next.data, 'trash'))).toEqual([]);
});

test('deleted while it plays from the store; two deletions at once: one finds nothing', async () => {
  const s3 = await store();
  const recorder = await open(s3, { keepLocalMs: 0 });
  await file(recorder);
  await recorder.mirror.idle();
  const playing = (await recorder.library.openFile(ID, 'audio'))!;
  const outcomes = await Promise.allSettled([recorder.library.delete(ID), recorder.library.delete(ID)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(s3.objects.size).toBe(0);
  await expect(buffer(playing.read(0, 10))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await playing.close();
});

test('the journal goes alone, in the store too', async () => {
  const s3 = await store();
  const recorder = await open(s3, { keepLocalMs: 0 });
  await file(recorder);
  await recorder.mirror.idle();
  await recorder.library.removeJournal(ID);
  expect([...s3.objects.keys()]).toEqual([`${PREFIX}/audio.wav`]);
  expect(await recorder.library.openFile(ID, 'journal')).toBeNull();
  expect((await read(recorder)).equals(AUDIO)).toBe(true);
});

test('what the store lost or changed since is said, not played', async () => {
  const s3 = await store();
  const recorder = await open(s3, { keepLocalMs: 0, encrypted: true });
  await file(recorder);
  await recorder.mirror.idle();
  const object = s3.objects.get(`${PREFIX}/audio.wav.enc`)!;
  object.content[70_000]! ^= 1;
  await expect(read(recorder)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  s3.objects.clear();
  await expect(read(recorder)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('credentials are in no error', async () => {
  const s3 = await store();
  s3.trouble = () => 403;
  const recorder = await open(s3);
  await mkdir(join(recorder.data, 'x'));
  await writeFile(join(recorder.data, 'x', 'f'), 'x');
  const failure = await recorder.copies
    .upload(ID, join(recorder.data, 'x'), 'f', join(recorder.data, 'x', 'f'), 'k')
    .catch((error: Error) => error);
  const { inspect } = await import('node:util');
  expect(inspect(failure, { depth: 10 })).not.toMatch(/secret|Signature|authorization/i);
  expect(await readFile(join(recorder.data, 'x', 'remote.json'), 'utf8')).toContain('uploading');
  await rm(join(recorder.data, 'x'), { recursive: true });
});
