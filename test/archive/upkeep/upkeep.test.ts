// Finished recordings are brought to what the settings ask for: copies, encryption, the store; new ones by themselves, older ones on order.
import { createHash } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createArchive } from '../../../src/archive/archive.ts';
import { DirectoryLibrary } from '../../../src/archive/directory-library.ts';
import { fileEncryption } from '../../../src/archive/encryption/encryption.ts';
import { MasterKeys } from '../../../src/archive/encryption/master-keys.ts';
import type { EncodeOrder } from '../../../src/archive/formats/encoder.ts';
import { StoreCopies } from '../../../src/archive/remote/copies.ts';
import { StoreMirror } from '../../../src/archive/remote/mirror.ts';
import { ObjectStore } from '../../../src/archive/remote/object-store.ts';
import { StoredFiles } from '../../../src/archive/stored-files.ts';
import { newOrder, OrderFile } from '../../../src/archive/upkeep/order-file.ts';
import { Upkeep } from '../../../src/archive/upkeep/upkeep.ts';
import { verifyRecordings } from '../../../src/archive/verify.ts';
import { RecorderError } from '../../../src/lib/errors.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { CopyFormat } from '../../../src/recording/audio-format.ts';
import type { SessionState } from '../../../src/recording/session-state.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { S3Store } from '../../support/s3-store.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { makeWav } from '../../support/wav.ts';
import { exampleDocument } from '../example-document.ts';

const WAV = makeWav({ channels: 2, durationMs: 300 });
const id = (n: number) => `0f1e2d3c-0000-4000-8000-${String(n).padStart(12, '0')}`;

/** What stands for ffmpeg: the WAV it was given, with a word in front. */
class FakeEncoder {
  failures = 0;
  made = 0;
  can = (_format: CopyFormat, channels: number) => channels <= 2;
  async toFile({ format, wav }: EncodeOrder, path: string): Promise<void> {
    const content = await buffer(wav);
    if (this.failures-- > 0) throw new RecorderError('ENCODING_FAILED', 'no');
    this.made++;
    await writeFile(path, Buffer.concat([Buffer.from(`${format}:`), content]));
  }
}

interface Setting {
  data?: string;
  formats?: CopyFormat[];
  encrypted?: boolean;
  store?: S3Store;
  encoder?: FakeEncoder;
}

/** The archive of one process; opened again on the same directory it is the next one, perhaps with other settings. */
async function open(setting: Setting = {}) {
  const { formats = [], encoder = new FakeEncoder() } = setting;
  const directory = setting.data ?? (await temporaryDirectory());
  const clock = new ManualClock(Date.now());
  const masterKeys = new MasterKeys({ keys: `k:${Buffer.alloc(32, 7).toString('base64')}`, file: null });
  const encryption = setting.encrypted ? fileEncryption(masterKeys) : undefined;
  const s3 = setting.store && {
    bucket: 'bucket',
    endpoint: setting.store.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  };
  const copies = s3 ? new StoreCopies(new ObjectStore(s3), clock) : null;
  const files = new StoredFiles({ masterKeys, remote: copies, encryption });
  const library = new DirectoryLibrary({ dataDirectory: directory, clock, log: silentLog, files });
  await library.prepare();
  const engine = createArchive({
    spoolDirectory: directory,
    archiveDirectory: directory,
    nameTemplate: '{start}_{id}',
    journal: 'always',
    encryption,
    log: silentLog,
  });
  await engine.prepare();
  const find = (recordingId: string) => library.get(recordingId);
  const mirror =
    copies &&
    new StoreMirror({ dataDirectory: directory, prefix: '', keepLocalMs: null, copies, find, clock, log: silentLog });
  await mirror?.start();
  const state = { busy: false };
  const isBusy = () => state.busy;
  const upkeep = new Upkeep({
    dataDirectory: directory,
    library,
    formats,
    encoder,
    store: mirror,
    isBusy,
    clock,
    log: silentLog,
  });
  await upkeep.prepare();
  const close = async () => {
    await upkeep.close();
    await mirror?.close();
  };
  onTestFinished(close);
  const archive = upkeep.attended(mirror ? mirror.mirrored(engine) : engine);
  return { data: directory, clock, library, upkeep, mirror, files, archive, encoder, state, close };
}

type Opened = Awaited<ReturnType<typeof open>>;

async function file({ archive }: Opened, n: number): Promise<string> {
  const paths = await archive.createSession(id(n));
  await writeFile(paths.audioPath, WAV);
  await writeFile(paths.journalPath, 'journal');
  const sha256 = createHash('sha256').update(WAV).digest('hex');
  const example = exampleDocument();
  const document = exampleDocument({
    id: id(n),
    times: { ...example.times, start: new Date(Date.UTC(2026, 0, n)).toISOString(), durationMs: 300 },
    files: [{ name: 'audio.wav', role: 'audio', octets: WAV.length, sha256 }],
  });
  return (await archive.file({ recordingId: id(n) } as SessionState, document)).directory;
}

async function read({ library }: Opened, n: number, wanted: 'audio' | 'wav' | CopyFormat): Promise<Buffer | null> {
  const found = await library.openFile(id(n), wanted);
  if (!found) return null;
  try {
    return await buffer(found.read(0, found.file.octets - 1));
  } finally {
    await found.close();
  }
}

async function expectInOrder({ data, files }: Opened, recordings: number): Promise<void> {
  let seen = 0;
  for await (const { problems } of verifyRecordings(data, files)) {
    expect(problems).toEqual([]);
    seen++;
  }
  expect(seen).toBe(recordings);
}

const flac = (wav = WAV) => Buffer.concat([Buffer.from('flac:'), wav]);
const pending = ({ data }: Opened) => readdir(join(data, 'formats-pending'));

test('what is filed gets its copies, which are files like the others', async () => {
  const recorder = await open({ formats: ['flac', 'opus'] });
  await recorder.upkeep.start();
  const directory = await file(recorder, 1);
  await recorder.upkeep.idle();
  expect((await readdir(directory)).sort()).toEqual(
    ['audio.flac', 'audio.opus', 'audio.wav', 'capture.pcapng', 'formats.json', 'recording.json'].sort(),
  );
  expect(await read(recorder, 1, 'flac')).toEqual(flac());
  expect(await read(recorder, 1, 'audio')).toEqual(WAV);
  expect(await read(recorder, 1, 'mp3')).toBeNull();
  await expectInOrder(recorder, 1);
  await writeFile(join(directory, 'audio.flac'), 'changed');
  for await (const { problems } of verifyRecordings(recorder.data, recorder.files))
    expect(problems.map(({ path }) => path.slice(-10))).toEqual(['audio.flac']);
  expect(await pending(recorder)).toEqual([]);
  await recorder.library.delete(id(1));
  expect(await readdir(join(recorder.data, 'trash'))).toEqual([]);
});

test('encrypted and in the store as the WAV is', async () => {
  const s3 = await new S3Store().start();
  const recorder = await open({ formats: ['flac'], encrypted: true, store: s3 });
  await recorder.upkeep.start();
  const directory = await file(recorder, 1);
  await recorder.upkeep.idle();
  await recorder.mirror!.idle();
  expect(await readdir(directory)).toContain('audio.flac.enc');
  expect(await readdir(directory)).not.toContain('audio.flac');
  expect([...s3.objects.keys()].map((key) => key.split('/').at(-1)).sort()).toEqual([
    'audio.flac.enc',
    'audio.wav.enc',
    'capture.pcapng.enc',
  ]);
  expect(await read(recorder, 1, 'flac')).toEqual(flac());
  await expectInOrder(recorder, 1);
});

test('a process that dies between filing and copying leaves it to the next one', async () => {
  const first = await open({ formats: ['flac'] });
  // Not started: nothing is done beyond the mark.
  first.state.busy = true;
  await file(first, 1);
  await first.close();
  expect(await pending(first)).toEqual([id(1)]);
  const second = await open({ data: first.data, formats: ['flac'] });
  await second.upkeep.start();
  await second.upkeep.idle();
  expect(await read(second, 1, 'flac')).toEqual(flac());
  expect(await pending(second)).toEqual([]);
});

test('while the recorder is busy it waits; an encoder that fails is asked three times, and the WAV stays', async () => {
  const encoder = new FakeEncoder();
  encoder.failures = 3;
  const recorder = await open({ formats: ['flac'], encoder });
  await recorder.upkeep.start();
  recorder.state.busy = true;
  await file(recorder, 1);
  await recorder.upkeep.idle();
  expect(encoder.failures).toBe(3);
  recorder.state.busy = false;
  recorder.clock.advance(60_000);
  await recorder.upkeep.idle();
  expect(encoder.failures).toBe(2);
  expect(recorder.upkeep.figures()).toEqual({ count: 1, oldestMs: 60_000 });
  for (const minutes of [1, 4, 60]) {
    recorder.clock.advance(minutes * 60_000);
    await recorder.upkeep.idle();
  }
  expect([encoder.failures, encoder.made]).toEqual([0, 0]);
  expect(recorder.upkeep.figures().count).toBe(0);
  expect(await read(recorder, 1, 'flac')).toBeNull();
  expect(await read(recorder, 1, 'audio')).toEqual(WAV);
  expect(await pending(recorder)).toEqual([]);
  await expectInOrder(recorder, 1);
});

test('a recording that is deleted while its copy is made stays deleted', async () => {
  const encoder = new FakeEncoder();
  const recorder = await open({ formats: ['flac'], encoder });
  const toFile = encoder.toFile.bind(encoder);
  encoder.toFile = async (order, path) => {
    await toFile(order, path);
    await recorder.library.delete(id(1));
  };
  await recorder.upkeep.start();
  await file(recorder, 1);
  await recorder.upkeep.idle();
  expect(await recorder.library.get(id(1))).toBeNull();
  expect(await readdir(join(recorder.data, 'encoding'))).toEqual([]);
  await expectInOrder(recorder, 0);
});

test('older recordings are brought to later settings on order, and only those of its time', async () => {
  const s3 = await new S3Store().start();
  const before = await open();
  for (const n of [1, 2, 3]) await file(before, n);
  await before.close();
  const recorder = await open({ data: before.data, formats: ['flac'], encrypted: true, store: s3 });
  await recorder.upkeep.start();
  await recorder.upkeep.idle();
  expect(s3.objects.size).toBe(0);
  await new OrderFile(recorder.data).write(newOrder(Date.UTC(2026, 0, 2), null));
  recorder.clock.advance(60_000);
  await vi.waitFor(async () => expect(await new OrderFile(recorder.data).read()).toBeNull(), { timeout: 8_000 });
  for (const n of [2, 3]) {
    const { directory } = (await recorder.library.get(id(n)))!;
    expect((await readdir(directory!)).sort()).toEqual(
      [
        'audio.flac.enc',
        'audio.wav.enc',
        'capture.pcapng.enc',
        'formats.json',
        'key.json',
        'recording.json',
        'remote.json',
      ].sort(),
    );
    expect(await read(recorder, n, 'audio')).toEqual(WAV);
    expect(await read(recorder, n, 'flac')).toEqual(flac());
  }
  expect(await readdir((await recorder.library.get(id(1)))!.directory!)).toContain('audio.wav');
  expect(s3.objects.size).toBe(6);
  await expectInOrder(recorder, 3);
});

test('what was copied into the store as it was is there encrypted afterwards, and nothing else', async () => {
  const s3 = await new S3Store().start();
  const before = await open({ store: s3 });
  await file(before, 1);
  await before.mirror!.idle();
  expect([...s3.objects.keys()].every((key) => !key.endsWith('.enc'))).toBe(true);
  await before.close();
  const recorder = await open({ data: before.data, encrypted: true, store: s3 });
  await new OrderFile(recorder.data).write(newOrder(null, null));
  await recorder.upkeep.start();
  await vi.waitFor(async () => expect(await new OrderFile(recorder.data).read()).toBeNull(), { timeout: 8_000 });
  expect([...s3.objects.keys()].map((key) => key.split('/').at(-1)).sort()).toEqual([
    'audio.wav.enc',
    'capture.pcapng.enc',
  ]);
  expect(await read(recorder, 1, 'audio')).toEqual(WAV);
  await expectInOrder(recorder, 1);
});
