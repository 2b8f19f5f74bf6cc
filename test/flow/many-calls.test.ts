// 100 calls at once, set up at 10 per second: every one of them whole.
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCampaign } from '../../src/client/campaign.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { serve } from './serve-process.ts';

test('100 calls at once: 100 whole recordings, no lost packet', { timeout: 90_000 }, async () => {
  const data = await temporaryDirectory();
  const server = serve(data);
  const port = await server.sipPort('udp');
  const client = await testClient();
  const request = toneCall(port);
  const sent = new Map<string, number[]>();
  const summary = await runCampaign(
    client,
    {
      calls: 100,
      ratePerSecond: 10,
      plan: () => ({ ...request, durationMs: 12_000 }),
      onOutcome: (outcome) =>
        sent.set(
          outcome.callId!,
          outcome.streams.map((stream) => stream.packetsSent),
        ),
    },
    systemClock,
  );
  expect(summary).toMatchObject({ attempted: 100, answered: 100, failed: {}, sendErrors: 0 });

  const recordings = await filedRecordings(data, 100, 30_000);
  expect(new Set(recordings.map(({ document }) => document.call.sipCallId)).size).toBe(100);
  for (const { document, directory } of recordings) {
    expect(document).toMatchObject({ state: 'finished', endReason: 'ended', warnings: [] });
    expect(document.streams.map((stream) => stream.packets)).toEqual(sent.get(document.call.sipCallId));
    expect(document.streams.map(({ lost, late, duplicate }) => [lost, late, duplicate])).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    const wav = readWav(join(directory, 'audio.wav'));
    const [left, right] = wav.channels as [Int16Array, Int16Array];
    for (let second = 0; second < 11; second++) {
      const level = (channel: Int16Array, hz: number) =>
        toneLevel(channel, 8000, hz, second * 1000 + 100, second * 1000 + 1000);
      expect(level(left, 440)).toBeGreaterThan(-13);
      expect(level(left, 880)).toBeLessThan(-60);
      expect(level(right, 880)).toBeGreaterThan(-13);
      expect(level(right, 440)).toBeLessThan(-60);
    }
  }
  expect(server.log.filter((line) => line.level === 'error')).toEqual([]);
});
