// A small valid recording.json to vary in tests.
import type { RecordingDocument } from '../../src/recording/document.ts';

export function exampleDocument(over: Partial<RecordingDocument> = {}): RecordingDocument {
  return {
    version: 1,
    id: '0f1e2d3c-0000-4000-8000-000000000001',
    source: 'siprec',
    state: 'finished',
    endReason: 'ended',
    times: {
      start: '2026-01-02T03:04:05.678Z',
      end: '2026-01-02T03:04:15.678Z',
      audioStart: '2026-01-02T03:04:05.700Z',
      statedStart: null,
      durationMs: 9_978,
    },
    call: {
      sipCallId: 'c',
      communicationSessionId: null,
      sipSessionIds: [],
      groupId: null,
      continues: null,
      vendor: {},
      peer: null,
    },
    sessions: [],
    participants: [],
    streams: [],
    audio: { sampleRateHz: 8000, channels: 2, layout: 'caller-callee' },
    timeline: [],
    warnings: [],
    files: [],
    headers: [],
    metadata: [],
    ...over,
  };
}
