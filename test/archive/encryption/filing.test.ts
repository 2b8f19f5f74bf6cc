// Recordings are filed encrypted, cut off between any two steps, and read with the right master key alone.
import { randomBytes } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryLibrary } from '../../../src/archive/directory-library.ts';
import { type Disk, systemDisk } from '../../../src/archive/disk/disk.ts';
import { fingerprint } from '../../../src/archive/disk/disk-steps.ts';
import { fileEncryption } from '../../../src/archive/encryption/encryption.ts';
import { MasterKeys } from '../../../src/archive/encryption/master-keys.ts';
import { rotateKeys } from '../../../src/archive/encryption/rotate.ts';
import { completeFiling, type FilingOptions, fileRecording } from '../../../src/archive/filing.ts';
import { StoredFiles } from '../../../src/archive/stored-files.ts';
import { verifyRecordings } from '../../../src/archive/verify.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { renderJob } from '../../../src/render/job.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { jobIn, talk, tone, writeJournal } from '../../support/synthetic-journal.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { exampleDocument } from '../example-document.ts';

const ID = '0f1e2d3c-0000-4000-8000-000000000001';
const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`;

let data: string;
let keyFile: string;
const masterKeys = () => new MasterKeys({ keys: null, file: keyFile });
const library = (keys = masterKeys()) =>
  new DirectoryLibrary({
    dataDirectory: data,
    clock: new ManualClock(),
    log: silentLog,
    files: new StoredFiles({ masterKeys: keys }),
  });

beforeEach(async () => {
  data = await temporaryDirectory();
  keyFile = join(data, 'keys');
  await writeFile(keyFile, `# of this year\n${newKey('one')}\n`);
});

const workshop = await mkdtemp(join(tmpdir(), 'sipreel-test-'));
afterAll(() => rm(workshop, { recursive: true, force: true }));
writeJournal(join(workshop, 'capture.pcapng'), talk({ streamId: 's0', fromMs: 0, toMs: 9_000, signal: tone(440) }));
const audio = renderJob(jobIn(workshop, [{ streamId: 's0' }])).audio!;
const plain = {
  audio: await readFile(join(workshop, 'audio.wav')),
  journal: await readFile(join(workshop, 'capture.pcapng')),
};

/** A rendered recording in the spool, and how it is filed. */
async function rendered(id = ID) {
  const spool = join(data, 'spool', id);
  await cp(workshop, spool, { recursive: true });
  const { sampleRateHz, channels, durationMs, octets, sha256 } = audio;
  const document = exampleDocument({
    id,
    times: { ...exampleDocument().times, durationMs },
    audio: { sampleRateHz, channels, layout: 'caller-callee' },
    files: [{ name: 'audio.wav', role: 'audio', octets, sha256 }],
  });
  const options: FilingOptions = {
    root: join(data, 'recordings'),
    nameTemplate: '{start}_{id}',
    journal: 'always',
    encryption: fileEncryption(masterKeys()),
  };
  return { spool, document, options };
}

async function fileOne(id = ID): Promise<string> {
  const { spool, document, options } = await rendered(id);
  return (await fileRecording(spool, document, options)).directory;
}

async function read(role: 'audio' | 'journal', keys = masterKeys(), id = ID): Promise<Buffer> {
  const file = (await library(keys).openFile(id, role))!;
  try {
    return await buffer(file.read(0, file.file.octets - 1));
  } finally {
    await file.close();
  }
}

async function problems(keys = masterKeys()): Promise<string[]> {
  const found: string[] = [];
  for await (const one of verifyRecordings(data, new StoredFiles({ masterKeys: keys })))
    found.push(...one.problems.map(({ code }) => code));
  return found;
}

const FILED = ['audio.wav.enc', 'capture.pcapng.enc', 'key.json', 'recording.json'];

test('what is filed is encrypted, is read as it was, and verifies', async () => {
  const directory = await fileOne();
  expect((await readdir(directory)).sort()).toEqual(FILED);
  expect((await readFile(join(directory, 'audio.wav.enc'))).includes('RIFF')).toBe(false);
  expect((await read('audio')).equals(plain.audio)).toBe(true);
  expect((await read('journal')).equals(plain.journal)).toBe(true);
  expect(await problems()).toEqual([]);
});

test('without the master key, or with another one of its name, nothing is read, and it is said', async () => {
  await fileOne();
  for (const keys of [null, newKey('two'), newKey('one')]) {
    const wrong = new MasterKeys({ keys, file: null });
    await expect(read('audio', wrong)).rejects.toMatchObject({ code: 'KEY_MISSING' });
    expect(await problems(wrong)).toEqual(['key-missing', 'key-missing']);
  }
  const gone = new MasterKeys({ keys: null, file: join(data, 'no such file') });
  await expect(read('audio', gone)).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

test("another recording's key.json opens nothing", async () => {
  const directory = await fileOne();
  const other = await fileOne('0f1e2d3c-0000-4000-8000-000000000002');
  await writeFile(join(directory, 'key.json'), await readFile(join(other, 'key.json')));
  await expect(read('audio')).rejects.toMatchObject({ code: 'KEY_MISSING' });
});

test('while there is no master key nothing is filed; it is as soon as there is one', async () => {
  const { spool, document, options } = await rendered();
  const text = await readFile(keyFile);
  await writeFile(keyFile, '');
  await expect(fileRecording(spool, document, options)).rejects.toMatchObject({ code: 'KEY_MISSING' });
  expect((await readdir(spool)).sort()).toEqual(['audio.wav', 'capture.pcapng', 'recording.json']);
  await writeFile(keyFile, text);
  const { directory } = await fileRecording(spool, document, options);
  expect((await readdir(directory)).sort()).toEqual(FILED);
});

describe.each(['one disk', 'two disks'])('on %s', (layout) => {
  test('cut off after any step and begun again, it is whole and encrypted, and nothing plain is left', async () => {
    for (let steps = 1; ; steps++) {
      data = await temporaryDirectory();
      const { spool, document, options } = await rendered();
      if (layout === 'two disks') options.incoming = join(data, 'incoming');
      let taken = 0;
      const step =
        <Args extends unknown[], Result>(work: (...args: Args) => Promise<Result>) =>
        async (...args: Args) => {
          if (++taken > steps) throw new Error('the process has died');
          return work(...args);
        };
      const dying = Object.entries({ ...systemDisk }).map(([name, work]) => [
        name,
        step(work as () => Promise<unknown>),
      ]);
      const { encrypt } = options.encryption!;
      const dyingOptions = {
        ...options,
        disk: Object.fromEntries(dying) as Disk,
        encryption: { ...options.encryption!, encrypt: step(encrypt) },
      };
      const cut = await fileRecording(spool, document, dyingOptions).then(
        () => false,
        () => true,
      );
      if (cut) {
        // In the same process it is filed again; after a restart only moved, if it was complete.
        const again = steps % 2 === 0 ? completeFiling : null;
        const complete = (await readdir(spool).catch(() => [] as string[])).includes('recording.json');
        if (again && complete)
          await again(spool, JSON.parse(await readFile(join(spool, 'recording.json'), 'utf8')), options);
        else await fileRecording(spool, document, options).catch(() => {});
      }
      expect((await read('audio')).equals(plain.audio), `after ${steps} steps`).toBe(true);
      expect((await read('journal')).equals(plain.journal), `after ${steps} steps`).toBe(true);
      expect(await problems(), `after ${steps} steps`).toEqual([]);
      if (!cut) break;
    }
  });
});

describe('rotation', () => {
  const ids = [1, 2, 3].map((n) => `0f1e2d3c-0000-4000-8000-00000000000${n}`);
  const failed: string[] = [];
  const rotate = (keys = masterKeys()) => rotateKeys(data, keys, (directory) => failed.push(directory));

  test('puts every key under the new master key; the old one is needed no more', async () => {
    const directories = [];
    for (const id of ids) directories.push(await fileOne(id));
    const before = fingerprint(join(directories[0]!, 'audio.wav.enc'));
    const old = await readFile(keyFile, 'utf8');
    const added = newKey('two');
    await writeFile(keyFile, `${added}\n${old}`);
    expect(await rotate()).toEqual({ rotated: 3, already: 0, failed: 0 });
    expect(await rotate()).toEqual({ rotated: 0, already: 3, failed: 0 });
    await writeFile(keyFile, added);
    for (const id of ids) expect((await read('audio', masterKeys(), id)).length).toBeGreaterThan(44);
    expect(fingerprint(join(directories[0]!, 'audio.wav.enc'))).toEqual(before);
    await expect(read('audio', new MasterKeys({ keys: old, file: null }))).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
  });

  test('cut off in the middle, everything opens with both keys, and it goes on', async () => {
    for (const id of ids) await fileOne(id);
    const old = await readFile(keyFile, 'utf8');
    await writeFile(keyFile, `${newKey('two')}\n${old}`);
    const keys = masterKeys();
    let asked = 0;
    // Dies at the second recording.
    const dying = {
      current: () => keys.current(),
      get: async (id: string) => {
        if (++asked > 1) throw new Error('the process has died');
        return keys.get(id);
      },
    } as unknown as MasterKeys;
    expect(await rotate(dying)).toEqual({ rotated: 1, already: 0, failed: 2 });
    for (const id of ids) expect((await read('audio', keys, id)).length).toBeGreaterThan(44);
    expect(await rotate()).toEqual({ rotated: 2, already: 1, failed: 0 });
  });

  test('a key that nobody opens is told, the others are rotated', async () => {
    const [, second] = [await fileOne(ids[0]), await fileOne(ids[1])];
    const damaged = JSON.parse(await readFile(join(second, 'key.json'), 'utf8'));
    await writeFile(
      join(second, 'key.json'),
      JSON.stringify({ ...damaged, wrapped: Buffer.alloc(48).toString('base64') }),
    );
    await writeFile(keyFile, `${newKey('two')}\n${await readFile(keyFile, 'utf8')}`);
    failed.length = 0;
    expect(await rotate()).toEqual({ rotated: 1, already: 0, failed: 1 });
    expect(failed).toEqual([second]);
  });
});

test.each([
  ['short:AAAA', 'not ID:BASE64'],
  [`${newKey('a')} ${newKey('a')}`, 'same id'],
  [newKey('no/slash'), 'not ID:BASE64'],
])('master keys that are none are refused without being told', async (keys, message) => {
  const refused = await new MasterKeys({ keys, file: null }).current().catch((error: Error) => error);
  expect(refused).toMatchObject({ code: 'KEY_MISSING', message: expect.stringContaining(message) });
  expect((refused as Error).message).not.toContain(keys.split(':')[1]!);
});
