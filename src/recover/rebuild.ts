// A running recording's state out of its own journal, which holds every SIP message and names every stream: for a session.json that a
// power loss took, or left as it was some time ago.
import type { JournalledSessions } from '../archive/spool.ts';
import { callOfTexts } from '../oreka/journalled-call.ts';
import type { Warning } from '../recording/call.ts';
import type { RecordingRules } from '../recording/rules.ts';
import type { BringingSession, SessionEvent, SessionState, SessionStream } from '../recording/session-state.ts';
import { combineCalls, sharedKey } from '../siprec/combine.ts';
import { type Captured, type JournalStream, readCaptured } from './captured.ts';
import { type CapturedSession, capturedSessions } from './captured-session.ts';
import { emptyState, stateOfFlows } from './state.ts';

const REBUILT: Warning = {
  code: 'session-rebuilt',
  message: 'session.json was lost or old: who took part and which stream is whose was read out of the journal again.',
};

/** For the spool. The rules that decided about a call are asked once more: what they said was in session.json alone. */
export function journalledSessions(rules: RecordingRules): JournalledSessions {
  return {
    rebuild(recordingId, journalPath) {
      const captured = readCaptured(journalPath);
      if (captured.flows.every(({ interfaceName }) => interfaceName === null)) return null;
      const state = rebuildSession(recordingId, captured);
      return { ...state, rule: rules.apply(state, 'final'), warnings: [REBUILT, ...state.warnings] };
    },
    complete: completeFromJournal,
  };
}

/** Of a journal of ours. Its session has ended, with a BYE or without. */
export function rebuildSession(recordingId: string, captured: Captured): SessionState {
  const sessions = capturedSessions(captured.sip).sort((one, other) => one.startMs - other.startMs);
  const state = sessions.length > 0 ? siprecState(sessions, captured) : (orekaState(captured) ?? flowsState(captured));
  return { ...state, recordingId };
}

/**
 * `state` with what its journal knows beyond it. Both are of the same recording, `state` as it was on the disk; what is only in
 * there (pauses, rules, statistics) stays.
 */
function completeFromJournal(state: SessionState, rebuilt: SessionState): SessionState {
  const known = new Set(state.streams.map(({ streamId }) => streamId));
  const streams = rebuilt.streams.filter(({ streamId }) => !known.has(streamId));
  const ended = state.phase === 'recording' && rebuilt.endMs !== null;
  if (streams.length === 0 && rebuilt.metadata.length <= state.metadata.length && !ended) return state;
  const added = new Set(streams.map(({ streamId }) => streamId));
  const { continues } = state.call.identifiers;
  const identifiers = { ...rebuilt.call.identifiers, ...(continues === undefined ? {} : { continues }) };
  return {
    ...state,
    ...(ended ? { phase: 'sealed', endMs: rebuilt.endMs, endReason: rebuilt.endReason } : {}),
    call: { ...rebuilt.call, identifiers },
    streams: [...state.streams, ...streams],
    events: [...state.events, ...rebuilt.events.filter((event) => 'streamId' in event && added.has(event.streamId))],
    metadata: rebuilt.metadata.length > state.metadata.length ? rebuilt.metadata : state.metadata,
    warnings: [...state.warnings, REBUILT],
  };
}

function siprecState(sessions: CapturedSession[], captured: Captured): SessionState {
  const names = nameStreams(sessions, captured);
  const numbered = sessions.map((session, index) => ({ session, number: index + 1 }));
  const streams = numbered.flatMap(({ session, number }) =>
    session.streams.flatMap((stream): SessionStream[] => {
      const streamId = names.get(stream);
      return streamId ? [{ ...stream, streamId, key: sharedKey(number, stream.key), session: number }] : [];
    }),
  );
  const contributions = numbered.map(({ session, number }) => ({
    number,
    contribution: { call: session.call, streams: [] },
  }));
  const call = combineCalls(contributions, contributions, null);
  const startMs = sessions[0]!.startMs;
  const endMs = sessions.every((session) => session.endMs !== null)
    ? Math.max(...sessions.map((session) => session.endMs ?? 0))
    : null;
  return {
    ...emptyState(startMs),
    source: 'siprec',
    endReason: endMs === null ? 'interrupted' : 'ended',
    endMs,
    call: { ...call, participants: partiesOf(call.participants, sessions, streams) },
    streams: streams.sort((one, other) => numberOf(one) - numberOf(other)),
    events: [
      { type: 'started', atMs: startMs },
      ...sessions.flatMap((session) => eventsOf(session, names)),
      ...(endMs === null ? [] : [{ type: 'ended' as const, atMs: endMs }]),
    ],
    metadata: sessions.flatMap(({ metadata }) => metadata),
    warnings: sessions.flatMap(({ warnings }) => warnings),
    peer: sessions[0]!.peer,
    sessions: sessions.map(bringing),
  };
}

/** A dialog that brings several calls has the streams and parties of all of them; the journal has one call's. */
function partiesOf(
  participants: SessionState['call']['participants'],
  sessions: CapturedSession[],
  streams: SessionStream[],
): SessionState['call']['participants'] {
  if (streams.length === sessions.reduce((sum, session) => sum + session.streams.length, 0)) return participants;
  const keys = new Set(streams.map(({ key }) => key));
  return participants.filter(({ sends }) => sends.length === 0 || sends.some((key) => keys.has(key)));
}

/** The names that the journal has for the streams: by the port that media came to, else by label, else by order. */
function nameStreams(sessions: CapturedSession[], { flows, journalStreams }: Captured): Map<SessionStream, string> {
  const names = new Map<SessionStream, string>();
  const open = new Set<JournalStream>(journalStreams);
  const all = sessions.flatMap(({ streams }) => streams);
  const take = (stream: SessionStream, found: JournalStream | undefined) => {
    if (!found || names.has(stream)) return;
    open.delete(found);
    names.set(stream, found.streamId);
  };
  const heardAt = new Map(
    flows.map(({ interfaceName, destination }) => [interfaceName, destination.port - (destination.port % 2)]),
  );
  const isAt = (stream: SessionStream) => (each: JournalStream) =>
    heardAt.get(each.streamId) === stream.address.rtpPort;
  for (const stream of all) take(stream, [...open].find(isAt(stream)));
  const silent = (each: JournalStream) => !heardAt.has(each.streamId);
  for (const stream of all)
    take(
      stream,
      [...open].find((each) => silent(each) && each.label === stream.label),
    );
  return names;
}

const numberOf = ({ streamId }: SessionStream) => Number(streamId.slice(1));

function eventsOf({ events, streams }: CapturedSession, names: Map<SessionStream, string>): SessionEvent[] {
  const byOldId = new Map(streams.map((stream) => [stream.streamId, names.get(stream)]));
  return events.flatMap((event): SessionEvent[] => {
    if (!('streamId' in event)) return [event];
    const streamId = byOldId.get(event.streamId);
    return streamId ? [{ ...event, streamId }] : [];
  });
}

function bringing({ call, peer, startMs, endMs }: CapturedSession, index: number): BringingSession {
  return {
    sipCallId: call.identifiers.sipCallId,
    peer,
    startMs,
    endMs,
    endReason: endMs === null ? null : 'ended',
    joinedBy: index === 0 ? 'first' : 'journal',
    reasons: [],
  };
}

/** mod_oreka's texts name the sides; so do the labels of their streams. */
function orekaState(captured: Captured): SessionState | null {
  const described = callOfTexts(
    captured.sip.map(({ text }) => Buffer.from(text)),
    captured.journalStreams,
  );
  if (!described) return null;
  const state = flowsState(captured);
  const [first] = captured.sip;
  const ended = captured.sip.filter((_, index) => described.byes.includes(index)).at(-1)?.timeMs ?? null;
  const { host, port } = first!.source;
  return {
    ...state,
    source: 'oreka',
    startMs: Math.min(state.startMs, first!.timeMs),
    endMs: ended,
    endReason: ended === null ? 'interrupted' : 'ended',
    call: described.call,
    warnings: [],
    peer: `udp:${host}:${port}`,
  };
}

function flowsState(captured: Captured): SessionState {
  const ours = captured.flows.filter(({ interfaceName }) => interfaceName !== null);
  const state = stateOfFlows(captured, ours);
  const streams = state.streams.map((stream) => {
    const label = captured.journalStreams.find(({ streamId }) => streamId === stream.streamId)?.label ?? null;
    return { ...stream, label, key: stream.streamId };
  });
  return { ...state, streams };
}
