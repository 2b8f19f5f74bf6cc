// What a previous process left in the spool: recordings that were running go on if it was not long ago, all others are finished.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Warning } from './call.ts';
import type { ArchiveEngine } from './engines.ts';
import type { Finisher } from './finisher.ts';
import { inactivityLimitMs, type RecordingLimits } from './live-recording.ts';
import type { LiveRecorder } from './recorder.ts';
import type { ActiveRecording } from './recorder-interface.ts';
import type { EndReason, SessionState } from './session-state.ts';

/** A recording that goes on, and what its door left for that. */
export interface ResumedRecording {
  recording: ActiveRecording;
  source: SessionState['source'];
  door: unknown;
}

export interface RecoveryParts {
  archive: ArchiveEngine;
  recorder: LiveRecorder;
  finisher: Finisher;
  clock: Clock;
  log: Log;
  limits: Omit<RecordingLimits, 'maxDurationMs'>;
  /** Whether its client is known to have been answered: what the door left tells. */
  isAnswered: (state: SessionState) => boolean;
  /** The recorder ended a recording that went on. */
  onEnded: (recordingId: string, reason: EndReason) => void;
}

/** Such a recording is filed in any case, also without media: an answered call has a recording. Its door cancels it if the client asks again. */
const ANSWER_UNKNOWN: Warning = {
  code: 'answer-unknown',
  message:
    'The recorder stopped in the moment of answering: whether the client got the answer is not known, and its requests were not matched to this recording any more.',
};

/** `sessions` are the archive's unfinished ones. `finished` of them have been queued for rendering. */
export async function recoverSessions(
  sessions: readonly SessionState[],
  parts: RecoveryParts,
): Promise<{ resumed: ResumedRecording[]; finished: number }> {
  const resumed: ResumedRecording[] = [];
  // All at once: every port is reserved before anything else can take one.
  await Promise.all(
    sessions.map(async (state) => {
      noteUnknownAnswer(state, parts);
      const recording = state.phase === 'recording' ? await resume(state, parts) : null;
      if (recording) resumed.push({ recording, source: state.source, door: state.door });
      else await finish(state, parts);
    }),
  );
  return { resumed, finished: sessions.length - resumed.length };
}

function noteUnknownAnswer(state: SessionState, { isAnswered }: RecoveryParts): void {
  if (state.phase !== 'recording' || isAnswered(state)) return;
  if (!state.warnings.some(({ code }) => code === ANSWER_UNKNOWN.code)) state.warnings.push(ANSWER_UNKNOWN);
}

/** Null if it cannot go on. */
async function resume(state: SessionState, parts: RecoveryParts): Promise<ActiveRecording | null> {
  const { archive, clock, limits, log, recorder } = parts;
  const { recordingId, sessions } = state;
  if (sessions && sessions.length > 0 && sessions.every(({ endMs }) => endMs !== null)) return null;
  const lastMs = Math.max(
    state.startMs,
    ...state.events.map(({ atMs }) => atMs),
    (await archive.latestPacketMs(state).catch(() => null)) ?? 0,
  );
  const awayMs = clock.nowMs() - lastMs;
  // Below zero the clock was set back between two boots: nobody knows any more where new packets belong.
  if (awayMs < 0 || awayMs > inactivityLimitMs(state, limits)) return null;
  try {
    return await recorder.takeUp({
      state,
      lastMs,
      onEnded: (reason) => parts.onEnded(recordingId, reason),
    });
  } catch (error) {
    log.error({ recordingId, err: error }, 'the recording could not go on: it is finished as it is');
    return null;
  }
}

async function finish(state: SessionState, { archive, finisher, log }: RecoveryParts): Promise<void> {
  if (state.phase === 'recording') {
    const ended = state.sessions?.at(-1);
    state.phase = 'sealed';
    state.endMs = ended?.endMs ?? null;
    state.endReason = ended?.endReason ?? 'interrupted';
    if (state.endReason === 'interrupted') {
      state.warnings.push({
        code: 'interrupted',
        message:
          'The recorder stopped while the call was running: the recording ends with the last packet that was written.',
      });
    }
    await archive.saveSession(state).catch((err) => log.error({ err }, 'session.json could not be written'));
  }
  log.info({ recordingId: state.recordingId, reason: state.endReason }, 'unfinished recording taken up');
  finisher.finish(state);
}
