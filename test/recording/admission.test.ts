import { beforeEach, describe, expect, test } from 'vitest';
import { ERROR_CATALOGUE } from '../../src/lib/errors.ts';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { Admission } from '../../src/recording/admission.ts';
import type { CaptureLoad, StorageSpace } from '../../src/recording/engines.ts';
import { refusalForCode } from '../../src/siprec/sip-status.ts';
import { ManualClock } from '../support/manual-clock.ts';

const GIB = 2 ** 30;
const limits = { maxRecordings: 200, floorMiB: 512, floorPercent: 1, reservePerRecordingMiB: 10 };

let clock: ManualClock;
let load: CaptureLoad;
let spool: StorageSpace;
let archive: StorageSpace;
let active: number;
let unfinished: number;
let spaceFails: Error | null;
let lines: { level: string; msg: string; refused?: number }[];
let admission: Admission;

beforeEach(async () => {
  clock = new ManualClock();
  load = {
    portPairs: 1000,
    freePortPairs: 1000,
    lagMs: 0,
    queueShare: 0,
    failingJournals: 0,
    hangingWorkers: 0,
    writeLagMs: 0,
  };
  spool = { freeOctets: 50 * GIB, totalOctets: 100 * GIB, freeInodes: 1_000_000 };
  archive = { ...spool };
  active = unfinished = 0;
  spaceFails = null;
  lines = [];
  const write = (level: string) => (fields: object, msg: string) => lines.push({ level, msg, ...fields });
  admission = new Admission({
    limits,
    activeRecordings: () => active,
    unfinishedRecordings: () => unfinished,
    captureLoad: () => load,
    space: async () => {
      if (spaceFails) throw spaceFails;
      return { spool, archive };
    },
    clock,
    log: { ...silentLog, info: write('info'), warn: write('warn') } as unknown as Log,
  });
  await admission.start();
});

const settle = () => new Promise((resolve) => setImmediate(resolve));
/** A second passes: the disk is measured. */
async function second(): Promise<void> {
  clock.advance(1_000);
  await settle();
}

test('an idle recorder takes calls', () => {
  expect(admission.refusal()).toBeNull();
  expect(admission.readiness()).toMatchObject({ ready: true, reasons: [] });
});

describe('refuses and accepts again', () => {
  test.each<[string, string, () => void, () => void, () => void]>([
    [
      'as many recordings as allowed',
      'TOO_MANY_RECORDINGS',
      () => (active = 200),
      () => (active = 199),
      () => (active = 198),
    ],
    [
      'no ports',
      'NO_PORTS',
      () => (load.freePortPairs = 11),
      () => (load.freePortPairs = 21),
      () => (load.freePortPairs = 22),
    ],
    [
      'the disk does not take journals',
      'STORAGE_FAILED',
      () => (load.failingJournals = 1),
      () => (load.failingJournals = 1),
      () => (load.failingJournals = 0),
    ],
    [
      'packets wait for the disk',
      'CAPTURE_BEHIND',
      () => (load.queueShare = 0.25),
      () => (load.queueShare = 0.11),
      () => (load.queueShare = 0.1),
    ],
    [
      'a capture worker is late',
      'CAPTURE_BEHIND',
      () => (load.lagMs = 1_000),
      () => (load.lagMs = 201),
      () => (load.lagMs = 200),
    ],
    [
      'no capture worker',
      'CAPTURE_BEHIND',
      () => (load.lagMs = Number.POSITIVE_INFINITY),
      () => (load.lagMs = 201),
      () => (load.lagMs = 0),
    ],
  ])('%s', (_, code, tooMuch, between, enough) => {
    between();
    if (code !== 'STORAGE_FAILED') expect(admission.refusal()).toBeNull();
    tooMuch();
    expect(admission.refusal()).toBe(code);
    between();
    expect(admission.refusal()).toBe(code);
    enough();
    expect(admission.refusal()).toBeNull();
  });

  test.each(['spool', 'archive'] as const)('little space where the %s is', async (place) => {
    const space = () => (place === 'spool' ? spool : archive);
    // One percent of 100 GiB is more than 512 MiB.
    space().freeOctets = GIB;
    await second();
    expect(admission.refusal()).toBe('STORAGE_LOW');
    expect(admission.readiness().reasons[0]?.message).toMatch(`${place}FreeMiB 1024, again at `);
    space().freeOctets = 1.1 * GIB;
    await second();
    expect(admission.refusal()).toBe('STORAGE_LOW');
    space().freeOctets = 1.2 * GIB;
    await second();
    expect(admission.refusal()).toBeNull();
  });

  test('every running recording keeps space for itself', async () => {
    spool.freeOctets = 2 * GIB;
    await second();
    expect(admission.refusal()).toBeNull();
    active = 103;
    expect(admission.refusal()).toBe('STORAGE_LOW');
  });

  test('no inodes, and a file system that does not count them', async () => {
    archive.freeInodes = 100;
    await second();
    expect(admission.refusal()).toBe('STORAGE_LOW');
    archive.freeInodes = null;
    await second();
    expect(admission.refusal()).toBeNull();
  });

  test('a file system that is gone, and one that does not answer', async () => {
    spaceFails = new Error('ENODEV: no such device');
    await second();
    expect(admission.refusal()).toBe('STORAGE_FAILED');
    expect(admission.readiness().reasons[0]?.message).toMatch('no such device');
    spaceFails = null;
    await second();
    expect(admission.refusal()).toBeNull();

    let answer = () => {};
    const hanging = new Admission({
      limits,
      activeRecordings: () => 0,
      unfinishedRecordings: () => 0,
      captureLoad: () => load,
      space: () => new Promise((resolve) => (answer = () => resolve({ spool, archive }))),
      clock,
      log: silentLog,
    });
    const started = hanging.start();
    clock.advance(3_000);
    expect(hanging.refusal()).toBe('STORAGE_FAILED');
    answer();
    await started;
    expect(hanging.refusal()).toBeNull();
    hanging.close();
  });

  test('a main thread that is late again and again, but not one that paused once', async () => {
    const nowMs = clock.nowMs.bind(clock);
    let shiftMs = 0;
    clock.nowMs = () => nowMs() + shiftMs;
    const late = (ms: number) => {
      shiftMs += ms;
      clock.advance(100);
    };
    late(5_000);
    await new Promise(setImmediate);
    expect(admission.refusal()).toBeNull();
    for (let i = 0; i < 5; i++) {
      late(550);
      // The file system answers in between.
      await new Promise(setImmediate);
    }
    expect(admission.refusal()).toBe('OVERLOADED');
    clock.advance(1_000);
    expect(admission.refusal()).toBeNull();
  });
});

test('mod_oreka brings its own ports', () => {
  load.freePortPairs = 0;
  expect(admission.refusal('announced')).toBeNull();
  active = 200;
  expect(admission.refusal('announced')).toBe('TOO_MANY_RECORDINGS');
});

test('a backlog of rendering and workers that hang are shown and refuse nobody', () => {
  unfinished = 100_000;
  load.hangingWorkers = 1;
  expect(admission.refusal()).toBeNull();
  expect(admission.readiness().gauges.slice(-2)).toMatchObject([
    { name: 'unfinishedRecordings', value: 100_000 },
    { name: 'hangingWorkers', value: 1 },
  ]);
});

test('draining comes before every other reason, and stays', () => {
  active = 200;
  admission.drain();
  expect(admission.refusal()).toBe('DRAINING');
  expect(admission.readiness()).toMatchObject({
    ready: false,
    reasons: [{ code: 'DRAINING', message: ERROR_CATALOGUE.DRAINING }, { code: 'TOO_MANY_RECORDINGS' }],
  });
});

test('one line in the log when the state changes, however many are refused', async () => {
  active = 200;
  for (let i = 0; i < 1_000; i++) admission.countRefused();
  await second();
  for (let i = 0; i < 500; i++) admission.countRefused();
  await second();
  // Whoever only asks, as a load balancer does, was refused nothing.
  for (let i = 0; i < 500; i++) admission.refusal();
  active = 100;
  await second();
  await second();
  expect(lines.map(({ level, msg, refused }) => [level, msg, refused])).toEqual([
    ['warn', 'new recordings are refused', undefined],
    ['info', 'new recordings are taken again', 1_500],
  ]);
});

test('closed, it leaves no timer', () => {
  admission.close();
  expect(clock.pendingTimers).toBe(0);
});

test('every reason is a 503 in words that says when to come back', () => {
  const codes = [
    'DRAINING',
    'STORAGE_FAILED',
    'STORAGE_LOW',
    'TOO_MANY_RECORDINGS',
    'NO_PORTS',
    'CAPTURE_BEHIND',
    'OVERLOADED',
  ] as const;
  for (const code of codes) {
    const { status, headers } = refusalForCode(code);
    expect([code, status]).toEqual([code, 503]);
    expect(Number(headers['Retry-After'])).toBeGreaterThan(0);
    expect(headers.Warning).toBe(`399 sipreel "${ERROR_CATALOGUE[code]}"`);
  }
});
