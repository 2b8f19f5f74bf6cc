import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { AuditFile } from '../../../src/archive/audit-file.ts';
import { nextDueMs, type RetentionPolicy } from '../../../src/archive/retention/policy.ts';
import { RetentionSweeper } from '../../../src/archive/retention/sweeper.ts';
import { verifyRecordings } from '../../../src/archive/verify.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { RecordingDocument } from '../../../src/recording/document.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { onBothDatabases } from '../index/databases.ts';
import { openLibrary } from '../index/open-library.ts';
import { AUDIO, fileExample, recordingId } from '../library-suite.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const times = (end: string) => ({ start: end, end, audioStart: null, statedStart: null, durationMs: 0 });

onBothDatabases((fresh) => {
  async function archive(policy: RetentionPolicy, startMs = Date.UTC(2026, 0, 10)) {
    const data = await temporaryDirectory();
    const clock = new ManualClock(startMs);
    const address = await fresh();
    const open = (now: RetentionPolicy) =>
      openLibrary(data, address, { clock, keepUntilMs: (document) => nextDueMs(document, now) });
    const { index, keeper, library } = await open(policy);
    const sweeperOf = (now: RetentionPolicy, over: object = {}) =>
      new RetentionSweeper({
        dataDirectory: data,
        policy: now,
        library,
        overdue: (nowMs, limit) => index.overdue('here', nowMs, limit),
        reckon: () => index.reckonDue('here', (document) => nextDueMs(document, now)),
        audit: new AuditFile(data, clock),
        clock,
        log: silentLog,
        ...over,
      });
    const add = async (n: number, over: Partial<RecordingDocument> = {}) => {
      const filed = await fileExample(data, { id: recordingId(n), times: times('2026-01-01T00:00:00.000Z'), ...over });
      await keeper.changing(filed.document, async () => {});
      return filed;
    };
    const left = async () =>
      (await library.search({}, { limit: 100, after: null })).items.map(({ document }) => document.id).sort();
    const audit = async () =>
      (await readFile(join(data, 'audit.jsonl'), 'utf8').catch(() => ''))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
    return { data, clock, keeper, library, sweeper: sweeperOf(policy), sweeperOf, add, left, audit, open };
  }

  test('what is overdue goes with all its files and leaves a line; the rest stays', async () => {
    const { add, sweeper, left, audit, data } = await archive({ keepDays: 30, journalKeepDays: null });
    const gone = await add(1, { retention: { keepDays: 9 } });
    await add(2, { retention: { keepDays: 10 } });
    await add(3);
    expect(await sweeper.sweep()).toBe(1);
    expect(await left()).toEqual([recordingId(2), recordingId(3)]);
    await expect(readdir(gone.directory)).rejects.toThrow('ENOENT');
    expect(await readdir(join(data, 'trash'))).toEqual([]);
    expect(await audit()).toMatchObject([
      { action: 'delete', who: 'retention', recordingId: recordingId(1), detail: expect.stringContaining('9 days') },
    ]);
  });

  test('a hold is stronger, whenever it was set', async () => {
    const { add, sweeper, left, library, data, audit } = await archive({ keepDays: 1, journalKeepDays: null });
    await add(1);
    await library.setHold(recordingId(1), { reason: 'court', by: 'test' });
    const { directory } = await add(2);
    // The index has not heard of this one.
    const hold = { version: 1, tags: [], notes: [], hold: { reason: null, by: 'x', sinceMs: 0 } };
    await writeFile(join(directory, 'annotations.json'), JSON.stringify(hold));
    expect(await sweeper.sweep()).toBe(0);
    expect(await left()).toEqual([recordingId(1), recordingId(2)]);
    expect((await audit()).map(({ recordingId: id }) => id)).not.toContain(recordingId(1));
    expect(await readdir(join(data, 'trash'))).toEqual([]);
    await library.setHold(recordingId(1), null);
    expect(await sweeper.sweep()).toBe(1);
  });

  test('more than a batch, and some that cannot go in front of them', async () => {
    const { add, sweeperOf, left, library } = await archive({ keepDays: 1, journalKeepDays: null });
    const stuck = new Set([recordingId(1), recordingId(2)]);
    for (let n = 1; n <= 7; n++) await add(n, { times: times(new Date(Date.UTC(2026, 0, 1) + n).toISOString()) });
    const failing = {
      get: library.get.bind(library),
      refresh: library.refresh.bind(library),
      emptyTrash: library.emptyTrash.bind(library),
      removeJournal: library.removeJournal.bind(library),
      delete: (id: string) => (stuck.has(id) ? Promise.reject(new Error('EIO')) : library.delete(id)),
    };
    const sweeper = sweeperOf({ keepDays: 1, journalKeepDays: null }, { library: failing, atOnce: 3 });
    expect(await sweeper.sweep()).toBe(5);
    expect(await left()).toEqual([...stuck]);
    stuck.clear();
    expect(await sweeper.sweep()).toBe(2);
  });

  test('shorter and longer settings count from the next sweep on', async () => {
    const { add, sweeperOf, left } = await archive({ keepDays: null, journalKeepDays: null });
    await add(1);
    const before = sweeperOf({ keepDays: null, journalKeepDays: null });
    expect(await before.sweep()).toBe(0);
    // The index still says what the old settings said; nothing goes that the new ones keep.
    const longer = sweeperOf({ keepDays: 100, journalKeepDays: null }, { overdue: async () => [recordingId(1)] });
    expect(await longer.sweep()).toBe(0);
    expect(await left()).toEqual([recordingId(1)]);
    // The index was told of no end at all: it is reckoned anew.
    const shorter = sweeperOf({ keepDays: 2, journalKeepDays: null });
    expect(await shorter.sweep()).toBe(1);
    expect(await left()).toEqual([]);
  });

  test('every hour', async () => {
    const { add, sweeper, left, clock } = await archive(
      { keepDays: 10, journalKeepDays: null },
      Date.UTC(2026, 0, 10, 22),
    );
    onTestFinished(() => sweeper.close());
    await add(1);
    sweeper.start();
    clock.advance(60_000);
    await sweeper.idle();
    expect(await left()).toHaveLength(1);
    clock.advance(HOUR_MS);
    await sweeper.idle();
    expect(await left()).toHaveLength(1);
    clock.advance(HOUR_MS);
    await sweeper.idle();
    expect(await left()).toHaveLength(0);
  });

  test('the journal goes before the audio: not found any more, and nothing is missed', async () => {
    const { add, sweeper, library, data, clock, audit } = await archive({ keepDays: 30, journalKeepDays: 5 });
    const journal = { name: 'capture.pcapng', role: 'journal', octets: 3, sha256: 'a'.repeat(64) } as const;
    const { directory, document } = await add(1);
    await writeFile(join(directory, 'capture.pcapng'), 'abc');
    const written = { ...document, files: [...document.files, journal] };
    await writeFile(join(directory, 'recording.json'), JSON.stringify(written));
    await library.refresh(recordingId(1));
    const open = await library.openFile(recordingId(1), 'journal');
    expect(await sweeper.sweep()).toBe(1);
    expect(await text(open!.read(0, 2))).toBe('abc');
    await open!.close();
    expect(await library.openFile(recordingId(1), 'journal')).toBeNull();
    const audio = await library.openFile(recordingId(1), 'audio');
    expect(await text(audio!.read(0, AUDIO.length - 1))).toBe(AUDIO);
    await audio!.close();
    expect((await library.get(recordingId(1)))!.document.files.map(({ role }) => role)).toEqual(['audio']);
    expect((await readdir(directory)).sort()).toEqual(['audio.wav', 'recording.json', 'removed.json']);
    for await (const { problems } of verifyRecordings(data))
      expect(problems.filter(({ code }) => code !== 'audio-wrong')).toEqual([]);
    expect(await audit()).toMatchObject([{ action: 'delete-journal', who: 'retention' }]);
    expect(await sweeper.sweep()).toBe(0);
    clock.advance(30 * DAY_MS);
    expect(await sweeper.sweep()).toBe(1);
    expect(await library.get(recordingId(1))).toBeNull();
  });
});
