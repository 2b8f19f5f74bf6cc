// What is on disk after the process ends, in order or not.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings, ServeProcess, serve } from './serve-process.ts';

/** Both tones in their channels from 100 ms on until `toMs`. */
function expectTones(path: string, toMs: number): void {
  const { channels, sampleRateHz } = readWav(path);
  expect(toneLevel(channels[0]!, sampleRateHz, 440, 100, toMs)).toBeGreaterThan(-13);
  expect(toneLevel(channels[1]!, sampleRateHz, 880, 100, toMs)).toBeGreaterThan(-13);
}

describe('kill -9', () => {
  test('the next start finishes the call up to the last quarter of a second', async () => {
    const data = await temporaryDirectory();
    const first = serve(data);
    const client = await testClient();
    const session = await client.connect(toneCall(await first.sipPort('udp')));
    await sleep(2_000);
    first.kill('SIGKILL');
    const { signal } = await first.exited;
    expect(signal).toBe('SIGKILL');
    void session.bye();
    expect(existsSync(join(data, 'recordings'))).toBe(true);
    expect(await readdir(join(data, 'recordings'))).toEqual([]);

    const second = serve(data);
    expect(await second.line('ready')).toMatchObject({ recovered: 1 });
    const [recording] = await filedRecordings(data, 1);
    expect(recording!.document).toMatchObject({
      state: 'finished',
      endReason: 'interrupted',
      call: { sipCallId: session.callId },
    });
    expect(recording!.document.times.durationMs).toBeGreaterThan(1_700);
    expectTones(join(recording!.directory, 'audio.wav'), 1_700);
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  });
});

describe('SIGTERM', () => {
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

describe('a start that cannot work says why', () => {
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
    expect((await second.exited).code).toBe(74);
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
