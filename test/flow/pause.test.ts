// Pauses by the command line, judged on what is heard and on what the journal holds: with clients that obey, that answer and
// go on sending, and that refuse.
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { live, pause, resume, stop } from '../../src/commands/live.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { readJournal } from '../journal/read-journal.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';
import { serve, serveAgain } from './serve-process.ts';

const HEARD_DB = -13;
const SILENT_DB = -60;

const eventsOf = ({ timeline }: RecordingDocument, ...types: string[]) =>
  timeline.filter(({ type }) => types.includes(type));

function listen(directory: string) {
  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  return (side: 'left' | 'right', fromMs: number, toMs: number) =>
    toneLevel(channels[side === 'left' ? 0 : 1]!, sampleRateHz, side === 'left' ? 440 : 880, fromMs, toMs);
}

async function order(command: typeof pause, ...args: string[]): Promise<void> {
  expect(await command(args)).toBe(0);
}

test('a card payment, with a client that obeys, one that sends on, and one that refuses to pause', async () => {
  const data = await temporaryDirectory();
  const server = recordHere(data);
  const client = await testClient();
  const port = await server.sipPort('udp');
  const kinds = ['followed', 'ignored', 'refused'] as const;
  const calls = new Map<string, (typeof kinds)[number]>();
  await Promise.all(
    kinds.map(async (recorderRequests) => {
      const session = await client.connect({ ...toneCall(port), recorderRequests });
      calls.set(session.callId, recorderRequests);
      await sleep(800);
      await order(pause, session.callId, '--data', data, '--reason', 'card number');
      await sleep(200);
      session.sendDtmf('0', '4111');
      await session.info('Signal=7\r\nDuration=100\r\n', 'application/dtmf-relay');
      await sleep(1_200);
      await order(resume, session.callId, '--data', data);
      await sleep(1_000);
      await session.bye();
    }),
  );
  for (const { document, directory } of await filedRecordings(data, kinds.length)) {
    const kind = calls.get(document.call.sipCallId);
    const paused = eventsOf(document, 'paused');
    const resumed = eventsOf(document, 'resumed');
    expect(paused.map(({ by, reason, channel }) => ({ by, reason, channel }))).toEqual([
      { by: 'cli', reason: 'card number', channel: 0 },
      { by: 'cli', reason: 'card number', channel: 1 },
    ]);
    expect(resumed).toHaveLength(2);
    expect(eventsOf(document, 'dtmf')).toEqual([]);

    const fromMs = Date.parse(paused[0]!.time);
    const toMs = Date.parse(resumed[0]!.time);
    const { packets } = readJournal(join(directory, 'capture.pcapng'));
    const between = packets.filter(({ timeMs }) => timeMs > fromMs + 2 && timeMs < toMs - 2);
    expect(between.filter(({ payload }) => !payload.includes('SIP/2.0'))).toEqual([]);
    expect(between.filter(({ payload }) => /^INFO |CSeq: \d+ INFO/m.test(payload))).toEqual([]);
    expect(packets.filter(({ payload }) => payload.includes('Signal='))).toEqual([]);

    const level = listen(directory);
    const [startMs, endMs] = [paused[0]!.offsetMs, resumed[0]!.offsetMs];
    for (const side of ['left', 'right'] as const) {
      expect(level(side, 100, startMs - 100)).toBeGreaterThan(HEARD_DB);
      expect(level(side, startMs + 50, endMs - 50)).toBeLessThan(SILENT_DB);
      expect(level(side, endMs + 300, endMs + 800)).toBeGreaterThan(HEARD_DB);
    }
    expect(document.warnings.some(({ code }) => code === 'pause-not-followed')).toBe(kind === 'refused');
    const dropped = document.streams.map(({ drops }) => Object.values(drops).reduce((sum, count) => sum + count, 0));
    if (kind !== 'followed') for (const count of dropped) expect(count).toBeGreaterThan(40);
  }
});

test('one stream, one party, then the end, by order', async () => {
  const data = await temporaryDirectory();
  const server = recordHere(data);
  const client = await testClient();
  const session = await client.connect(toneCall(await server.sipPort('tcp'), 'tcp'));
  const shown: string[] = [];
  const print = vi.spyOn(console, 'log').mockImplementation((line) => void shown.push(String(line)));
  whenTestEnds(() => print.mockRestore());
  await sleep(600);
  await order(live, '--json', '--data', data);
  const running = JSON.parse(shown.join('')) as {
    recordingId: string;
    streams: { streamId: string; channel: number }[];
  };
  const right = running.streams.find(({ channel }) => channel === 1)!.streamId;
  const id = running.recordingId.slice(0, 8);
  await order(pause, id, '--stream', right, '--data', data);
  await sleep(600);
  await order(resume, id, '--stream', right, '--data', data);
  await order(pause, id, '--party', 'alice', '--data', data);
  await sleep(600);
  await order(live, '--data', data);
  expect(shown.at(-1)).toMatch(/left paused/);
  await expect(pause(['nobody', '--data', data])).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(pause([id, '--party', 'eve', '--data', data])).rejects.toThrow('It has no party eve, but Alice');
  await order(stop, id, '--reason', 'caller objected', '--data', data);
  expect(await session.ended).toMatchObject({ by: 'remote-bye' });

  const [filed] = await filedRecordings(data, 1);
  const { document, directory } = filed!;
  expect(document.endReason).toBe('stopped');
  expect(eventsOf(document, 'ended')[0]?.detail).toBe('stopped by cli: caller objected');
  const [streamPause, partyPause] = eventsOf(document, 'paused');
  const [streamResume] = eventsOf(document, 'resumed');
  expect([streamPause?.channel, partyPause?.channel]).toEqual([1, 0]);
  const level = listen(directory);
  const [a, b, c] = [streamPause!.offsetMs, streamResume!.offsetMs, partyPause!.offsetMs];
  expect(level('left', a + 50, b - 50)).toBeGreaterThan(HEARD_DB);
  expect(level('right', a + 50, b - 50)).toBeLessThan(SILENT_DB);
  expect(level('left', c + 50, c + 500)).toBeLessThan(SILENT_DB);
  expect(level('right', c + 300, c + 500)).toBeGreaterThan(HEARD_DB);
});

test('a pause outlives a killed recorder, with a client that sends on', async () => {
  const data = await temporaryDirectory();
  const first = serve(data);
  const client = await testClient();
  const call = toneCall(await first.sipPort('udp'));
  const session = await client.connect({ ...call, recorderRequests: 'ignored' });
  await sleep(700);
  await order(pause, session.callId, '--data', data);
  first.kill('SIGKILL');
  await first.exited;
  const second = await serveAgain(first);
  await second.line('ready');
  await sleep(600);
  await order(resume, session.callId, '--data', data);
  await sleep(900);
  await session.bye();

  const [filed] = await filedRecordings(data, 1);
  const { document, directory } = filed!;
  const [paused] = eventsOf(document, 'paused');
  const [resumed] = eventsOf(document, 'resumed');
  const { packets } = readJournal(join(directory, 'capture.pcapng'));
  const [fromMs, toMs] = [Date.parse(paused!.time) + 2, Date.parse(resumed!.time) - 2];
  const between = packets.filter(
    ({ timeMs, payload }) => timeMs > fromMs && timeMs < toMs && !/SIP\/2\.0/.test(payload),
  );
  expect(between).toEqual([]);
  const level = listen(directory);
  expect(level('left', paused!.offsetMs + 50, resumed!.offsetMs - 50)).toBeLessThan(SILENT_DB);
  expect(level('left', resumed!.offsetMs + 300, resumed!.offsetMs + 700)).toBeGreaterThan(HEARD_DB);
});
