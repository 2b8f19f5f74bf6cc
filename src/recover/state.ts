// What is known of a call that was read out of a capture, as the state of a session that has ended.
import { randomUUID } from 'node:crypto';
import { SESSION_STATE_VERSION, type SessionState } from '../recording/session-state.ts';
import { STATIC_PAYLOAD_TYPES } from '../rtp/static-payload-types.ts';
import type { Captured, CapturedFlow } from './captured.ts';
import type { CapturedSession } from './captured-session.ts';

export function stateOfSession(session: CapturedSession): SessionState {
  const { startMs, endMs, call, streams, events, metadata, warnings, peer } = session;
  return {
    ...emptyState(startMs),
    endReason: endMs === null ? 'interrupted' : 'ended',
    endMs,
    call,
    streams,
    events: [
      { type: 'started', atMs: startMs },
      ...events,
      ...(endMs === null ? [] : [{ type: 'ended' as const, atMs: endMs }]),
    ],
    metadata,
    warnings,
    peer,
  };
}

/** Without signalling: each flow is a stream, and nobody knows whose. */
export function stateOfFlows({ truncated }: Pick<Captured, 'truncated'>, flows: readonly CapturedFlow[]): SessionState {
  const warnings = [
    { code: 'signalling-missing', message: 'The capture has no SIP: streams were found by their RTP alone.' },
  ];
  if (truncated) warnings.push({ code: 'capture-truncated', message: 'Parts of the capture could not be read.' });
  return {
    ...emptyState(Math.min(...flows.map(({ firstMs }) => firstMs))),
    endReason: 'interrupted',
    streams: flows.map(({ destination: { port }, interfaceName, payloadTypes }, index) => ({
      streamId: interfaceName ?? `s${index}`,
      key: String(index),
      label: null,
      formats: [...payloadTypes.keys()].flatMap((payloadType) => {
        const known = STATIC_PAYLOAD_TYPES.get(payloadType);
        return known ? [{ ...known, fmtp: null }] : [];
      }),
      receiving: true,
      address: { rtpPort: port, rtcpPort: port + 1 },
      present: true,
    })),
    warnings,
  };
}

export function emptyState(startMs: number): SessionState {
  return {
    version: SESSION_STATE_VERSION,
    recordingId: randomUUID(),
    source: 'import',
    phase: 'sealed',
    endReason: 'ended',
    directory: '',
    journalPath: '',
    audioPath: '',
    startMs,
    endMs: null,
    startWallMs: startMs,
    clock: null,
    call: {
      participants: [],
      identifiers: { sipCallId: '', communicationSessionId: null, sipSessionIds: [], groupId: null, vendor: {} },
      statedStartMs: null,
      extraHeaders: [],
    },
    streams: [],
    events: [],
    metadata: [],
    warnings: [],
    peer: null,
    statistics: null,
    door: null,
  };
}
