// kill -9 around the 200: who was answered has a recording, whatever had reached the disk by then.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings, loopbackArguments } from './logged-recorder.ts';
import { ServeProcess, serveAgain } from './serve-process.ts';

// Two processes start in each.
vi.setConfig({ testTimeout: 60_000 });

const PRELOAD = new URL('../support/last-session-write.ts', import.meta.url).href;

/** A recorder whose session.json stays as it was written for the `writes`-th time. */
async function servedUntil(writes: number) {
  const data = await temporaryDirectory();
  const environment = { NODE_OPTIONS: `--import ${PRELOAD}`, SESSION_WRITES: String(writes) };
  const first = new ServeProcess(loopbackArguments(data, []), environment);
  onTestFinished(async () => {
    first.kill('SIGKILL');
    await first.exited;
  });
  const call = toneCall(await first.sipPort('udp'));
  const killAndServeAgain = async (configured: string) => {
    first.kill('SIGKILL');
    await first.exited;
    const configuration = join(data, 'next.yaml');
    await writeFile(configuration, configured);
    const second = await serveAgain(first, '--config', configuration);
    await second.line('ready');
    return second;
  };
  return { data, call, killAndServeAgain, client: await testClient() };
}

test('no answer leaves before session.json is there', async () => {
  const { client, call } = await servedUntil(0);
  await expect(client.connect(call)).rejects.toMatchObject({ ended: 'refused', response: { status: 503 } });
});

test.each([1, 2])('killed behind write %i of session.json: the call goes on in its recording', async (writes) => {
  const { data, client, call, killAndServeAgain } = await servedUntil(writes);
  const session = await client.connect(call);
  await sleep(500);
  const next = await killAndServeAgain('shutdown:\n  drainSeconds: 0\n');
  await sleep(700);
  next.kill('SIGTERM');
  await next.exited;
  void session.bye();
  const [recording, ...others] = await filedRecordings(data, 1);
  expect(others).toEqual([]);
  expect(recording!.document.call.sipCallId).toBe(session.callId);
  const { channels, sampleRateHz } = readWav(join(recording!.directory, 'audio.wav'));
  const restart = recording!.document.timeline.find(({ type }) => type === 'restart')!;
  const back = restart.offsetMs + restart.durationMs!;
  for (const [channel, hz] of [440, 880].entries())
    expect(toneLevel(channels[channel]!, sampleRateHz, hz, back + 100, back + 500)).toBeGreaterThan(-13);
  expect(await readdir(join(data, 'spool'))).toEqual([]);
});

test('killed right behind the answer, nothing comes any more: there is a recording of it', async () => {
  const { data, client, call, killAndServeAgain } = await servedUntil(1);
  const session = await client.connect(call);
  void session.bye();
  await killAndServeAgain('limits:\n  inactivitySeconds: 1\n');
  const [recording, ...others] = await filedRecordings(data, 1);
  expect(others).toEqual([]);
  expect(recording!.document.call.sipCallId).toBe(session.callId);
  expect(recording!.document.warnings.map(({ code }) => code)).toContain('answer-unknown');
});
