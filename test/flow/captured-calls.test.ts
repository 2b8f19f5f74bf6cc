// What OpenSIPS really sent, signalled by SIPp with the captured text and media, judged by what stands in the WAV.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ListedRecording } from '../../src/archive/list.ts';
import { ULAW_TO_LINEAR } from '../../src/render/codecs/g711.ts';
import {
  type CapturedCallResult,
  type CapturedScenario,
  runCapturedCall,
  sippAvailable,
} from '../peers/captured-call.ts';
import { readWav, silentBetween } from '../support/listen.ts';
import { likeness } from '../support/same-audio.ts';
import { filedRecordings } from './logged-recorder.ts';
import { type ServeProcess, startServer } from './serve-process.ts';

const RATE = 8000;
const RTP_HEADER_OCTETS = 12;
interface SentPacket {
  /** From the first packet of either party. */
  atMs: number;
  samples: Int16Array;
}

/** What left for the recorder, decoded: caller first. */
function sentAudio({ sent }: CapturedCallResult): [SentPacket[], SentPacket[]] {
  const parties = ['0', '1'].map((label) => sent[label]!);
  const zeroMs = Math.min(...parties.map((packets) => packets[0]!.atMs));
  return parties.map((packets) =>
    packets.map(({ atMs, payload }) => ({ atMs: atMs - zeroMs, samples: decode(payload) })),
  ) as [SentPacket[], SentPacket[]];
}

function decode(packet: Buffer): Int16Array {
  return Int16Array.from(packet.subarray(RTP_HEADER_OCTETS), (octet) => ULAW_TO_LINEAR[octet]!);
}

/** Compares every half second of what was sent with what stands in the channel. Returns the worst likeness and the shifts in ms. */
function compare(channel: Int16Array, sent: SentPacket[]) {
  const packetsPerPiece = 25;
  let worst = 1;
  const shiftsMs: number[] = [];
  for (let first = 0; first + packetsPerPiece <= sent.length; first += packetsPerPiece) {
    const packets = sent.slice(first, first + packetsPerPiece);
    if (packets.at(-1)!.atMs - packets[0]!.atMs > packetsPerPiece * 20 + 40) continue; // a hold lies inside
    const piece = Int16Array.from(packets.flatMap(({ samples }) => [...samples]));
    // By the packet that was sent most nearly in time: a busy machine sends some of them late.
    const beganMs = Math.min(...packets.map(({ atMs }, index) => atMs - index * 20));
    const at = Math.round((beganMs * RATE) / 1000);
    const found = likeness(channel, at, piece, 0, piece.length, 400);
    worst = Math.min(worst, found.correlation);
    shiftsMs.push((found.shift * 1000) / RATE);
  }
  return { worst, shiftsMs };
}

interface Recorder {
  data: string;
  server: ServeProcess;
}

/** One for each transport: to one recorder, the same captured call twice at once is one recording. */
const recorders = new Map<'udp' | 'tcp', Recorder>();
/** All at once. */
const calls = new Map<string, Promise<CapturedCallResult>>();

beforeAll(async () => {
  if (!sippAvailable()) return;
  for (const transport of ['udp', 'tcp'] as const) {
    const data = await mkdtemp(join(tmpdir(), 'sipreel-test-'));
    recorders.set(transport, { data, server: startServer(data) });
  }
  for (const [scenario, transport] of [
    ['hold-sendonly', 'udp'],
    ['udp-basic', 'udp'],
    ['udp-basic', 'tcp'],
  ] as const) {
    const sipPort = await recorders.get(transport)!.server.sipPort(transport);
    const call = runCapturedCall({ scenario, transport, sipHost: '127.0.0.1', sipPort });
    // Rejects in the test that asks for it.
    call.catch(() => {});
    calls.set(`${scenario} ${transport}`, call);
  }
});

afterAll(async () => {
  for (const { data, server } of recorders.values()) {
    server.kill('SIGKILL');
    await server.exited;
    await rm(data, { recursive: true, force: true });
  }
});

async function recorded(scenario: CapturedScenario, transport: 'udp' | 'tcp') {
  const result = await calls.get(`${scenario} ${transport}`)!;
  expect(result).toMatchObject({ exitCode: 0, complaints: '' });
  const isIts = (recording: ListedRecording) => recording.document.call.sipCallId === result.callId;
  const [recording] = await filedRecordings(recorders.get(transport)!.data, 1, 15_000, isIts);
  const { document, directory } = recording!;
  expect(document).toMatchObject({
    state: 'finished',
    endReason: 'ended',
    call: { sipCallId: result.callId },
    participants: [
      { name: 'Alice Smith', role: 'caller', channel: 0 },
      { name: 'Bob Jones', role: 'callee', channel: 1 },
    ],
    streams: [
      { label: '0', channel: 0, codecs: ['PCMU/8000'], packets: result.packetsSent['0'], lost: 0, late: 0 },
      { label: '1', channel: 1, codecs: ['PCMU/8000'], packets: result.packetsSent['1'], lost: 0, late: 0 },
    ],
    warnings: [],
  });
  const wav = readWav(join(directory, 'audio.wav'));
  return { result, document, left: wav.channels[0]!, right: wav.channels[1]!, wav };
}

// CI installs SIPp (Debian's sip-tester); elsewhere the runner lists these as skipped.
describe.skipIf(!sippAvailable())('captured OpenSIPS calls', () => {
  test.each(['udp', 'tcp'] as const)(
    "udp-basic over %s: each party's audio in its channel at its time",
    async (transport) => {
      const { result, left, right, wav, document } = await recorded('udp-basic', transport);
      expect(wav.sampleRateHz).toBe(RATE);
      const [caller, callee] = sentAudio(result);
      for (const [channel, sent] of [
        [left, caller],
        [right, callee],
      ] as const) {
        const { worst, shiftsMs } = compare(channel, sent);
        expect(shiftsMs.length).toBeGreaterThan(5);
        expect(worst).toBeGreaterThan(0.98);
        expect(Math.max(...shiftsMs.map(Math.abs))).toBeLessThan(30);
      }
      // The other party's audio is not there.
      expect(compare(right, caller).worst).toBeLessThan(0.5);
      expect(document.times.durationMs).toBeGreaterThan(3_900);
      expect(document.timeline.filter((event) => event.type === 'gap')).toEqual([]);
    },
  );

  test('hold-sendonly: the silence stands in the right channel, at the right second', async () => {
    const { result, left, right, document } = await recorded('hold-sendonly', 'udp');
    const [caller, callee] = sentAudio(result);
    const pauseIndex = callee.findIndex((packet, index) => index > 0 && packet.atMs - callee[index - 1]!.atMs > 1000);
    const silentFromMs = callee[pauseIndex - 1]!.atMs + 20;
    const silentToMs = callee[pauseIndex]!.atMs;
    expect(silentToMs - silentFromMs).toBeGreaterThan(2_900);

    for (const [channel, sent] of [
      [left, caller],
      [right, callee],
    ] as const) {
      const { worst, shiftsMs } = compare(channel, sent);
      expect(worst).toBeGreaterThan(0.98);
      expect(Math.max(...shiftsMs.map(Math.abs))).toBeLessThan(40);
    }
    expect(silentBetween(right, RATE, silentFromMs + 40, silentToMs - 40)).toBe(true);
    expect(silentBetween(left, RATE, silentFromMs, silentToMs)).toBe(false);

    const held = document.timeline.filter((event) => event.type === 'hold' || event.type === 'resume');
    expect(held).toMatchObject([
      { type: 'hold', channel: 1 },
      { type: 'resume', channel: 1 },
    ]);
    expect(held[0]!.offsetMs).toBeGreaterThan(silentFromMs - 200);
    expect(held[0]!.offsetMs).toBeLessThan(silentFromMs + 200);
    expect(held[1]!.offsetMs).toBeGreaterThan(silentToMs - 200);
    expect(held[1]!.offsetMs).toBeLessThan(silentToMs + 200);
  });

  test('the recorders found nothing to complain about in any of them', async () => {
    await Promise.all(calls.values());
    const logs = [...recorders.values()].flatMap(({ server }) => server.log);
    expect(logs.filter((line) => line.level === 'error' || line.level === 'warn')).toEqual([]);
  });
});
