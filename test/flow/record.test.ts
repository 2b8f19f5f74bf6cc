// Recordings that we begin: clients that are asked by the command line, and what becomes of it, judged on what is heard.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { record } from '../../src/commands/record.ts';
import { readJournal } from '../journal/read-journal.ts';
import { tonesOf } from '../load/tone-sender.ts';
import { readWav, toneLevel } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { AnsweringClient } from './answering-client.ts';
import { sleep } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { recordHere } from './recorder-here.ts';

const HEARD_DB = -16;
const SILENT_DB = -50;

test('clients that are willing, refuse, offer nothing, end the call, hold it, and vanish', async () => {
  const data = await temporaryDirectory();
  const config = join(data, 'config.yaml');
  const credentials = 'sip: {credentials: [{realm: src.example, user: recorder, secret: s3cret}]}';
  await writeFile(config, `limits: {inactivitySeconds: 2}\n${credentials}\n`);
  await recordHere(data, '--config', config).line('ready');
  const shown: string[] = [];
  const print = vi.spyOn(console, 'log').mockImplementation((line) => void shown.push(String(line)));
  onTestFinished(() => print.mockRestore());
  const ask = async (client: AnsweringClient, ...args: string[]): Promise<string> => {
    expect(await record([client.uri, '--data', data, ...args])).toBe(0);
    return shown.at(-1)!;
  };

  const refuses = await AnsweringClient.open('refuses');
  await expect(ask(refuses)).rejects.toMatchObject({
    code: 'CLIENT_REFUSED',
    message: expect.stringMatching(/603 Decline/),
  });
  const empty = await AnsweringClient.open('offers nothing');
  await expect(ask(empty)).rejects.toMatchObject({ code: 'CLIENT_REFUSED' });
  await empty.until(/^BYE /);
  expect(empty.received.map((line) => line.split(' ')[0])).toEqual(['INVITE', 'ACK', 'BYE']);

  // The one that is ended by us is asked with credentials, twice.
  const [ends, timed, vanishes] = [
    await AnsweringClient.open('willing'),
    await AnsweringClient.open('asks'),
    await AnsweringClient.open('willing'),
  ];
  const ids = { ends: await ask(ends), timed: await ask(timed, '--duration', '1'), vanishes: await ask(vanishes) };
  expect(ends.invite).toMatch(/^Contact: <sip:[^>]+>;\+sip\.srs$/m);
  expect(ends.invite).toMatch(/^Require: siprec$/m);
  await sleep(1_000);
  await vanishes.close();
  await ends.reinvite('inactive', 'Robert');
  await sleep(500);
  await ends.bye();
  await timed.until(/^BYE /);

  const filed = await filedRecordings(data, 3);
  const of = (id: string) => filed.find(({ document }) => document.id === id)!;
  expect(of(ids.ends).document.endReason).toBe('ended');
  expect(of(ids.timed).document.endReason).toBe('max-duration');
  expect(of(ids.vanishes).document.endReason).toBe('abandoned');
  for (const { directory, document } of filed) {
    const { channels, sampleRateHz } = readWav(join(directory, 'audio.wav'));
    const [caller, callee] = tonesOf(0);
    const level = (channel: number, hz: number) => toneLevel(channels[channel]!, sampleRateHz, hz, 200, 700);
    expect([level(0, caller) > HEARD_DB, level(1, callee) > HEARD_DB]).toEqual([true, true]);
    expect([level(0, callee) < SILENT_DB, level(1, caller) < SILENT_DB]).toEqual([true, true]);
    expect(document.participants.map(({ aor }) => aor)).toEqual(['sip:alice@example.com', 'sip:bob@example.com']);
    const { packets } = readJournal(join(directory, 'capture.pcapng'));
    const signalling = packets.map(({ payload }) => payload.split('\r\n')[0]!).filter((line) => /SIP\/2\.0/.test(line));
    expect(signalling.slice(0, 3).map((line) => line.replace(/ sip:.*/, ''))).toEqual([
      'INVITE',
      'SIP/2.0 200 OK',
      'ACK',
    ]);
  }
  const { document } = of(ids.ends);
  expect(document.participants[1]?.name).toBe('Robert');
  expect(document.timeline.filter(({ type }) => type === 'hold')).toHaveLength(2);
});
