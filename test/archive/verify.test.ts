import { readFileSync, writeFileSync } from 'node:fs';
import { cp, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { fileRecording } from '../../src/archive/filing.ts';
import { verifyRecordings } from '../../src/archive/verify.ts';
import { wavFacts } from '../../src/archive/wav-facts.ts';
import { renderJob } from '../../src/render/job.ts';
import { wavHeader } from '../../src/render/wav-header.ts';
import { jobIn, talk, tone, writeJournal } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { exampleDocument } from './example-document.ts';

let data: string;
let directory: string;

/** A recording as the recorder files it. */
async function fileOne(id: string): Promise<string> {
  const spool = join(data, 'spool', id);
  await mkdir(spool, { recursive: true });
  writeJournal(join(spool, 'capture.pcapng'), talk({ streamId: 's0', fromMs: 0, toMs: 400, signal: tone(440) }));
  const { audio } = renderJob(jobIn(spool, [{ streamId: 's0' }]));
  const { sampleRateHz, channels, durationMs, octets, sha256 } = audio!;
  const example = exampleDocument({ id });
  const document = exampleDocument({
    id,
    times: { ...example.times, durationMs },
    audio: { sampleRateHz, channels, layout: 'caller-callee' },
    files: [{ name: 'audio.wav', role: 'audio', octets, sha256 }],
  });
  const root = join(data, 'recordings');
  return (await fileRecording(spool, document, { root, nameTemplate: '{start}_{id}', journal: 'always' })).directory;
}

async function problems(): Promise<string[]> {
  const found: string[] = [];
  for await (const { problems } of verifyRecordings(data))
    found.push(...problems.map(({ code, path }) => `${code} ${path}`));
  return found;
}

beforeEach(async () => {
  data = await temporaryDirectory();
  directory = await fileOne('0f1e2d3c-0000-4000-8000-000000000001');
});

const place = 'recordings/2026/01/02/20260102T030405Z_0f1e2d3c';
const inPlace = (name: string) => join(directory, name);

/** Changes recording.json as somebody with an editor would. */
function edit(change: (document: ReturnType<typeof exampleDocument>) => void): void {
  const document = JSON.parse(readFileSync(inPlace('recording.json'), 'utf8'));
  change(document);
  writeFileSync(inPlace('recording.json'), JSON.stringify(document));
}

describe('verifyRecordings', () => {
  test('what was filed is right', async () => {
    expect(await problems()).toEqual([]);
    const all: object[] = [];
    for await (const verified of verifyRecordings(data)) all.push(verified);
    expect(all).toMatchObject([{ directory, document: { id: '0f1e2d3c-0000-4000-8000-000000000001' } }]);
  });

  test('no recordings, no problems', async () => {
    await rm(join(data, 'recordings'), { recursive: true });
    expect(await problems()).toEqual([]);
  });

  test('one octet changed', async () => {
    const audio = readFileSync(inPlace('audio.wav'));
    audio[audio.length - 5]! ^= 1;
    writeFileSync(inPlace('audio.wav'), audio);
    expect(await problems()).toEqual([`file-changed ${place}/audio.wav`]);
  });

  test('a file cut short', async () => {
    await truncate(inPlace('capture.pcapng'), 1000);
    await truncate(inPlace('audio.wav'), 1000);
    expect(await problems()).toEqual([`file-changed ${place}/audio.wav`, `file-changed ${place}/capture.pcapng`]);
  });

  test('a file deleted', async () => {
    await rm(inPlace('audio.wav'));
    expect(await problems()).toEqual([`file-missing ${place}/audio.wav`]);
  });

  test('a document that is no longer one, or is gone', async () => {
    writeFileSync(inPlace('recording.json'), '{"version":1}');
    expect(await problems()).toEqual([`document-unreadable ${place}/recording.json`]);
    await rm(inPlace('recording.json'));
    expect(await problems()).toEqual([`document-unreadable ${place}/recording.json`]);
  });

  test('a document that names files elsewhere is not followed', async () => {
    edit((document) => {
      document.files[1]!.name = '../../../../../etc/passwd';
    });
    expect(await problems()).toContain(`document-unreadable ${place}/recording.json`);
  });

  test('a document that tells another length or format', async () => {
    edit((document) => {
      document.times.durationMs += 5;
    });
    expect(await problems()).toEqual([`audio-wrong ${place}/audio.wav`]);
    edit((document) => {
      document.audio!.channels = 1;
    });
    expect(await problems()).toEqual([`audio-wrong ${place}/audio.wav`]);
    edit((document) => {
      document.audio = null;
    });
    expect(await problems()).toEqual([`audio-wrong ${place}`]);
  });

  test('what does not belong there', async () => {
    await writeFile(inPlace('audio.wav.part'), '');
    await writeFile(inPlace('annotations.json'), '{}');
    await writeFile(join(dirname(directory), 'notes.txt'), '');
    expect(await problems()).toEqual([
      `leftover ${place}/audio.wav.part`,
      `not-a-recording recordings/2026/01/02/notes.txt`,
    ]);
  });

  test('the same recording twice, and in the wrong day', async () => {
    await cp(directory, `${directory}_2`, { recursive: true });
    expect(await problems()).toEqual([`id-repeated ${place}_2`]);
    await mkdir(join(data, 'recordings/2026/01/03'));
    await rename(`${directory}_2`, join(data, 'recordings/2026/01/03/other'));
    expect(await problems()).toEqual(['wrong-day recordings/2026/01/03/other', `id-repeated ${place}`]);
  });
});

describe('wavFacts', () => {
  test('of files beyond 4 GiB, without having one', () => {
    const frames = 2 ** 31;
    const head = Buffer.from(wavHeader({ sampleRateHz: 16_000, channels: 2, frames, info: { INAM: 'long' } }));
    const facts = { coding: 'pcm', sampleRateHz: 16_000, channels: 2, durationMs: frames / 16 };
    expect(wavFacts(head, head.length + frames * 4)).toEqual(facts);
    expect(() => wavFacts(head, head.length + frames * 4 - 2)).toThrow('octets');
  });

  test('cut anywhere it throws a sentence', () => {
    const head = Buffer.from(wavHeader({ sampleRateHz: 8000, channels: 1, frames: 0, info: {} }));
    expect(wavFacts(head, head.length).durationMs).toBe(0);
    for (let cut = 0; cut < head.length; cut++) expect(() => wavFacts(head.subarray(0, cut), cut)).toThrow(Error);
  });
});
