import { beforeEach, describe, expect, test } from 'vitest';
import { RecorderError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { recordingDocument } from '../../src/recording/document.ts';
import type { RenderResult } from '../../src/recording/engines.ts';
import { Finisher } from '../../src/recording/finisher.ts';
import { LiveRecorder } from '../../src/recording/recorder.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { callOf, FakeArchive, FakeCapture, FakeRender, noStatistics, offered, startRequest } from './fakes.ts';

const limits = {
  maxRecordings: 3,
  floorMiB: 512,
  floorPercent: 1,
  reservePerRecordingMiB: 10,
  inactivityMs: 60_000,
  holdInactivityMs: 600_000,
  maxDurationMs: 3_600_000,
};
let clock: ManualClock;
let capture: FakeCapture;
let archive: FakeArchive;
let render: FakeRender;
let finisher: Finisher;
let recorder: LiveRecorder;

beforeEach(() => {
  clock = new ManualClock();
  capture = new FakeCapture();
  archive = new FakeArchive();
  render = new FakeRender();
  const audio = { layout: 'stereo' as const, sampleRateHz: null };
  const log = silentLog;
  finisher = new Finisher({ render, archive, clock, log, audio, concurrency: 1, onFiled: () => {} });
  recorder = new LiveRecorder({ capture, archive, finisher, clock, log, limits });
});

/** Lets promise chains run; timers stand still. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('start', () => {
  test('binds every stream, saves the session, answers with the addresses', async () => {
    const recording = await recorder.start(startRequest());
    expect(Object.fromEntries(recording.addresses())).toEqual({
      0: { rtpPort: 40_002, rtcpPort: 40_003 },
      1: { rtpPort: 40_004, rtcpPort: 40_005 },
    });
    expect(recorder.activeRecordings).toBe(1);
    expect(archive.saved.at(-1)).toMatchObject({ phase: 'recording', recordingId: recording.id, endReason: null });
    expect(archive.saved.at(-1)?.events).toEqual([{ type: 'started', atMs: clock.nowMs() }]);
  });

  test('on a disk that hangs it is refused after three seconds, and cleared away when the disk has answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const create = archive.createSession.bind(archive);
    archive.createSession = async (id) => {
      await promise;
      return create(id);
    };
    const refused = expect(recorder.start(startRequest())).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await settle();
    clock.advance(3_000);
    await refused;
    expect(recorder.activeRecordings).toBe(0);
    expect(archive.discarded).toEqual([]);
    resolve();
    await settle();
    expect(archive.discarded).toHaveLength(1);
    expect(capture.sessions).toEqual([]);
  });

  test('a journal that opens too late is closed again', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const open = capture.open.bind(capture);
    capture.open = async (...args: Parameters<typeof open>) => {
      await promise;
      return open(...args);
    };
    const refused = expect(recorder.start(startRequest())).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
    await settle();
    clock.advance(3_000);
    await refused;
    resolve();
    await settle();
    expect(capture.sessions[0]?.seals).toBe(1);
    expect(archive.discarded).toHaveLength(1);
  });

  test('a start that fails half-way leaves nothing behind', async () => {
    capture.failStream = { nth: 2, error: new RecorderError('NO_PORTS') };
    await expect(recorder.start(startRequest())).rejects.toMatchObject({ code: 'NO_PORTS' });
    await settle();
    expect(recorder.activeRecordings).toBe(0);
    expect(capture.sessions[0]?.seals).toBe(1);
    expect(archive.discarded).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
    expect(render.jobs).toEqual([]);
  });

  test('a refusal does not wait for a disk that fails', async () => {
    capture.failStream = { nth: 1, error: new RecorderError('NO_PORTS') };
    archive.discardSession = () => new Promise(() => {});
    await expect(recorder.start(startRequest())).rejects.toMatchObject({ code: 'NO_PORTS' });
  });

  test('the limit counts recordings that are still starting', async () => {
    const outcomes = await Promise.allSettled([1, 2, 3, 4, 5].map(() => recorder.start(startRequest())));
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(recorder.refusal()).toBe('TOO_MANY_RECORDINGS');
  });

  test('draining refuses and waits for the last one', async () => {
    const recording = await recorder.start(startRequest());
    let drained = false;
    void recorder.drain().then(() => {
      drained = true;
    });
    await expect(recorder.start(startRequest())).rejects.toMatchObject({ code: 'DRAINING' });
    await settle();
    expect(drained).toBe(false);
    await recording.stop('ended');
    await settle();
    expect(drained).toBe(true);
  });
});

describe('changes in the call', () => {
  test('hold and resume become events and orders to the capture core', async () => {
    const recording = await recorder.start(startRequest());
    clock.advance(5_000);
    await recording.update({ streams: [offered('0'), offered('1', false)] });
    clock.advance(3_000);
    await recording.update({ streams: [offered('1', true), offered('0')] });
    const state = archive.saved.at(-1)!;
    expect(state.events.slice(1)).toEqual([
      { type: 'hold', atMs: state.startMs + 5_000, streamId: 's1' },
      { type: 'resume', atMs: state.startMs + 8_000, streamId: 's1' },
    ]);
    expect(capture.sessions[0]?.updates.filter((update) => update.streamId === 's1')).toEqual([
      { streamId: 's1', receiving: false },
      { streamId: 's1', receiving: true },
    ]);
  });

  test('a hold is done when the capture core says that it is in force', async () => {
    const recording = await recorder.start(startRequest());
    const confirmations: (() => void)[] = [];
    capture.sessions[0]!.updateStream = () => new Promise<void>((resolve) => confirmations.push(resolve));
    let done = false;
    const change = recording.update({ streams: [offered('0', false), offered('1', false)] }).then(() => {
      done = true;
    });
    await settle();
    expect([confirmations.length, done]).toEqual([2, false]);
    confirmations[0]?.();
    await settle();
    expect(done).toBe(false);
    confirmations[1]?.();
    await change;
  });

  test('streams are matched by key: one is added in front, one goes, ports of the others stay', async () => {
    const recording = await recorder.start(startRequest());
    const before = recording.addresses();
    await recording.update({ streams: [offered('9'), offered('1')] });
    expect([...recording.addresses().keys()]).toEqual(['1', '9']);
    expect(recording.addresses().get('1')).toEqual(before.get('1'));
    expect(capture.sessions[0]?.removed).toEqual(['s0']);
    expect(archive.saved.at(-1)?.events.map((event) => event.type)).toEqual([
      'started',
      'stream-removed',
      'stream-added',
    ]);
  });

  test('a port that cannot be had for a new stream does not touch the others', async () => {
    const recording = await recorder.start(startRequest());
    capture.failStream = { nth: 3, error: new RecorderError('NO_PORTS') };
    const change = recording.update({ streams: [offered('0', false), offered('2'), offered('1')] });
    await expect(change).rejects.toMatchObject({ code: 'NO_PORTS' });
    expect([...recording.addresses().keys()]).toEqual(['0', '1']);
    expect(archive.saved.at(-1)?.streams.map((stream) => [stream.key, stream.receiving])).toEqual([
      ['0', false],
      ['1', true],
    ]);
  });

  test('a changed party is joined and the one that left is kept', async () => {
    const recording = await recorder.start(startRequest());
    await recording.update({ call: callOf('alice', 'carol') });
    const state = archive.saved.at(-1)!;
    expect(state.call.participants.map((party) => party.participantId)).toEqual(['alice', 'bob', 'carol']);
    expect(state.events.slice(1)).toMatchObject([
      { type: 'joined', participantId: 'carol' },
      { type: 'left', participantId: 'bob' },
      { type: 'sender', participantId: 'carol', streamId: 's1' },
    ]);
  });

  test('the latest declaration of a payload type wins, the older one stays', async () => {
    const recording = await recorder.start(startRequest());
    const opus = { payloadType: 96, encoding: 'OPUS', clockRateHz: 48_000, channels: 2, fmtp: null };
    const l16 = { payloadType: 96, encoding: 'L16', clockRateHz: 16_000, channels: 1, fmtp: null };
    await recording.update({ streams: [{ ...offered('0'), formats: [opus] }, offered('1')] });
    await recording.update({ streams: [{ ...offered('0'), formats: [l16] }, offered('1')] });
    expect(archive.saved.at(-1)?.streams[0]?.formats.map((format) => format.encoding)).toEqual(['L16', 'OPUS', 'PCMU']);
  });

  test('after the end a change is refused by name', async () => {
    const recording = await recorder.start(startRequest());
    await recording.stop('ended');
    await expect(recording.update({ streams: [] })).rejects.toMatchObject({ code: 'RECORDING_ENDED' });
  });
});

describe('the end', () => {
  test('stop is idempotent and the first reason counts', async () => {
    const recording = await recorder.start(startRequest());
    await Promise.all([recording.stop('ended'), recording.stop('failed')]);
    expect(capture.sessions[0]?.seals).toBe(1);
    expect(archive.saved.at(-1)).toMatchObject({ phase: 'sealed', endReason: 'ended' });
    expect(clock.pendingTimers).toBe(0);
  });

  test('no media and no signalling: abandoned, and the door is told', async () => {
    const told: string[] = [];
    await recorder.start(startRequest({ onEnded: (reason) => told.push(reason) }));
    capture.sessions[0]!.packets = 1;
    clock.advance(30_000);
    capture.sessions[0]!.lastPacketMs = clock.nowMs();
    clock.advance(59_000);
    expect(told).toEqual([]);
    clock.advance(1_100);
    await settle();
    expect(told).toEqual(['abandoned']);
    expect(archive.saved.at(-1)).toMatchObject({ phase: 'sealed', endReason: 'abandoned' });
  });

  test('signalling alone keeps a recording alive', async () => {
    const told: string[] = [];
    const recording = await recorder.start(startRequest({ onEnded: (reason) => told.push(reason) }));
    for (let minute = 0; minute < 5; minute++) {
      clock.advance(50_000);
      await recording.update({});
    }
    expect(told).toEqual([]);
  });

  test('a call on hold may be silent for longer', async () => {
    const told: string[] = [];
    const recording = await recorder.start(startRequest({ onEnded: (reason) => told.push(reason) }));
    await recording.update({ streams: [offered('0', false), offered('1', false)] });
    clock.advance(599_000);
    expect(told).toEqual([]);
    clock.advance(2_000);
    await settle();
    expect(told).toEqual(['abandoned']);
  });

  test('the longest duration ends even a busy call', async () => {
    const told: string[] = [];
    await recorder.start(startRequest({ onEnded: (reason) => told.push(reason) }));
    for (let half = 0; half < 121; half++) {
      capture.sessions[0]!.lastPacketMs = clock.nowMs();
      clock.advance(30_000);
    }
    await settle();
    expect(told).toEqual(['max-duration']);
  });

  test('stopAll seals everything and tells every door', async () => {
    const told: string[] = [];
    for (const name of ['a', 'b'])
      await recorder.start(startRequest({ onEnded: (reason) => told.push(`${name} ${reason}`) }));
    await recorder.stopAll('stopped');
    expect(told.sort()).toEqual(['a stopped', 'b stopped']);
    expect(recorder.activeRecordings).toBe(0);
  });
});

describe('finishing', () => {
  const rendered = (): RenderResult => ({
    audio: {
      sampleRateHz: 8000,
      channels: 2,
      durationMs: 4000,
      startMs: clock.nowMs() - 3_900,
      octets: 64_100,
      sha256: 'a'.repeat(64),
    },
    streams: ['s0', 's1'].map((streamId) => ({
      ...noStatistics,
      streamId,
      packets: 200,
      octets: 32_000,
      codecs: ['PCMU/8000'],
      late: 0,
      undecodable: 0,
      rendered: true,
      driftPpm: null,
    })),
    events: [{ type: 'dtmf', streamId: 's1', offsetMs: 1000, durationMs: 80, digit: '5' }],
    warnings: [],
  });

  test('the document says who stands where, and passes its own schema', async () => {
    const recording = await recorder.start(startRequest());
    capture.sessions[0]!.packets = 200;
    clock.advance(4_000);
    render.outcomes.push(rendered());
    await recording.stop('ended');
    await finisher.idle();
    const document = recordingDocument.parse(archive.filed[0]);
    expect(document).toMatchObject({
      id: recording.id,
      state: 'finished',
      endReason: 'ended',
      audio: { sampleRateHz: 8000, channels: 2, layout: 'caller-callee' },
      participants: [
        { id: 'alice', role: 'caller', channel: 0 },
        { id: 'bob', role: 'callee', channel: 1 },
      ],
      streams: [
        { id: 's0', participantId: 'alice', channel: 0, packets: 200, rule: 'participant-stream-association' },
        { id: 's1', participantId: 'bob', channel: 1, packets: 200 },
      ],
    });
    expect(document.timeline).toMatchObject([
      { type: 'started', offsetMs: -100 },
      { type: 'dtmf', offsetMs: 1000, durationMs: 80, digit: '5', channel: 1 },
      { type: 'ended', offsetMs: 3900 },
    ]);
    expect(render.jobs[0]?.info).toMatchObject({ INAM: 'alice to bob', IART: 'alice' });
  });

  test('times are labelled by the wall clock of the start', async () => {
    clock.stepWall(3_600_000);
    const recording = await recorder.start(startRequest());
    clock.stepWall(-1_800_000);
    clock.advance(2_000);
    await recording.stop('ended');
    await finisher.idle();
    expect(archive.filed[0]?.times).toMatchObject({
      start: '2026-01-01T01:00:00.000Z',
      end: '2026-01-01T01:00:02.000Z',
    });
  });

  test('no media at all is a recording that says so', async () => {
    const recording = await recorder.start(startRequest());
    await recording.stop('ended');
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({ state: 'empty', audio: null, files: [] });
  });

  test('cancelled before any media: nothing to keep; with media it is kept', async () => {
    const first = await recorder.start(startRequest());
    await first.stop('cancelled');
    await finisher.idle();
    expect(archive.discarded).toEqual([first.id]);
    const second = await recorder.start(startRequest());
    capture.sessions[1]!.packets = 5;
    await second.stop('cancelled');
    await finisher.idle();
    expect(archive.filed.map((document) => document.id)).toEqual([second.id]);
  });

  test('a listener that throws does not have the recording filed twice', async () => {
    const audio = { layout: 'stereo' as const, sampleRateHz: null };
    const onFiled = () => {
      throw new Error('listener');
    };
    const telling = new Finisher({ render, archive, clock, log: silentLog, audio, concurrency: 1, onFiled });
    await recorder.start(startRequest());
    telling.finish({ ...archive.saved.at(-1)!, phase: 'sealed', endReason: 'ended' });
    await telling.idle();
    expect(archive.filed).toHaveLength(1);
    expect(telling.pending).toBe(0);
  });

  test('a full disk is waited for, however long', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    render.outcomes.push(full, full, full, full, full, full, rendered());
    const recording = await recorder.start(startRequest());
    await recording.stop('ended');
    for (let attempt = 0; attempt < 6; attempt++) {
      await finisher.idle();
      expect(archive.filed).toEqual([]);
      expect(finisher.pending).toBe(1);
      expect(finisher.figures()).toEqual({ count: 1, oldestMs: attempt * 300_000 });
      clock.advance(300_000);
    }
    await finisher.idle();
    expect(archive.filed[0]?.state).toBe('finished');
    expect(finisher.pending).toBe(0);
    expect(finisher.figures()).toEqual({ count: 0, oldestMs: 0 });
  });

  test('a renderer that keeps failing gives a recording without audio, in words', async () => {
    const bug = new Error('worker died');
    render.outcomes.push(bug, bug, bug, bug);
    const recording = await recorder.start(startRequest());
    await recording.stop('ended');
    for (let attempt = 0; attempt < 4; attempt++) {
      await finisher.idle();
      clock.advance(300_000);
    }
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({
      state: 'failed',
      warnings: [{ code: 'render-failed', message: 'worker died' }],
    });
  });

  test('pauses and interruptions reach the renderer as intervals', async () => {
    const recording = await recorder.start(startRequest());
    const startMs = clock.nowMs();
    clock.advance(1_000);
    await recording.update({ streams: [offered('0'), offered('1', false)] });
    clock.advance(1_000);
    capture.sessions[0]!.events.interrupted(clock.nowMs(), 'worker died');
    clock.advance(500);
    capture.sessions[0]!.events.resumed(clock.nowMs());
    await recording.stop('ended');
    await finisher.idle();
    expect(render.jobs[0]?.pauses).toEqual([
      { streamId: 's1', startMs: startMs + 1_000, endMs: null },
      { streamId: 's0', startMs: startMs + 2_000, endMs: startMs + 2_500 },
      { streamId: 's1', startMs: startMs + 2_000, endMs: startMs + 2_500 },
    ]);
  });
});
