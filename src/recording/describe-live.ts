// A running recording as people are shown it.
import type { LiveRecordingView } from './control.ts';
import type { StreamStatistics } from './media.ts';
import { isPaused } from './media-gate.ts';
import { attributeStreams } from './render-job.ts';
import type { SessionState } from './session-state.ts';

/** `figures` are those known last, by stream id. */
export function describeLive(state: SessionState, figures: Record<string, StreamStatistics>): LiveRecordingView {
  const { recordingId, source, startMs, call, peer } = state;
  const attributed = new Map(attributeStreams(state, 'stereo').streams.map((stream) => [stream.streamId, stream]));
  const streams = state.streams
    .filter((stream) => stream.present)
    .map(({ streamId, label, receiving, paused }) => ({
      streamId,
      label,
      channel: attributed.get(streamId)?.channel ?? null,
      participantId: attributed.get(streamId)?.participantId ?? null,
      receiving,
      paused: Boolean(paused),
      packets: figures[streamId]?.packets ?? 0,
      lastPacketMs: figures[streamId]?.lastPacketMs ?? null,
    }));
  return { recordingId, source, startMs, call, streams, paused: isPaused(state), peer };
}
