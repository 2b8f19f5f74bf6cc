// Captured calls of FreeSWITCH's mod_oreka, replayed with their original times: parties, headers, tones, gaps.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ListedRecording } from '../../src/archive/list.ts';
import { runCampaign } from '../../src/client/campaign.ts';
import { parseHostPort } from '../../src/config/addresses.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';
import { ULAW_TO_LINEAR } from '../../src/render/codecs/g711.ts';
import { type OrekaReplay, type OrekaReplayPlan, replayOrekaCall, type SentPacket } from '../peers/oreka-replayer.ts';
import { readWav, silentBetween, toneLevel, toneOnset } from '../support/listen.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { sleep, testClient, toneCall } from './client.ts';
import { filedRecordings, type LoggedRecorder } from './logged-recorder.ts';
import { type RecorderHere, startHere } from './recorder-here.ts';
import { serve } from './serve-process.ts';

const RATE = 8000;
const AUDIBLE_DB = -25;

async function orekaAddress(server: LoggedRecorder) {
  const { oreka } = (await server.line('ready')) as unknown as { oreka: string[] };
  return parseHostPort(oreka[0]!)!;
}

/** The captures' ports lie in 16384–32768; the recorder's own range stays below. */
const PORTS = ['--rtp-ports', '11000-11999'];

/**
 * What is played to one recorder, side by side: a PBX begins one call after the other, but for the last two, which are two PBXs.
 * Each call has announced ports of its own, and those two the same.
 */
const PLANS = {
  mux: { capture: 'mux' },
  xheaders: { capture: 'xheaders' },
  'api-start-stop': { capture: 'api-start-stop' },
  'lost and repeated texts': { capture: 'normal', lose: ['INVITE TX', 'BYE TX'], repeat: ['INVITE RX', 'BYE RX'] },
  ivr: { capture: 'ivr' },
  normal: { capture: 'normal' },
  'late-callee': { capture: 'late-callee' },
  'first PBX': { capture: 'normal', portOffset: 2_000 },
  'second PBX': { capture: 'normal', portOffset: 2_000, mediaHost: '127.0.0.41' },
} as const satisfies Record<string, Partial<OrekaReplayPlan>>;

let data: string;
let server: RecorderHere;
const replays = new Map<string, Promise<OrekaReplay>>();

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'sipreel-test-'));
  server = startHere(data, ...PORTS);
  const to = await orekaAddress(server);
  for (const [index, [name, plan]] of Object.entries(PLANS).entries()) {
    const defaults = { to, sourceHost: '127.0.0.1', mediaHost: '127.0.0.40', portOffset: 4 * (index + 1) };
    const beginMs = 250 * (name === 'second PBX' ? index - 1 : index);
    const replay = sleep(beginMs).then(() => replayOrekaCall({ ...defaults, ...plan }));
    // Rejects in the test that asks for it.
    replay.catch(() => {});
    replays.set(name, replay);
  }
});

afterAll(async () => {
  await server.stop();
  await rm(data, { recursive: true, force: true });
});

/** Its recordings, the newest first, when there are `count`. */
async function replayed(name: keyof typeof PLANS, count = 1) {
  const played = await replays.get(name)!;
  const isIts = ({ document }: ListedRecording) => document.call.sipCallId === played.callId;
  const recordings = (await filedRecordings(data, count, 25_000, isIts)) as [ListedRecording, ...ListedRecording[]];
  expect(recordings).toHaveLength(count);
  return { played, recordings, recording: recordings[0] };
}

const audio = ({ directory }: ListedRecording) => readWav(join(directory, 'audio.wav'));
const level = (samples: Int16Array, hz: number, fromMs: number, toMs: number) =>
  toneLevel(samples, RATE, hz, fromMs, toMs);

/** Every packet that was sent stands where it arrived, and its tone is heard there. */
function expectEachPacketInPlace(samples: Int16Array, hz: number, sent: SentPacket[], zeroMs: number): void {
  for (const [index, { atMs }] of sent.entries()) {
    if (index % 10 !== 5) continue;
    expect(level(samples, hz, atMs - zeroMs - 40, atMs - zeroMs + 40), `packet ${index}`).toBeGreaterThan(AUDIBLE_DB);
  }
}

/** The first sample's time, on the clock that the sent packets' times are on. */
const zeroOf = ({ times }: RecordingDocument) => Date.parse(times.audioStart!);

/**
 * FreeSWITCH sends 4 ms after it has named the port. On a busy test machine a port may be bound some packets too late;
 * nothing is missing later.
 */
function expectWhole({ streams }: RecordingDocument, { sent }: OrekaReplay, missingAtStart = 2): void {
  for (const [index, packets] of [sent.rx, sent.tx].entries()) {
    expect(streams[index]!.lost).toBe(0);
    expect(streams[index]!.packets).toBeGreaterThanOrEqual(packets.length - missingAtStart);
    expect(streams[index]!.packets).toBeLessThanOrEqual(packets.length);
  }
}

describe('one captured call', { timeout: 45_000 }, () => {
  test('normal: the caller left at 440 Hz, the callee right at 880 Hz, from FreeSWITCH and by name', async () => {
    const { played, recording } = await replayed('normal');
    const { document } = recording;
    expect(document).toMatchObject({
      source: 'oreka',
      state: 'finished',
      endReason: 'ended',
      call: {
        sipCallId: played.callId,
        continues: null,
        vendor: { 'freeswitch-address': '127.0.0.40', 'freeswitch-pid': '17277' },
      },
      streams: [
        { label: 'RX', channel: 0, late: 0, drops: {} },
        { label: 'TX', channel: 1, late: 0, drops: {} },
      ],
      warnings: [],
    });
    expectWhole(document, played);
    expect(document.participants.map(({ name, role, channel }) => ({ name, role, channel }))).toEqual([
      { name: 'Alice', role: 'caller', channel: 0 },
      { name: null, role: 'callee', channel: 1 },
      // The BYE names somebody else than the INVITE: who was connected last.
      { name: null, role: 'other', channel: null },
    ]);
    expect(document.participants.map(({ aor }) => aor?.replace(/@.*/, ''))).toEqual([
      'sip:2001',
      'sip:1002',
      'sip:tone880',
    ]);
    const { channels } = audio(recording);
    const zeroMs = zeroOf(document);
    expectEachPacketInPlace(channels[0]!, 440, played.sent.rx, zeroMs);
    expectEachPacketInPlace(channels[1]!, 880, played.sent.tx, zeroMs);
    expect(level(channels[0]!, 880, 500, 5_500)).toBeLessThan(-60);
    expect(level(channels[1]!, 440, 500, 5_500)).toBeLessThan(-60);
  });

  test('ivr: the pause between two prompts stands where it was, though timestamps and sequence hide it', async () => {
    const { played, recording } = await replayed('ivr');
    const [left, right] = audio(recording).channels as [Int16Array, Int16Array];
    const zeroMs = zeroOf(recording.document);
    const after = played.sent.tx.findIndex((packet, i, all) => i > 0 && packet.atMs - all[i - 1]!.atMs > 1_000);
    const gapFromMs = played.sent.tx[after - 1]!.atMs - zeroMs + 20;
    const gapToMs = played.sent.tx[after]!.atMs - zeroMs;
    expect(silentBetween(right, RATE, gapFromMs + 40, gapToMs - 60)).toBe(true);
    expect(level(right, 660, gapFromMs - 400, gapFromMs - 60)).toBeGreaterThan(AUDIBLE_DB);
    const backMs = toneOnset(right, RATE, 660, gapFromMs + 60);
    expect(Math.abs(backMs! - (gapToMs - 20))).toBeLessThan(40);
    expect(level(left, 440, gapFromMs, gapToMs)).toBeGreaterThan(AUDIBLE_DB);
    const gaps = recording.document.timeline.filter((event) => event.type === 'gap');
    expect(gaps).toMatchObject([{ channel: 1, cause: 'silence' }]);
    expect(Math.abs(gaps[0]!.durationMs! - (gapToMs - gapFromMs))).toBeLessThan(60);
  });

  test('late-callee: three seconds of silence on the right, then the callee', async () => {
    const { played, recording } = await replayed('late-callee');
    const [left, right] = audio(recording).channels as [Int16Array, Int16Array];
    // The callee's own first packets are silence: the tone begins with the first loud one.
    const spoken = played.sent.tx.find(({ payload }) =>
      payload.subarray(12).some((code) => Math.abs(ULAW_TO_LINEAR[code]!) > 1_000),
    )!;
    const comesMs = spoken.atMs - zeroOf(recording.document);
    expect(comesMs).toBeGreaterThan(2_900);
    expect(silentBetween(right, RATE, 0, comesMs - 40)).toBe(true);
    expect(Math.abs(toneOnset(right, RATE, 880)! - comesMs)).toBeLessThan(40);
    expect(level(left, 440, 100, 7_900)).toBeGreaterThan(AUDIBLE_DB);
    expect(level(right, 880, comesMs + 100, comesMs + 4_900)).toBeGreaterThan(AUDIBLE_DB);
  });

  test('mux: one channel with both, and it says so', async () => {
    const { recording } = await replayed('mux');
    const wav = audio(recording);
    expect(wav.channels).toHaveLength(1);
    expect(recording.document).toMatchObject({
      audio: { channels: 1, layout: 'mono' },
      streams: [{ label: 'RX', channel: 0, rule: 'mixed-stream' }],
      warnings: [{ code: 'one-stream-only' }],
    });
    for (const hz of [440, 880]) expect(level(wav.channels[0]!, hz, 500, 3_500)).toBeGreaterThan(AUDIBLE_DB);
  });

  test('api-start-stop: stopped and started again: two recordings, the second names the first', async () => {
    const { played, recordings } = await replayed('api-start-stop', 2);
    const [second, first] = recordings;
    expect(first!.document.call).toMatchObject({ sipCallId: played.callId, continues: null });
    expect(second.document.call).toMatchObject({ sipCallId: played.callId, continues: first!.document.id });
    for (const recording of [first!, second]) {
      const { channels, durationMs } = audio(recording);
      expect(level(channels[0]!, 440, 200, durationMs - 200)).toBeGreaterThan(AUDIBLE_DB);
      expect(level(channels[1]!, 880, 200, durationMs - 200)).toBeGreaterThan(AUDIBLE_DB);
    }
  });

  test('xheaders: the dialplan’s own headers, of INVITE and BYE', async () => {
    const { recording } = await replayed('xheaders');
    expect(recording.document.headers).toEqual(
      expect.arrayContaining([
        { name: 'X-Agent-Id', value: '4711' },
        { name: 'X-Customer', value: 'Müller & Co; vip=yes' },
        { name: 'X-Disposition', value: 'sale closed' },
      ]),
    );
  });

  test('texts that are lost or come twice: one truthful recording each', async () => {
    const { recording } = await replayed('lost and repeated texts');
    expect(recording.document.streams).toMatchObject([{ label: 'RX', lost: 0 }]);
    expect(recording.document.warnings).toMatchObject([{ code: 'one-stream-only' }]);
    expect(level(audio(recording).channels[0]!, 440, 200, 5_500)).toBeGreaterThan(AUDIBLE_DB);
  });

  test('two PBXs announce the same ports at the same moment: two clean recordings', async () => {
    const HOSTS = ['127.0.0.40', '127.0.0.41'];
    for (const [index, name] of (['first PBX', 'second PBX'] as const).entries()) {
      const { played: call, recording } = await replayed(name);
      expect(recording.document.call.vendor['freeswitch-address']).toBe(HOSTS[index]);
      expectWhole(recording.document, call);
      expect(recording.document.streams).toMatchObject([{ drops: {} }, { drops: {} }]);
      for (const stream of recording.document.streams) {
        expect(stream.sources).toHaveLength(1);
        expect(stream.sources[0]).toMatch(`${HOSTS[index]}:`);
        expect(stream.ssrcs).toHaveLength(1);
      }
      const { channels } = audio(recording);
      expect(level(channels[0]!, 440, 200, 5_500)).toBeGreaterThan(AUDIBLE_DB);
      expect(level(channels[1]!, 880, 200, 5_500)).toBeGreaterThan(AUDIBLE_DB);
    }
  });

  test('the recorder found nothing to complain about in any of them', async () => {
    for (const name of Object.keys(PLANS)) await replays.get(name);
    expect(server.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });
});

test('50 SIPREC and 50 mod_oreka calls at once in one process: all whole', { timeout: 90_000 }, async () => {
  const data = await temporaryDirectory();
  const server = serve(data, ...PORTS);
  const to = await orekaAddress(server);
  const client = await testClient();
  const request = toneCall(await server.sipPort('udp'));
  const siprec = runCampaign(
    client,
    { calls: 50, ratePerSecond: 10, plan: () => ({ ...request, durationMs: 6_000 }) },
    systemClock,
  );
  // Ten PBXs with five calls each: the same ports on different addresses, and different ports on the same.
  const oreka = Array.from({ length: 50 }, async (_, index) => {
    await sleep(40 * index);
    return replayOrekaCall({
      capture: 'normal',
      to,
      sourceHost: '127.0.0.1',
      mediaHost: `127.0.0.${50 + (index % 10)}`,
      portOffset: 3_000 + 2 * Math.floor(index / 10),
    });
  });
  const calls = await Promise.all(oreka);
  expect(await siprec).toMatchObject({ answered: 50, failed: {} });
  const recordings = await filedRecordings(data, 100, 30_000);
  expect(recordings.filter(({ document }) => document.source === 'siprec')).toHaveLength(50);
  for (const recording of recordings) {
    const { document } = recording;
    const call = calls.find(({ callId }) => callId === document.call.sipCallId);
    expect(document).toMatchObject({ state: 'finished', endReason: 'ended', warnings: [] });
    // A hundred calls begin within two seconds while the runner keeps both cores busy: 200 ms at the most.
    if (call) expectWhole(document, call, 10);
    const { channels } = audio(recording);
    expect(level(channels[0]!, 440, 200, 5_000)).toBeGreaterThan(AUDIBLE_DB);
    expect(level(channels[1]!, 880, 200, 5_000)).toBeGreaterThan(AUDIBLE_DB);
    expect(level(channels[0]!, 880, 200, 5_000)).toBeLessThan(-50);
  }
});
