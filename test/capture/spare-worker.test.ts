// The spare capture thread: takes a dead one's calls over at once, and is replaced itself.
import { expect, test } from 'vitest';
import { type Log, silentLog } from '../../src/lib/log.ts';
import { readJournal } from '../journal/read-journal.ts';
import { captureThreads } from '../support/capture-threads.ts';
import { newSender, noteEvents, onEachReceiver, startCapture, streamSpec, until } from './capture-under-test.ts';
import { rtp } from './packets.ts';

/** One worker, its spare and a call. */
async function startWithSpare(log?: Log) {
  const { capture, journalPath } = await startCapture({ spareAfterMs: 0, ...(log && { log }) });
  const spareThere = () => until('a spare', () => capture.health().spares === 1, 10_000);
  await spareThere();
  const events = noteEvents();
  const session = await capture.open('r1', journalPath('r1'), events);
  const { rtpPort } = await session.addStream(streamSpec('s0'));
  const sender = await newSender();
  let seq = 0;
  /** A packet that is on the disk when this resolves. */
  const say = async () => {
    await sender.send(rtp({ seq: seq++ }), rtpPort);
    await until('on disk', () => readJournal(journalPath('r1')).packets.length === seq);
  };
  const resumed = (times: number) =>
    until('resumed', () => events.told.filter(({ what }) => what === 'resumed').length === times, 10_000);
  return {
    capture,
    session,
    events,
    spareThere,
    say,
    resumed,
    workerIds: () => capture.health().workers.map(({ id }) => id),
  };
}

onEachReceiver('a spare worker', () => {
  test('has nothing to do until a worker dies, goes on with its calls, and is replaced', async () => {
    const { capture, session, events, spareThere, say, resumed, workerIds } = await startWithSpare();
    expect(workerIds()).toEqual([1]);
    await say();
    await capture.killWorkerOf('r1');
    await resumed(1);
    // The one that waited, not one that was started for it.
    expect(workerIds()).toEqual([2]);
    await say();
    await spareThere();
    expect(workerIds()).toEqual([2]);
    await capture.killWorkerOf('r1');
    await resumed(2);
    expect(workerIds()).toEqual([3]);
    await say();
    expect(await session.seal()).toMatchObject({ s0: { packets: 1 } });
    expect(events.told.map(({ what }) => what)).toEqual(['interrupted', 'resumed', 'interrupted', 'resumed']);
    expect(capture.health().deaths).toBe(2);
  });
});

test('two workers die one right after the other: the call waits for the next thread and goes on', async () => {
  const { capture, session, events, say, spareThere, resumed } = await startWithSpare();
  await say();
  await capture.killWorkerOf('r1');
  await resumed(1);
  await capture.killWorkerOf('r1');
  await resumed(2);
  await say();
  await spareThere();
  await session.seal();
  expect(events.told.map(({ what }) => what)).toEqual(['interrupted', 'resumed', 'interrupted', 'resumed']);
});

test('a spare that dies is replaced, warned of once per death, and no worker’s death', async () => {
  const told: { level: string; message: string }[] = [];
  const note = (level: string) => (_: unknown, message: string) => void told.push({ level, message });
  const log: Log = { ...silentLog, warn: note('warn'), error: note('error') };
  const { capture, session, events, say, spareThere, workerIds } = await startWithSpare(log);
  for (let deaths = 1; deaths <= 2; deaths++) {
    await [...captureThreads].at(-1)!.terminate();
    await until('told', () => told.length === deaths);
    await spareThere();
  }
  expect(told.map(({ level }) => level)).toEqual(['warn', 'warn']);
  expect(workerIds()).toEqual([1]);
  expect(capture.health().deaths).toBe(0);
  await say();
  await session.seal();
  expect(events.told).toEqual([]);
});
