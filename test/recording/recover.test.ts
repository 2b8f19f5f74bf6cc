// What a dead process left: goes on while it may, and is finished when it may not.
import { beforeEach, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/lib/log.ts';
import { Finisher } from '../../src/recording/finisher.ts';
import { LiveRecorder } from '../../src/recording/recorder.ts';
import { recoverSessions } from '../../src/recording/recover.ts';
import type { EndReason, SessionState } from '../../src/recording/session-state.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FakeArchive, FakeCapture, FakeRender, noStatistics, offered, startRequest } from './fakes.ts';

const limits = {
  maxRecordings: 3,
  floorMiB: 512,
  floorPercent: 1,
  reservePerRecordingMiB: 10,
  inactivityMs: 60_000,
  holdInactivityMs: 600_000,
  maxDurationMs: 3_600_000,
};
const log = silentLog;
let clock: ManualClock;
let archive: FakeArchive;
let render: FakeRender;
let capture: FakeCapture;
let finisher: Finisher;
let recorder: LiveRecorder;
let ended: [string, EndReason][];

/** A process: its recorder over the same archive, so long after the last one began. The last one's timers are gone with it. */
function newProcess(afterMs = 0): void {
  clock = new ManualClock(clock.nowMs() + afterMs);
  capture = new FakeCapture();
  render = new FakeRender();
  const audio = { layout: 'stereo' as const, sampleRateHz: null };
  finisher = new Finisher({ render, archive, clock, log, audio, concurrency: 1, onFiled: () => {} });
  recorder = new LiveRecorder({ capture, archive, finisher, clock, log, limits });
}

beforeEach(() => {
  clock = new ManualClock();
  archive = new FakeArchive();
  ended = [];
  newProcess();
});

/** A recording that ran for a minute when its process died. */
async function diedRunning(
  change: (state: SessionState) => void = () => {},
  start = startRequest(),
): Promise<SessionState> {
  await recorder.start(start);
  const left = archive.saved.at(-1)!;
  newProcess(60_000);
  archive.latest.set(left.recordingId, clock.nowMs());
  change(left);
  return left;
}

const recover = (states: SessionState[], isAnswered = true) =>
  recoverSessions(states, {
    archive,
    recorder,
    finisher,
    clock,
    log,
    limits,
    isAnswered: () => isAnswered,
    onEnded: (recordingId, reason) => ended.push([recordingId, reason]),
  });

describe('goes on', () => {
  test('on the same ports, with the gap in its timeline and in the renderer’s order', async () => {
    const left = await diedRunning();
    const diedMs = clock.nowMs();
    clock.advance(2_500);
    const { resumed, finished } = await recover([left]);
    expect([resumed.length, finished]).toEqual([1, 0]);
    expect(capture.sessions[0]!.restored).toMatchObject([
      { streamId: 's0', receiving: true, address: { rtpPort: 40_002, rtcpPort: 40_003 }, announced: null },
      { streamId: 's1', receiving: true, address: { rtpPort: 40_004, rtcpPort: 40_005 }, announced: null },
    ]);
    expect(Object.fromEntries(resumed[0]!.recording.addresses())).toMatchObject({ 0: { rtpPort: 40_002 } });
    expect(recorder.activeRecordings).toBe(1);
    await resumed[0]!.recording.stop('ended');
    await finisher.idle();
    const gap = { startMs: diedMs, endMs: diedMs + 2_500 };
    expect(render.jobs[0]!.pauses).toEqual([
      { streamId: 's0', ...gap },
      { streamId: 's1', ...gap },
    ]);
    const [document] = archive.filed;
    expect(document).toMatchObject({ endReason: 'ended', warnings: [] });
    expect(document!.timeline).toContainEqual({
      type: 'restart',
      offsetMs: 60_000,
      durationMs: 2_500,
      time: new Date(diedMs).toISOString(),
    });
  });

  test('again and again', async () => {
    let left = await diedRunning();
    for (let times = 0; times < 3; times++) {
      clock.advance(1_000);
      await recover([left]);
      left = archive.saved.at(-1)!;
      newProcess(10_000);
      archive.latest.set(left.recordingId, clock.nowMs());
    }
    expect(left.events.filter(({ type }) => type === 'restart')).toMatchObject([
      { durationMs: 1_000 },
      { durationMs: 1_000 },
      { durationMs: 1_000 },
    ]);
  });

  test('its limits go on too: the longest duration counts from the beginning', async () => {
    const left = await diedRunning();
    clock.advance(1_000);
    await recover([left]);
    capture.sessions[0]!.lastPacketMs = clock.nowMs() + 3_600_000;
    clock.advance(3_600_000 - 61_000 - 1);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual([[left.recordingId, 'max-duration']]);
  });

  test('on hold it may have been silent for longer', async () => {
    const left = await diedRunning(() => {}, startRequest({ streams: [offered('0', false), offered('1', false)] }));
    archive.latest.clear();
    clock.advance(300_000);
    expect((await recover([left])).resumed).toHaveLength(1);
    expect(capture.sessions[0]!.restored).toMatchObject([{ receiving: false }, { receiving: false }]);
  });

  test('removed streams stay removed', async () => {
    const left = await diedRunning((state) => {
      state.streams[1]!.present = false;
    });
    await recover([left]);
    expect(capture.sessions[0]!.restored.map(({ streamId }) => streamId)).toEqual(['s0']);
  });

  test('a limit of its own, and a port that its client chose, are kept', async () => {
    const announced = recorder.announce({ host: '127.0.0.1', port: 20_000, sourceHost: null });
    const streams = [{ ...offered('0'), announced }];
    const left = await diedRunning(() => {}, startRequest({ source: 'oreka', streams, inactivityMs: 5_000 }));
    clock.advance(4_000);
    expect((await recover([left])).resumed).toHaveLength(1);
    expect(capture.sessions[0]!.restored[0]!.announced).toEqual({ host: '127.0.0.1', port: 20_000, sourceHost: null });
    clock.advance(5_000);
    expect(ended).toEqual([[left.recordingId, 'abandoned']]);
  });
});

describe('is finished instead', () => {
  test('when it was silent for longer than a running recording may be', async () => {
    const left = await diedRunning();
    clock.advance(60_001);
    expect(await recover([left])).toEqual({ resumed: [], finished: 1 });
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({ endReason: 'interrupted', warnings: [{ code: 'interrupted' }] });
  });

  test('when its journal or ports cannot be had', async () => {
    const left = await diedRunning();
    capture.failOpen = new Error('disk');
    expect(await recover([left])).toEqual({ resumed: [], finished: 1 });
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({ endReason: 'interrupted' });
  });

  test('when the clock was set back between two boots', async () => {
    const left = await diedRunning();
    archive.latest.set(left.recordingId, clock.nowMs() + 1_000);
    expect(await recover([left])).toEqual({ resumed: [], finished: 1 });
  });

  test('when its last session had ended: with that reason', async () => {
    const left = await diedRunning((state) => {
      const session = {
        sipCallId: 'c',
        peer: 'udp:192.0.2.1:5060',
        startMs: state.startMs,
        joinedBy: 'first',
        reasons: [],
      };
      state.sessions = [{ ...session, endMs: state.startMs + 50_000, endReason: 'ended' }];
    });
    expect(await recover([left])).toEqual({ resumed: [], finished: 1 });
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({ endReason: 'ended', warnings: [] });
  });

  test('never acknowledged, and died before it was sealed: what is in the journal is kept', async () => {
    const brought = { sipCallId: 'c', peer: 'p', startMs: 0, joinedBy: 'first', reasons: [] };
    const cancelled = { ...brought, endMs: clock.nowMs(), endReason: 'cancelled' as const };
    const packets = { ...noStatistics, packets: 9, streamId: 's0', codecs: [], late: 0, undecodable: 0 };
    const rendered = { ...packets, rendered: true, driftPpm: null };
    for (const streams of [[rendered], []]) {
      const left = await diedRunning((state) => Object.assign(state, { sessions: [cancelled] }));
      render.outcomes.push({ audio: null, streams, events: [], warnings: [] });
      await recover([left]);
      await finisher.idle();
    }
    expect([archive.filed.length, archive.discarded.length]).toEqual([1, 1]);
  });

  test('sealed ones are rendered and filed as they are', async () => {
    const left = await diedRunning((state) => Object.assign(state, { phase: 'sealed', endReason: 'stopped' }));
    expect(await recover([left])).toEqual({ resumed: [], finished: 1 });
    await finisher.idle();
    expect(archive.filed[0]).toMatchObject({ endReason: 'stopped' });
  });
});

describe('an INVITE that nobody is known to have answered', () => {
  test('may have been: goes on like any other, and is filed also without media, with a warning', async () => {
    const left = await diedRunning();
    clock.advance(40_000);
    expect((await recover([left], false)).resumed).toHaveLength(1);
    clock.advance(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toEqual([[left.recordingId, 'abandoned']]);
    await finisher.idle();
    expect(archive.discarded).toEqual([]);
    expect(archive.filed).toMatchObject([{ state: 'empty', audio: null, warnings: [{ code: 'answer-unknown' }] }]);
  });

  test('warned of once, however often a process dies', async () => {
    const left = await diedRunning();
    await recover([left], false);
    const again = archive.saved.at(-1)!;
    newProcess(1_000);
    await recover([again], false);
    expect(archive.saved.at(-1)!.warnings).toMatchObject([{ code: 'answer-unknown' }]);
  });

  test('cancelled, as its client asks again, there was no recording', async () => {
    const left = await diedRunning();
    const { resumed } = await recover([left], false);
    await resumed[0]!.recording.stop('cancelled');
    await finisher.idle();
    expect(archive.discarded).toEqual([left.recordingId]);
    expect(archive.filed).toEqual([]);
  });

  test('cancelled with media it is one', async () => {
    const left = await diedRunning();
    const { resumed } = await recover([left], false);
    const packets = {
      ...noStatistics,
      packets: 9,
      streamId: 's0',
      codecs: [],
      late: 0,
      undecodable: 0,
      rendered: true,
      driftPpm: null,
    };
    render.outcomes.push({ audio: null, streams: [packets], events: [], warnings: [] });
    await resumed[0]!.recording.stop('cancelled');
    await finisher.idle();
    expect(archive.discarded).toEqual([]);
    expect(archive.filed).toHaveLength(1);
  });
});
