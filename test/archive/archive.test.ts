import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createArchive } from '../../src/archive/archive.ts';
import { type JournalPolicy, journalIsNeeded } from '../../src/archive/filing.ts';
import { listRecordings } from '../../src/archive/list.ts';
import { lockDirectory } from '../../src/archive/lock.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { SESSION_STATE_VERSION, type SessionState } from '../../src/recording/session-state.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { exampleDocument } from './example-document.ts';

const ID = '0f1e2d3c-0000-4000-8000-000000000001';
const OTHER_ID = '0f1e2d3c-0000-4000-8000-000000000002';

async function openArchive(data: string, journal: JournalPolicy = 'always') {
  const archive = createArchive({
    spoolDirectory: data,
    archiveDirectory: data,
    nameTemplate: '{start}_{id}',
    journal,
    log: silentLog,
  });
  await archive.prepare();
  return archive;
}

function stateOf(
  recordingId: string,
  paths: { directory: string; journalPath: string; audioPath: string },
): SessionState {
  return {
    version: SESSION_STATE_VERSION,
    recordingId,
    source: 'siprec',
    phase: 'sealed',
    endReason: 'ended',
    ...paths,
    startMs: 1,
    endMs: 2,
    clock: null,
    startWallMs: 1,
    call: {
      participants: [],
      identifiers: { sipCallId: 'c', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
      statedStartMs: null,
      extraHeaders: [],
    },
    streams: [],
    events: [],
    metadata: [],
    warnings: [],
    peer: null,
    statistics: null,
    door: null,
  };
}

/** A session in the spool as it stands just before it is filed. */
async function sealedSession(archive: Awaited<ReturnType<typeof openArchive>>, recordingId = ID) {
  const paths = await archive.createSession(recordingId);
  const state = stateOf(recordingId, paths);
  await archive.saveSession(state);
  await writeFile(paths.journalPath, 'journal bytes');
  await writeFile(paths.audioPath, 'audio bytes');
  return state;
}

describe('filing', () => {
  test('moves everything to its day, with the journal fingerprinted, and empties the spool', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    const { directory, document } = await archive.file(await sealedSession(archive), exampleDocument());
    expect(directory).toBe(join(data, 'recordings/2026/01/02/20260102T030405Z_0f1e2d3c'));
    expect((await readdir(directory)).sort()).toEqual(['audio.wav', 'capture.pcapng', 'recording.json']);
    expect(document.files).toEqual([
      {
        name: 'capture.pcapng',
        role: 'journal',
        octets: 13,
        sha256: '6c75b21b37c62d405bc2a0a6e43308723e8ddd4838923c8bfbd94c81646ff3a2',
      },
    ]);
    expect(JSON.parse(await readFile(join(directory, 'recording.json'), 'utf8'))).toEqual(document);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  });

  test("a second recording of the same name gets a number, never the first one's place", async () => {
    const archive = await openArchive(await temporaryDirectory());
    const first = await archive.file(await sealedSession(archive), exampleDocument());
    const second = await archive.file(await sealedSession(archive, OTHER_ID), exampleDocument());
    expect(second.directory).toBe(`${first.directory}_2`);
  });

  test.each([
    { why: 'all is in the audio', policy: 'when-needed', over: {}, kept: false },
    { why: 'policy says always', policy: 'always', over: {}, kept: true },
    { why: 'no decoder', policy: 'when-needed', over: { state: 'not-renderable' as const, audio: null }, kept: true },
  ] as const)('the journal: $why', async ({ policy, over, kept }) => {
    const archive = await openArchive(await temporaryDirectory(), policy);
    const { directory } = await archive.file(await sealedSession(archive), exampleDocument(over));
    expect(existsSync(join(directory, 'capture.pcapng'))).toBe(kept);
  });

  test.each([
    ['all is in the audio', {}, false],
    ['a codec without decoder', { undecodable: 7 }, true],
    ['packets that came too late for their place', { late: 2 }, true],
    ['packets that no key opened', { srtp: { undecrypted: 1 } }, true],
    ['a stream that was not rendered', { rendered: false }, true],
    ['a stream without a packet', { rendered: false, packets: 0 }, false],
  ])('the audio needs its journal: %s', (_, over, needed) => {
    const stream = { packets: 100, rendered: true, undecodable: 0, late: 0, ...over };
    const streams = [stream] as unknown as RecordingDocument['streams'];
    expect(journalIsNeeded({ state: 'finished', streams })).toBe(needed);
  });

  test('a crash between completion and move is finished at the next start', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    const { directory } = await archive.createSession(ID);
    await writeFile(join(directory, 'recording.json'), JSON.stringify(exampleDocument()));
    await openArchive(data);
    expect(existsSync(join(data, 'recordings/2026/01/02/20260102T030405Z_0f1e2d3c/recording.json'))).toBe(true);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  });
});

describe('the spool', () => {
  test('saves follow each other, and the last state wins', async () => {
    const archive = await openArchive(await temporaryDirectory());
    const state = stateOf(ID, await archive.createSession(ID));
    const saves: Promise<void>[] = [];
    for (let endMs = 0; endMs < 20; endMs++) saves.push(archive.saveSession({ ...state, endMs }));
    await Promise.all(saves);
    expect((await archive.unfinishedSessions())[0]?.endMs).toBe(19);
  });

  test('a state that cannot be written is STORAGE_FAILED', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    const state = stateOf(ID, await archive.createSession(ID));
    await mkdir(join(data, 'spool', ID, 'session.json.part'));
    await expect(archive.saveSession(state)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('a half-written session.json with a journal is set aside, told once, and does not stop the others', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    await sealedSession(archive);
    const broken = join(data, 'spool', OTHER_ID);
    await mkdir(broken);
    await writeFile(join(broken, 'session.json'), '{"version":1,"recordingI');
    await writeFile(join(broken, 'capture.pcapng'), Buffer.alloc(1000, 7));
    for (let start = 0; start < 2; start++) {
      expect((await archive.unfinishedSessions()).map((state) => state.recordingId)).toEqual([ID]);
    }
    expect(await readdir(join(data, 'quarantine', OTHER_ID))).toEqual(['capture.pcapng', 'session.json']);
    expect(await readdir(join(data, 'spool'))).toEqual([ID]);
  });

  test('a session that a crash cut off before its first packet is removed', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    const { journalPath } = await archive.createSession(ID);
    await writeFile(journalPath, Buffer.alloc(60));
    await archive.createSession(OTHER_ID);
    expect(await archive.unfinishedSessions()).toEqual([]);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
    expect(existsSync(join(data, 'quarantine'))).toBe(false);
  });

  test('a moved data directory brings its paths up to date', async () => {
    const data = await temporaryDirectory();
    const archive = await openArchive(data);
    await archive.saveSession({ ...(await sealedSession(archive)), journalPath: '/somewhere/else.pcapng' });
    expect((await archive.unfinishedSessions())[0]?.journalPath).toBe(join(data, 'spool', ID, 'capture.pcapng'));
  });

  test('a name that is not a recording id never becomes a path', async () => {
    const archive = await openArchive(await temporaryDirectory());
    await expect(async () => archive.createSession('../outside')).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  test('a data directory that cannot be written is an error with a code', async () => {
    const data = await temporaryDirectory();
    await writeFile(join(data, 'spool'), 'a file where the directory should be');
    const archive = createArchive({
      spoolDirectory: data,
      archiveDirectory: data,
      nameTemplate: '{id}',
      journal: 'always',
      log: silentLog,
    });
    await expect(archive.createSession(ID)).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('listing', () => {
  test('newest first across days, unreadable ones told and passed over', async () => {
    const data = await temporaryDirectory();
    for (const [day, start] of [
      ['2026/01/02', '2026-01-02T03:04:05.000Z'],
      ['2026/01/02', '2026-01-02T09:00:00.000Z'],
      ['2025/12/31', '2025-12-31T23:59:59.000Z'],
    ] as const) {
      const directory = join(data, 'recordings', day, start);
      await mkdir(directory, { recursive: true });
      const document = exampleDocument({ times: { ...exampleDocument().times, start } });
      await writeFile(join(directory, 'recording.json'), JSON.stringify(document));
    }
    const bad = join(data, 'recordings/2026/01/02/bad');
    await mkdir(bad);
    await writeFile(join(bad, 'recording.json'), '{}');
    const told: string[] = [];
    const starts: string[] = [];
    for await (const { document } of listRecordings(data, (directory) => told.push(directory))) {
      starts.push(document.times.start);
    }
    expect(starts).toEqual(['2026-01-02T09:00:00.000Z', '2026-01-02T03:04:05.000Z', '2025-12-31T23:59:59.000Z']);
    expect(told).toEqual([bad]);
  });

  test('an empty or absent directory lists nothing', async () => {
    for await (const _ of listRecordings('/nonexistent/sipreel')) expect.unreachable();
  });
});

describe('the lock', () => {
  test('one process at a time; a lock left by a dead process is taken over', async () => {
    const data = await temporaryDirectory();
    const release = await lockDirectory(data);
    await expect(lockDirectory(data)).rejects.toMatchObject({ code: 'STORAGE_IN_USE' });
    await release();
    await writeFile(join(data, 'lock'), '999999999 123');
    await (await lockDirectory(data))();
    await writeFile(join(data, 'lock'), `${process.pid} 1`);
    await (await lockDirectory(data))();
  });
});
