// Running recordings that are none.
import { RecorderError } from '../../src/lib/errors.ts';
import type {
  LiveRecordingView,
  RecordingControl,
  RecordingInitiator,
  RecordRequest,
} from '../../src/recording/control.ts';

export function fakeControl(views: LiveRecordingView[] = []): RecordingControl {
  const known = async (recordingId: string) => {
    if (!views.some((view) => view.recordingId === recordingId)) throw new RecorderError('NOT_FOUND');
  };
  return {
    pause: known,
    resume: known,
    stop: known,
    live: () => views,
    running: (recordingId) => views.find((view) => view.recordingId === recordingId) ?? null,
    media: () => null,
  };
}

export function liveView(recordingId: string, aor: string): LiveRecordingView {
  return {
    recordingId,
    source: 'siprec',
    startMs: 0,
    call: {
      participants: [{ participantId: 'p1', aor, name: null, sends: [], role: null }],
      identifiers: { sipCallId: 'c', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
      statedStartMs: null,
      extraHeaders: [],
    },
    streams: [
      {
        streamId: 's0',
        label: '1',
        channel: 0,
        participantId: 'p1',
        receiving: true,
        paused: false,
        lastPacketMs: null,
      },
    ],
    paused: false,
    peer: null,
  };
}

/** Every client is willing. */
export const fakeInitiator: RecordingInitiator & { asked: RecordRequest[] } = {
  asked: [],
  async record(request) {
    this.asked.push(request);
    return ['019e0000-0000-7000-8000-000000000001'];
  },
};
