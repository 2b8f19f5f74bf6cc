// A capture thread that lives and does nothing: noticed, replaced, and its calls go on like those of a dead one.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readJournal } from '../journal/read-journal.ts';
import { captureThreads, hang } from '../support/capture-threads.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { newSender, noteEvents, onEachReceiver, startCapture, streamSpec, until } from './capture-under-test.ts';
import { rtp } from './packets.ts';

/** Workers report once a second, on a busy machine later. */
const SILENCE_LIMIT_MS = 2500;

onEachReceiver('a worker hangs', () => {
  test('in an endless loop: its call goes on in another one, on its port, in its file; the others notice nothing', async () => {
    const { capture, journalPath } = await startCapture({ workers: 2, silenceLimitMs: SILENCE_LIMIT_MS });
    const threads = [...captureThreads];
    const [one, two] = await Promise.all(
      ['r0', 'r1'].map(async (id) => {
        const events = noteEvents();
        const session = await capture.open(id, journalPath(id), events);
        const { rtpPort } = await session.addStream(streamSpec('s0'));
        return { session, events, rtpPort, path: journalPath(id), worker: session.worker! };
      }),
    );
    const sender = await newSender();
    const say = async (seq: number) => {
      for (const { rtpPort } of [one!, two!]) await sender.send(rtp({ seq }), rtpPort);
    };
    await say(0);
    await until('on disk', () => [one!, two!].every(({ path }) => readJournal(path).packets.length === 1));
    expect(one!.worker).not.toBe(two!.worker);
    const hungMs = Date.now();
    hang(threads[0]!, 'for ever');
    // Whichever of the two it had.
    await until('resumed', () => [one!, two!].some(({ events }) => events.told.at(-1)?.what === 'resumed'), 10_000);
    const [hung, other] = one!.events.told.length > 0 ? [one!, two!] : [two!, one!];
    expect(hung.events.told.map(({ what }) => what)).toEqual(['interrupted', 'resumed']);
    // The loss begins with the last word of the worker, not with the end of its thread.
    expect(hung.events.told[0]!.atMs).toBeLessThan(hungMs + 250);
    expect(other.events.told).toEqual([]);
    await say(1);
    await Promise.all([one!, two!].map(({ session }) => session.seal()));
    for (const { path } of [one!, two!]) expect(readJournal(path).packets).toHaveLength(2);
    expect(capture.health().deaths).toBe(1);
    expect(capture.load().hangingWorkers).toBe(0);
  });
});

test('in a system call: shown, replaced for new calls, and its call goes on as soon as the call returns', async () => {
  const { capture, journalPath } = await startCapture({ workers: 1, silenceLimitMs: SILENCE_LIMIT_MS });
  const fifo = join(await temporaryDirectory(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const [thread] = captureThreads;
  const events = noteEvents();
  const session = await capture.open('r0', journalPath('r0'), events);
  const { rtpPort } = await session.addStream(streamSpec('s0'));
  const free = () => closeSync(openSync(fifo, 'r+'));
  onTestFinished(free);
  hang(thread!, { fifo });
  await until('shown', () => capture.load().hangingWorkers === 1, 10_000);
  const sender = await newSender();
  const next = await capture.open('r1', journalPath('r1'), noteEvents());
  const { rtpPort: nextPort } = await next.addStream(streamSpec('s0'));
  await sender.send(rtp({ seq: 0 }), nextPort);
  expect(await next.seal()).toMatchObject({ s0: { packets: 1 } });
  expect(events.told).toEqual([]);

  free();
  await until('resumed', () => events.told.at(-1)?.what === 'resumed', 10_000);
  await sender.send(rtp({ seq: 0 }), rtpPort);
  expect(await session.seal()).toMatchObject({ s0: { packets: 1 } });
  expect(capture.load().hangingWorkers).toBe(0);
});
