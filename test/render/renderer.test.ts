// The render engine with its threads: results, queue, abort, crash, close.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import type { RenderJob } from '../../src/recording/engines.ts';
import { renderJob } from '../../src/render/job.ts';
import { createRenderer } from '../../src/render/renderer.ts';
import { jobIn, type SyntheticPacket, talk, tone, writeJournal } from '../support/synthetic-journal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { TWO } from './rendered.ts';

const FAILING_WORKER = new URL('./failing-worker.ts', import.meta.url);

let renderer: ReturnType<typeof createRenderer>;

beforeEach(() => {
  renderer = createRenderer({ log: silentLog, concurrency: 1 });
});

afterEach(() => renderer.close());

const shortCall = talk({ streamId: 's0', fromMs: 0, toMs: 1000, signal: tone(440) });
let longCall: SyntheticPacket[] | undefined;

/** Enough packets that the job cannot be done before the test has acted. */
function manyPackets(): SyntheticPacket[] {
  longCall ??= Array.from({ length: 400_000 }, (_, i) => ({
    ...shortCall[i % 50]!,
    arrivalMs: i * 20,
    sequenceNumber: i,
    rtpTime: i * 160,
  }));
  return longCall;
}

/** Waits until the second pass of the job has begun to write. */
async function writing({ audioPath }: RenderJob): Promise<void> {
  while (!existsSync(`${audioPath}.part`)) await new Promise((resolve) => setImmediate(resolve));
}

async function newJob(packets: SyntheticPacket[], info: Record<string, string> = {}) {
  const directory = await temporaryDirectory();
  const job = jobIn(directory, TWO, { info });
  writeJournal(job.journalPath, packets);
  return job;
}

test('a job gives the same in a thread as in this one', async () => {
  const job = await newJob(shortCall);
  const here = renderJob(job);
  expect(await renderer.render(job)).toEqual(here);
  expect(here.audio).not.toBeNull();
});

test('many jobs are carried out one after the other, and at the same time', async () => {
  const jobs = await Promise.all(Array.from({ length: 6 }, () => newJob(shortCall)));
  for (const concurrency of [1, 3]) {
    await using two = {
      renderer: createRenderer({ log: silentLog, concurrency }),
      [Symbol.asyncDispose]: () => two.renderer.close(),
    };
    const results = await Promise.all(jobs.map((job) => two.renderer.render(job)));
    expect(results.map(({ audio }) => audio?.durationMs)).toEqual([1000, 1000, 1000, 1000, 1000, 1000]);
  }
});

test('no journal, no directory: the error carries the system’s code', async () => {
  const directory = await temporaryDirectory();
  await expect(renderer.render(jobIn(directory, TWO))).rejects.toMatchObject({ code: 'ENOENT' });
  const job = await newJob(shortCall);
  const elsewhere = { ...job, audioPath: join(directory, 'missing', 'audio.wav') };
  await expect(renderer.render(elsewhere)).rejects.toMatchObject({ code: 'ENOENT' });
  await mkdir(`${job.audioPath}.part`);
  await expect(renderer.render(job)).rejects.toMatchObject({ code: 'EISDIR' });
});

test('abort: before, while waiting, while running; no half file stays', async () => {
  const job = await newJob(manyPackets());
  await expect(renderer.render(job, AbortSignal.abort('before'))).rejects.toBe('before');

  const [running, waiting] = [new AbortController(), new AbortController()];
  const first = renderer.render(job, running.signal);
  const second = renderer.render(await newJob(shortCall), waiting.signal);
  await writing(job);
  waiting.abort('while waiting');
  await expect(second).rejects.toBe('while waiting');
  running.abort('while running');
  await expect(first).rejects.toBe('while running');
  expect([existsSync(job.audioPath), existsSync(`${job.audioPath}.part`)]).toEqual([false, false]);

  // The thread is free again.
  expect((await renderer.render(await newJob(shortCall))).audio).not.toBeNull();
});

test.each(['throws', 'exits'])('a worker that %s takes only its own job with it', async (ending) => {
  await renderer.close();
  renderer = createRenderer({ log: silentLog, concurrency: 1, workerUrl: FAILING_WORKER });
  const [bad, good] = [await newJob(shortCall, { INAM: ending }), await newJob(shortCall)];
  const [badResult, goodResult] = await Promise.allSettled([renderer.render(bad), renderer.render(good)]);
  expect(badResult).toMatchObject({
    status: 'rejected',
    reason: { message: ending === 'throws' ? 'thrown on purpose' : 'The render thread ended with code 7.' },
  });
  expect(goodResult).toMatchObject({ status: 'fulfilled', value: { audio: { durationMs: 1000 } } });
  expect(existsSync(`${bad.audioPath}.part`)).toBe(false);
});

test('close: running and waiting jobs reject, nothing is left behind, later ones reject too', async () => {
  const job = await newJob(manyPackets());
  const jobs = [renderer.render(job), renderer.render(await newJob(shortCall))];
  const settled = Promise.allSettled(jobs);
  await writing(job);
  await renderer.close();
  for (const result of await settled) {
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { message: 'The renderer was closed before the job was done.' },
    });
  }
  expect([existsSync(job.audioPath), existsSync(`${job.audioPath}.part`)]).toEqual([false, false]);
  await expect(renderer.render(job)).rejects.toThrow('The renderer is closed.');
  await renderer.close();
});
