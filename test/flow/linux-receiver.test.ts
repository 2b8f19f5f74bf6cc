// The whole recorder on the Linux receiver: what is true of calls must not depend on how datagrams are read.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { linuxReceiverAvailable } from '../../src/capture/linux/availability.ts';
import { parseHostPort } from '../../src/config/addresses.ts';
import { replayOrekaCall } from '../peers/oreka-replayer.ts';
import { readWav, silentBetween, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';

async function linuxServer() {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(config, 'rtp: { receiver: linux }\n');
  return { data, server: recordHere(data, '--config', config) };
}

// CI runs on 64-bit Linux; elsewhere the runner lists these as skipped.
describe.skipIf(!linuxReceiverAvailable().available)('rtp.receiver linux', () => {
  test('a SIPREC call with a hold: every packet, the silence where it was', { timeout: 30_000 }, async () => {
    const { data, server } = await linuxServer();
    const client = await testClient();
    const session = await client.connect(toneCall(await server.sipPort('udp')));
    await sleep(1_500);
    await session.hold('1');
    await sleep(1_500);
    await session.resume('1');
    await sleep(1_500);
    await session.bye();
    const sent = session.streams.map(({ packetsSent }) => packetsSent);
    const [recording] = await filedRecordings(data, 1);
    expect(recording!.document.streams.map(({ packets, lost }) => [packets, lost])).toEqual([
      [sent[0], 0],
      [sent[1], expect.any(Number)],
    ]);
    const { channels, sampleRateHz: rate } = readWav(join(recording!.directory, 'audio.wav'));
    expect(toneLevel(channels[0]!, rate, 440, 100, 4_400)).toBeGreaterThan(-13);
    expect(silentBetween(channels[1]!, rate, 1_650, 2_900)).toBe(true);
    for (const [fromMs, toMs] of [
      [100, 1_400],
      [3_200, 4_400],
    ] as const) {
      expect(toneLevel(channels[1]!, rate, 880, fromMs, toMs)).toBeGreaterThan(-13);
    }
  });

  test('a mod_oreka call on announced ports', { timeout: 30_000 }, async () => {
    const { data, server } = await linuxServer();
    const { oreka } = (await server.line('ready')) as unknown as { oreka: string[] };
    const to = parseHostPort(oreka[0]!)!;
    const plan = { capture: 'xheaders', to, sourceHost: '127.0.0.1', mediaHost: '127.0.0.42', portOffset: 64 } as const;
    const { sent } = await replayOrekaCall(plan);
    const [recording] = await filedRecordings(data, 1);
    const { streams } = recording!.document;
    expect(streams.map(({ lost }) => lost)).toEqual([0, 0]);
    expect(streams[0]!.packets).toBeGreaterThanOrEqual(sent.rx.length - 2);
    expect(streams[1]!.packets).toBeGreaterThanOrEqual(sent.tx.length - 2);
    const { channels, sampleRateHz: rate } = readWav(join(recording!.directory, 'audio.wav'));
    expect(toneLevel(channels[0]!, rate, 440, 200, 2_500)).toBeGreaterThan(-25);
    expect(toneLevel(channels[1]!, rate, 880, 200, 2_500)).toBeGreaterThan(-25);
  });
});
