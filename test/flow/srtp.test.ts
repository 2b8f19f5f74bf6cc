// Encrypted calls (SDES, RFC 4568) to the recorder as its users start it, judged by what stands in the WAV.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ListedRecording } from '../../src/archive/list.ts';
import type { RecordingSession } from '../../src/client/recording-session.ts';
import { JournalReader } from '../../src/journal/reader.ts';
import { readRtcp } from '../../src/rtp/rtcp.ts';
import { SRTP_SUITES, type SrtpSuite } from '../../src/rtp/srtp/suites.ts';
import { readWav, silentBetween, toneLevel } from '../support/listen.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings } from './logged-recorder.ts';
import { startHere } from './recorder-here.ts';

const SUITES = Object.keys(SRTP_SUITES) as SrtpSuite[];

const data = await mkdtemp(join(tmpdir(), 'sipreel-srtp-'));
const server = startHere(data);
let port: number;

beforeAll(async () => {
  port = await server.sipPort('udp');
});

afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true, force: true });
});

/** Those of these calls, in the same order, once they are filed. */
async function recordingsOf(sessions: RecordingSession[]): Promise<ListedRecording[]> {
  filed += sessions.length;
  const recordings = await filedRecordings(data, filed);
  return sessions.map(({ callId }) => recordings.find(({ document }) => document.call.sipCallId === callId)!);
}
let filed = 0;

function channels({ directory }: ListedRecording) {
  const { channels: heard, sampleRateHz, durationMs } = readWav(join(directory, 'audio.wav'));
  return { left: heard[0]!, right: heard[1]!, sampleRateHz, durationMs };
}

/** Alice's tone on the left and Bob's on the right, all the time, and neither on the other side. */
function expectBothTones(recording: ListedRecording): void {
  const { left, right, sampleRateHz, durationMs } = channels(recording);
  expect(durationMs).toBeGreaterThan(900);
  // A machine that is busy with other tests may lose a moment of the sender's time; a wrong key would lose all.
  const level = (channel: Int16Array, hz: number) => toneLevel(channel, sampleRateHz, hz, 50, durationMs - 50);
  expect(level(left, 440)).toBeGreaterThan(-15);
  expect(level(right, 880)).toBeGreaterThan(-15);
  expect(level(left, 880)).toBeLessThan(-40);
  expect(level(right, 440)).toBeLessThan(-40);
}

/** Keys and salts that were exchanged, as SDP has them. */
const keysOf = (session: RecordingSession): string[] =>
  [...session.offered.flatMap(({ crypto = [] }) => crypto), ...session.answer.map(({ crypto }) => crypto!.config)]
    .flatMap((text) => [...text.matchAll(/inline:([^|;\s]+)/g)])
    .map(([, key]) => key!);

function* filesBelow(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

test('every suite: both parties are heard, RTCP too; keys are in session.json while the call runs, and nowhere else', {
  timeout: 30_000,
}, async () => {
  const client = await testClient();
  const sessions = await Promise.all(
    SUITES.map((suite) => client.connect({ ...toneCall(port), srtp: { suite }, reportIntervalMs: 300 })),
  );
  await sleep(1_200);
  const keys = sessions.flatMap(keysOf);
  expect(new Set(keys).size).toBe(4 * SUITES.length);
  for (const id of await readdir(join(data, 'spool'))) {
    expect(statSync(join(data, 'spool', id, 'session.json')).mode & 0o777).toBe(0o600);
  }
  await Promise.all(sessions.map((session) => session.bye()));
  const recordings = await recordingsOf(sessions);
  sessions.forEach((session, index) => {
    const recording = recordings[index]!;
    expect(recording.document).toMatchObject({ state: 'finished', warnings: [] });
    recording.document.streams.forEach((stream, at) => {
      const { packetsSent } = session.streams[at]!;
      expect(stream).toMatchObject({ packets: packetsSent, lost: 0, codecs: ['PCMU/8000'], drops: {} });
      expect(stream.srtp).toEqual({ suites: [SUITES[index]], undecrypted: 0 });
      expect(stream.rtcpPackets).toBeGreaterThan(1);
    });
    expectBothTones(recording);
  });

  const log = server.log.map((line) => JSON.stringify(line)).join('\n') + server.noise.join('\n');
  const kept = [...filesBelow(data)].map((path) => readFileSync(path));
  expect(kept.length).toBeGreaterThan(3 * SUITES.length);
  for (const key of keys) {
    expect(log).not.toContain(key);
    const octets = Buffer.from(key, 'base64');
    for (const file of kept) {
      expect(file.includes(key)).toBe(false);
      expect(file.includes(octets)).toBe(false);
      expect(file.includes(octets.toString('hex'))).toBe(false);
    }
  }
  // The messages themselves are there, with everything else that they said.
  const journal = readFileSync(join(recordings[0]!.directory, 'capture.pcapng'), 'latin1');
  expect(journal).toMatch(/a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\*{40}\r\n/);
});

test('keys change in the call: a re-INVITE with fresh ones, the other of two that MKIs tell apart, another phone’s', {
  timeout: 30_000,
}, async () => {
  const client = await testClient();
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const call = toneCall(port);
  const [rekeyed, switched, crossed, bestEffort] = await Promise.all([
    client.connect({ ...call, srtp: { suite } }),
    client.connect({ ...call, srtp: { suite: 'AEAD_AES_128_GCM', mki: true } }),
    client.connect({ ...call, srtp: { suite: 'AES_256_CM_HMAC_SHA1_80', keys: 'crossed' } }),
    client.connect({ ...call, srtp: { suite, protocol: 'RTP/AVP' } }),
  ]);
  await sleep(500);
  const answered = rekeyed.answer.map(({ crypto }) => crypto);
  const offered = rekeyed.offered[0]!.crypto;
  await rekeyed.rekey('0');
  expect(rekeyed.offered[0]!.crypto).not.toEqual(offered);
  expect(rekeyed.answer.map(({ crypto }) => crypto)).toEqual(answered);
  switched.switchKey('1');
  await sleep(600);
  await rekeyed.rekey('1');
  await sleep(300);
  const sessions = [rekeyed, switched, crossed, bestEffort];
  await Promise.all(sessions.map((session) => session.bye()));
  const recordings = await recordingsOf(sessions);
  for (const [index, session] of sessions.entries()) {
    const recording = recordings[index]!;
    expect(recording.document).toMatchObject({ state: 'finished', warnings: [] });
    recording.document.streams.forEach((stream, at) => {
      expect(stream).toMatchObject({ packets: session.streams[at]!.packetsSent, lost: 0, drops: {} });
    });
    expectBothTones(recording);
  }
});

test('a wrong key: the packets are kept encrypted, the recording says so, and the other party is whole', {
  timeout: 30_000,
}, async () => {
  const client = await testClient();
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const [half, none] = await Promise.all([
    client.connect({ ...toneCall(port), srtp: { suite, keys: ['offered', 'unknown'] } }),
    client.connect({ ...toneCall(port), srtp: { suite, keys: 'unknown' }, reportIntervalMs: 300 }),
  ]);
  await sleep(1_100);
  await Promise.all([half.bye(), none.bye()]);
  const [halfRecording, noneRecording] = (await recordingsOf([half, none])) as [ListedRecording, ListedRecording];

  const sent = half.streams[1]!.packetsSent;
  expect(halfRecording.document).toMatchObject({
    state: 'finished',
    streams: [
      { packets: half.streams[0]!.packetsSent, rendered: true, srtp: { undecrypted: 0 }, drops: {} },
      { packets: 0, rendered: false, srtp: { undecrypted: sent }, drops: { srtpAuth: sent } },
    ],
    warnings: [
      { code: 'srtp-not-decrypted', message: expect.stringMatching(`^Stream s1 .*: ${sent} packets could not`) },
    ],
    files: [{ name: 'audio.wav' }, { name: 'capture.pcapng' }],
  });
  const { left, right, sampleRateHz, durationMs } = channels(halfRecording);
  expect(toneLevel(left, sampleRateHz, 440, 100, 900)).toBeGreaterThan(-13);
  expect(silentBetween(right, sampleRateHz, 0, durationMs, 0)).toBe(true);
  expect(packetsByInterface(halfRecording)).toMatchObject({ s0: half.streams[0]!.packetsSent, 's1-encrypted': sent });

  expect(noneRecording.document).toMatchObject({ state: 'not-renderable', files: [{ name: 'capture.pcapng' }] });
  for (const [at, stream] of noneRecording.document.streams.entries()) {
    const { undecrypted } = stream.srtp!;
    expect(undecrypted).toBeGreaterThan(none.streams[at]!.packetsSent);
    expect(stream).toMatchObject({ packets: 0, rtcpPackets: 0, drops: { srtpAuth: undecrypted } });
  }
});

/** Also checks that what stands on a stream's own interface is plain RTCP, where it is RTCP. */
function packetsByInterface({ directory }: ListedRecording): Record<string, number> {
  const counts: Record<string, number> = {};
  using reader = new JournalReader(join(directory, 'capture.pcapng'));
  while (reader.next()) {
    const { interfaceName: name, buffer, payloadStart, payloadEnd } = reader;
    counts[name] = (counts[name] ?? 0) + 1;
    if (!/^s\d+$/.test(name) || buffer[payloadStart + 1] !== 200) continue;
    expect(readRtcp(buffer, payloadStart, payloadEnd)).toHaveLength(2);
  }
  return counts;
}
