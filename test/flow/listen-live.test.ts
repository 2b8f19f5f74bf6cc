// Running calls heard over HTTP: both sides at their true place, silence while paused, an end; and many ears at once.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pause, resume } from '../../src/commands/live.ts';
import { findLocalApi, type LocalApi } from '../../src/http/local-access.ts';
import { toneLevel } from '../support/listen.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { type RecorderHere, startHere } from './recorder-here.ts';

const HEADER_OCTETS = 44;
const HEARD_DB = -13;
const SILENT_DB = -60;
const LISTENERS = 50;

vi.setConfig({ testTimeout: 40_000, hookTimeout: 70_000 });

let data: string;
let server: RecorderHere;
let port: number;
let api: LocalApi;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sipreel-'));
  server = startHere(data);
  await server.line('ready', 60_000);
  port = await server.sipPort('udp');
  api = (await findLocalApi(data))!;
});

afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true, force: true });
});

/** Everything that is sent until the call ends. */
async function hear(url: string, token: string) {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  const octets = Buffer.from(await answer.arrayBuffer());
  const rateHz = octets.readUInt32LE(24);
  const frames = Math.floor((octets.length - HEADER_OCTETS) / 4);
  const channels = [0, 1].map((channel) =>
    Int16Array.from({ length: frames }, (_, i) => octets.readInt16LE(HEADER_OCTETS + 4 * i + 2 * channel)),
  );
  const level = (channel: number, hz: number, fromMs: number, toMs: number) =>
    toneLevel(channels[channel]!, rateHz, hz, fromMs, toMs);
  return { type: answer.headers.get('content-type'), rateHz, lengthMs: (frames * 1000) / rateHz, level };
}

test('a running call is heard by fifty at once, paused and resumed, and no packet is lost for it', async () => {
  const session = await (await testClient()).connect(toneCall(port));
  const answer = await fetch(`${api.url}/api/live`, { headers: { authorization: `Bearer ${api.token}` } });
  const { items } = (await answer.json()) as { items: { recordingId: string }[] };
  const { recordingId } = items[0]!;
  const heard = Promise.all(
    Array.from({ length: LISTENERS }, () => hear(`${api.url}/api/live/${recordingId}/listen`, api.token)),
  );
  await sleep(2_200);
  expect(await pause([session.callId, '--data', data])).toBe(0);
  await sleep(1_500);
  expect(await resume([session.callId, '--data', data])).toBe(0);
  await sleep(2_200);
  await session.bye();

  const all = await heard;
  for (const { lengthMs } of all) expect(lengthMs).toBeGreaterThan(4_000);
  for (const { type, rateHz, lengthMs, level } of [all[0]!, all.at(-1)!]) {
    expect([type, rateHz]).toEqual(['audio/wav', 8_000]);
    // Each in its own ear, and nobody in the other's.
    const loud = (channel: number, hz: number) =>
      Array.from({ length: Math.floor(lengthMs / 100) - 1 }, (_, i) => level(channel, hz, 100 * i, 100 * i + 100));
    const left = loud(0, 440);
    const right = loud(1, 880);
    expect(left.filter((db) => db > HEARD_DB).length).toBeGreaterThan(20);
    expect(right.filter((db) => db > HEARD_DB).length).toBeGreaterThan(20);
    expect(Math.max(...loud(0, 880), ...loud(1, 440))).toBeLessThan(-40);
    // The pause: a second at least in the middle, silent on both.
    const silent = left.map((db, i) => db < SILENT_DB && right[i]! < SILENT_DB);
    const firstHeard = left.findIndex((db) => db > HEARD_DB);
    const lastHeard = left.findLastIndex((db) => db > HEARD_DB);
    expect(silent.slice(firstHeard, lastHeard).filter(Boolean).length).toBeGreaterThanOrEqual(10);
  }
  const [filed] = await filedRecordings(data, 1);
  for (const stream of filed!.document.streams) {
    // Missing is what was not wanted during the pause, and nothing else.
    const unwanted = Object.values(stream.drops).reduce((sum, count) => sum + count, 0);
    expect(stream.lost).toBeLessThanOrEqual(unwanted);
    expect(stream.kernelDrops ?? 0).toBe(0);
  }
  const audit = (await readFile(join(data, 'audit.jsonl'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(audit.filter(({ action, recordingId: id }) => action === 'listen' && id === recordingId)).toHaveLength(
    LISTENERS,
  );
});

test('whoever watches running calls is told of them, how loud they are, and that they have ended', async () => {
  const watching = new AbortController();
  const answer = await fetch(`${api.url}/api/live/events`, {
    headers: { authorization: `Bearer ${api.token}` },
    signal: watching.signal,
  });
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const told: { event: string; data: Record<string, unknown> }[] = [];
  const reading = (async () => {
    let text = '';
    for await (const chunk of answer.body!) {
      text += Buffer.from(chunk).toString();
      const whole = text.split('\n\n');
      text = whole.pop()!;
      for (const one of whole) {
        const [event, line] = one.split('\n');
        told.push({ event: event!.slice('event: '.length), data: JSON.parse(line!.slice('data: '.length)) });
      }
    }
  })().catch(() => {});
  const session = await (await testClient()).connect(toneCall(port));
  await sleep(2_500);
  await session.bye();
  await sleep(1_500);
  watching.abort();
  await reading;
  const counts = told
    .filter(({ event }) => event === 'calls')
    .map(({ data: { items } }) => (items as unknown[]).length);
  expect([counts[0], Math.max(...counts), counts.at(-1)]).toEqual([0, 1, 0]);
  const levels = told.filter(({ event }) => event === 'levels').flatMap((one) => Object.values(one.data) as number[][]);
  const loud = levels.filter(([left, right]) => left! > -20 && right! > -20);
  expect(loud.length).toBeGreaterThan(3);
});
