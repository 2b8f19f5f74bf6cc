// Rules and pauses with mod_oreka, which cannot be asked to stop sending: judged on the journal and by ear.
import { randomUUID } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pause, resume } from '../../src/commands/live.ts';
import { parseHostPort } from '../../src/config/addresses.ts';
import { readJournal } from '../journal/read-journal.ts';
import { replayOrekaCall } from '../peers/oreka-replayer.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { type RecorderHere, recordHere } from './recorder-here.ts';

const HEARD_DB = -25;
const SILENT_DB = -60;
/** Below the captures' ports. */
const PORTS = ['--rtp-ports', '11000-11999'];

async function serveWith(
  rule: string,
): Promise<{ data: string; server: RecorderHere; to: { host: string; port: number } }> {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  await writeFile(config, `rules: {list: [${rule}]}\n`);
  const server = recordHere(data, '--config', config, ...PORTS);
  const { oreka } = (await server.line('ready')) as unknown as { oreka: string[] };
  return { data, server, to: parseHostPort(oreka[0]!)! };
}

const FROM = { capture: 'normal', sourceHost: '127.0.0.1', mediaHost: '127.0.0.41' } as const;

test('a card number in a call of mod_oreka, with a rule that says how long the call is kept', async () => {
  const { data, server, to } = await serveWith(
    '{ when: { source: oreka }, do: record, keepDays: 7, tags: [freeswitch] }',
  );
  const callId = randomUUID();
  const played = replayOrekaCall({ ...FROM, to, callId, portOffset: 400 });
  await server.line('recording started');
  await sleep(600);
  expect(await pause([callId, '--data', data, '--reason', 'card number'])).toBe(0);
  await sleep(700);
  expect(await resume([callId, '--data', data])).toBe(0);
  await played;

  const [filed] = await filedRecordings(data, 1);
  const { document, directory } = filed!;
  expect(document).toMatchObject({ rule: { number: 1 }, retention: { keepDays: 7 }, tags: ['freeswitch'] });
  const [begun, ended] = ['paused', 'resumed'].map((type) => document.timeline.filter((event) => event.type === type));
  expect([begun!.length, ended!.length]).toEqual([2, 2]);
  const [fromMs, toMs] = [Date.parse(begun![0]!.time), Date.parse(ended![0]!.time)];
  const { packets } = readJournal(join(directory, 'capture.pcapng'));
  const media = packets.filter(({ payload }) => !/SIP\/2\.0/.test(payload));
  expect(media.filter(({ timeMs }) => timeMs > fromMs + 2 && timeMs < toMs - 2)).toEqual([]);
  expect(media.some(({ timeMs }) => timeMs > toMs)).toBe(true);

  const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
  const [startMs, endMs] = [begun![0]!.offsetMs, ended![0]!.offsetMs];
  const level = (fromOffsetMs: number, toOffsetMs: number) =>
    toneLevel(channels[0]!, sampleRateHz, 440, fromOffsetMs, toOffsetMs);
  expect(level(startMs - 400, startMs - 100)).toBeGreaterThan(HEARD_DB);
  expect(level(startMs + 50, endMs - 50)).toBeLessThan(SILENT_DB);
  expect(level(endMs + 200, endMs + 500)).toBeGreaterThan(HEARD_DB);
});

test('calls of mod_oreka that a rule discards leave nothing', async () => {
  const { data, server, to } = await serveWith('{ when: { source: oreka }, do: discard, because: not wanted }');
  await replayOrekaCall({ ...FROM, to, portOffset: 420 });
  expect(await server.line('a call was discarded by a rule')).toMatchObject({ rule: 1, because: 'not wanted' });
  await expect.poll(() => readdir(join(data, 'spool'))).toEqual([]);
  expect(await readdir(join(data, 'recordings'))).toEqual([]);
});
