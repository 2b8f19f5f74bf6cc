// A disk that is really full: a small tmpfs under a recorder as its users start it. Mounting takes root, which CI is.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { serve } from './serve-process.ts';

const root = process.getuid?.() === 0;

async function smallDisk(): Promise<string> {
  const directory = join(await temporaryDirectory(), 'small');
  await mkdir(directory);
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]);
  expect(mount.stderr.toString()).toBe('');
  onTestFinished(() => void spawnSync('umount', ['-l', directory]));
  return directory;
}

/** Writes until nothing goes any more. */
function fill(directory: string): void {
  const file = openSync(join(directory, 'filler'), 'a');
  try {
    for (let octets = 1 << 20; octets >= 1; ) {
      try {
        if (writeSync(file, Buffer.alloc(octets)) === 0) octets >>= 1;
      } catch {
        octets >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}

const empty = (directory: string) => rmSync(join(directory, 'filler'));

const NO_FLOOR = 'storage: {floorMiB: 0, floorPercent: 0, reservePerRecordingMiB: 0}\n';

test.skipIf(!root)(
  'running calls outlive a full disk whole, new ones are refused meanwhile',
  { timeout: 60_000 },
  async () => {
    const data = await smallDisk();
    const config = join(await temporaryDirectory(), 'config.yaml');
    await writeFile(config, NO_FLOOR);
    const server = serve(data, '--config', config);
    const port = await server.sipPort('udp');
    const client = await testClient();
    const session = await client.connect(toneCall(port));
    await sleep(1_000);

    fill(data);
    // Journals fail at their next write; the recorder refuses when it has noticed, a second later at the most.
    await server.line('new recordings are refused');
    await expect(client.connect(toneCall(port))).rejects.toMatchObject({ ended: 'refused', response: { status: 503 } });
    await sleep(500);
    empty(data);
    await server.line('new recordings are taken again');
    const next = await client.connect(toneCall(port));
    await sleep(800);

    // The calls end while there is no room for their WAVs.
    fill(data);
    await Promise.all([session.bye(), next.bye()]);
    await sleep(2_000);
    expect(await readdir(join(data, 'recordings'))).toEqual([]);
    expect(server.child.exitCode).toBeNull();
    empty(data);

    const recordings = await filedRecordings(data, 2, 30_000);
    const long = recordings.find(({ document }) => document.call.sipCallId === session.callId)!;
    expect(recordings.map(({ document }) => [document.state, document.endReason])).toEqual([
      ['finished', 'ended'],
      ['finished', 'ended'],
    ]);
    expect(long.document.warnings.map(({ code }) => code)).toContain('journal-write-failed');
    expect(long.document.streams.map(({ lost }) => lost)).toEqual([0, 0]);
    const { channels, sampleRateHz, durationMs } = readWav(join(long.directory, 'audio.wav'));
    expect(durationMs).toBeGreaterThan(2_500);
    for (let atMs = 100; atMs + 200 < durationMs; atMs += 200) {
      expect(toneLevel(channels[0]!, sampleRateHz, 440, atMs, atMs + 200)).toBeGreaterThan(-13);
      expect(toneLevel(channels[1]!, sampleRateHz, 880, atMs, atMs + 200)).toBeGreaterThan(-13);
    }
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  },
);
