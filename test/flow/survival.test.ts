// What is on disk after the process ends, in order or not.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ListedRecording } from '../../src/archive/list.ts';
import type { CallParty } from '../../src/client/call-plan.ts';
import { playOrekaCall } from '../../src/client/oreka-call.ts';
import { parseHostPort } from '../../src/config/addresses.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readWav, silentBetween, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { ServeProcess, serve, serveAgain } from './serve-process.ts';

/** Both tones in their channels from 100 ms on until `toMs`. */
function expectTones(path: string, toMs: number): void {
  const { channels, sampleRateHz } = readWav(path);
  expect(toneLevel(channels[0]!, sampleRateHz, 440, 100, toMs)).toBeGreaterThan(-13);
  expect(toneLevel(channels[1]!, sampleRateHz, 880, 100, toMs)).toBeGreaterThan(-13);
}

/** Both tones in their channels before the restart and for 600 ms after it, nothing meanwhile. */
function expectTonesAroundRestart({ directory, document }: ListedRecording): void {
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  const restart = document.timeline.find(({ type }) => type === 'restart')!;
  const back = restart.offsetMs + restart.durationMs!;
  for (const [channel, hz] of [440, 880].entries()) {
    const level = (fromMs: number, toMs: number) => toneLevel(channels[channel]!, sampleRateHz, hz, fromMs, toMs);
    expect(level(100, restart.offsetMs - 20)).toBeGreaterThan(-13);
    expect(silentBetween(channels[channel]!, sampleRateHz, restart.offsetMs + 40, back - 40)).toBe(true);
    expect(level(back + 100, back + 700)).toBeGreaterThan(-13);
  }
}

/** Several starts and calls in real time, on a machine that may be busy with others. */
const PATIENCE = { timeout: 60_000 };

describe('kill -9', PATIENCE, () => {
  test.each(['udp', 'tcp'] as const)(
    'the call goes on over %s: same ports, same dialog, same recording',
    async (transport) => {
      const data = await temporaryDirectory();
      const first = serve(data);
      const client = await testClient();
      const session = await client.connect(toneCall(await first.sipPort(transport), transport));
      const addresses = session.answer.map(({ destination }) => destination);
      await sleep(1_500);
      first.kill('SIGKILL');
      expect((await first.exited).signal).toBe('SIGKILL');
      expect(await readdir(join(data, 'recordings'))).toEqual([]);

      const second = await serveAgain(first);
      expect(await second.line('ready')).toMatchObject({ recovered: 0, resumed: 1 });
      await sleep(1_000);
      expect((await session.refresh()).status).toBe(200);
      expect(session.answer.map(({ destination }) => destination)).toEqual(addresses);
      expect((await session.update()).status).toBe(200);
      expect((await session.hold('0')).status).toBe(200);
      expect((await session.resume('0')).status).toBe(200);
      await sleep(300);
      await session.bye();
      expect((await session.ended).reason).toBe('ended with BYE');

      const [recording, ...others] = await filedRecordings(data, 1);
      expect(others).toEqual([]);
      expect(recording!.document).toMatchObject({
        state: 'finished',
        endReason: 'ended',
        warnings: [],
        call: { sipCallId: session.callId },
      });
      const restart = recording!.document.timeline.find(({ type }) => type === 'restart')!;
      // What a flush had not written yet is the start of the gap; the rest is the time without a process.
      expect(restart.offsetMs).toBeGreaterThan(1_500 - 350);
      expectTonesAroundRestart(recording!);
      expect(await readdir(join(data, 'spool'))).toEqual([]);
    },
  );

  test('our BYE ends the restored dialog: SIGTERM twice after the restart', async () => {
    const data = await temporaryDirectory();
    const first = serve(data);
    const client = await testClient();
    const session = await client.connect(toneCall(await first.sipPort('udp')));
    await sleep(700);
    first.kill('SIGKILL');
    await first.exited;
    const second = await serveAgain(first);
    await second.line('ready');
    await sleep(500);
    second.kill('SIGTERM');
    await second.line('draining: new calls are refused');
    second.kill('SIGTERM');
    expect(await session.ended).toMatchObject({ by: 'remote-bye' });
    expect(await second.exited).toEqual({ code: 0, signal: null });
  });

  test('a mod_oreka call goes on, and its BYEs end it', async () => {
    const data = await temporaryDirectory();
    const first = serve(data);
    const { oreka } = (await first.line('ready')) as unknown as { oreka: string[] };
    const [caller, callee] = toneCall(0).parties as [CallParty, CallParty];
    const hangUp = new AbortController();
    const played = playOrekaCall({
      ...{ recorder: parseHostPort(oreka[0]!)!, localHost: '127.0.0.1', caller, callee, clock: systemClock },
      ...{ durationMs: 60_000, signal: hangUp.signal },
    });
    await sleep(1_200);
    first.kill('SIGKILL');
    await first.exited;
    const second = await serveAgain(first);
    expect(await second.line('ready')).toMatchObject({ recovered: 0, resumed: 1 });
    await sleep(800);
    hangUp.abort();
    const { callId } = await played;
    const [recording, ...others] = await filedRecordings(data, 1);
    expect(others).toEqual([]);
    expect(recording!.document).toMatchObject({
      ...{ source: 'oreka', state: 'finished', endReason: 'ended', call: { sipCallId: callId }, warnings: [] },
    });
    expectTonesAroundRestart(recording!);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  });

  test('a call that ended meanwhile is finished up to the last quarter of a second', async () => {
    const data = await temporaryDirectory();
    const first = serve(data);
    const client = await testClient();
    const session = await client.connect(toneCall(await first.sipPort('udp')));
    await sleep(2_000);
    first.kill('SIGKILL');
    await first.exited;
    // Its BYE is not heard by anybody.
    void session.bye();
    await sleep(1_200);
    const configuration = join(data, 'short.yaml');
    await writeFile(configuration, 'limits:\n  inactivitySeconds: 1\n');
    const second = await serveAgain(first, '--config', configuration);
    expect(await second.line('ready')).toMatchObject({ recovered: 1, resumed: 0 });
    const [recording] = await filedRecordings(data, 1);
    expect(recording!.document).toMatchObject({ state: 'finished', endReason: 'interrupted' });
    expect(recording!.document.times.durationMs).toBeGreaterThan(1_700);
    expectTones(join(recording!.directory, 'audio.wav'), 1_700);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  });
});

describe('SIGTERM', PATIENCE, () => {
  test('drains: new calls get 503, the running one ends as it likes, then the process goes', async () => {
    const data = await temporaryDirectory();
    const server = serve(data);
    const port = await server.sipPort('udp');
    const client = await testClient();
    const session = await client.connect(toneCall(port));
    await sleep(500);
    server.kill('SIGTERM');
    await server.line('draining: new calls are refused');
    await expect(client.connect(toneCall(port))).rejects.toMatchObject({ ended: 'refused', response: { status: 503 } });
    await sleep(1_000);
    await session.bye();
    expect(await server.exited).toEqual({ code: 0, signal: null });
    const [recording] = await filedRecordings(data, 1);
    expect(recording!.document).toMatchObject({ state: 'finished', endReason: 'ended' });
    expectTones(join(recording!.directory, 'audio.wav'), 1_400);
  });

  test('twice: ends the call at once, whole on disk, and the client is told', async () => {
    const data = await temporaryDirectory();
    const server = serve(data);
    const client = await testClient();
    const session = await client.connect(toneCall(await server.sipPort('tcp'), 'tcp'));
    await sleep(1_500);
    server.kill('SIGTERM');
    await server.line('draining: new calls are refused');
    server.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
    expect(await session.ended).toMatchObject({ by: 'remote-bye' });

    const next = serve(data);
    await next.line('ready');
    const [recording] = await filedRecordings(data, 1);
    expect(recording!.document).toMatchObject({ state: 'finished', endReason: 'stopped' });
    expectTones(join(recording!.directory, 'audio.wav'), 1_300);
  });
});

describe('a start that cannot work says why', PATIENCE, () => {
  const startup = async (...args: string[]) => {
    const data = await temporaryDirectory();
    const process = new ServeProcess(['--data', data, '--oreka', 'off', '--http', 'off', ...args]);
    const { code } = await process.exited;
    return { code, text: [...process.log.map((line) => line.msg), ...process.noise].join('\n') };
  };

  test('the address is taken', async () => {
    const other = serve(await temporaryDirectory());
    const port = await other.sipPort('udp');
    const { code, text } = await startup('--sip', `udp:127.0.0.1:${port}`, '--rtp-ports', '20000-20999');
    expect(code).toBe(71);
    expect(text).toMatch(`127.0.0.1:${port}`);
  });

  test('the data directory is in use by another process', async () => {
    const data = await temporaryDirectory();
    const first = serve(data);
    await first.line('ready');
    const second = serve(data);
    expect((await second.exited).code).toBe(75);
    expect(second.log.at(-1)?.msg).toMatch(/already recording into/);
  });

  test('the data directory is a file', async () => {
    const { code, text } = await startup('--data', '/dev/null/x', '--sip', 'udp:127.0.0.1:0');
    expect(code).toBe(74);
    expect(text).toMatch('/dev/null/x');
  });

  test('mistakes in the configuration are all listed', async () => {
    const { code, text } = await startup('--rtp-ports', '9', '--media-address', 'nowhere');
    expect(code).toBe(78);
    expect(text).toMatch('rtp.ports');
    expect(text).toMatch('rtp.mediaAddress');
  });

  test('no drachtio server, or the wrong secret', async () => {
    const { code, text } = await startup('--drachtio', '127.0.0.1:1');
    expect(code).toBe(78);
    expect(text).toMatch('drachtio.secret');
  });

  test('an unknown option', async () => {
    const { code, text } = await startup('--recrod');
    expect(code).toBe(64);
    expect(text).toMatch('--recrod');
  });
});
