// Who is who, by stated rules. The rule that decided is kept with the result, so that later metadata may correct it.
import type { CallDescription, CallParticipant } from './call.ts';
import { presenceOf } from './parties.ts';
import type { SessionEvent, StreamSender } from './session-state.ts';

export type ChannelLayout = 'stereo' | 'per-party';

/**
 * Rules for the role of a party:
 * - `stated-role`: the source said who called.
 * - `metadata-order`: the first party is the caller, the second the callee (OpenSIPS and RFC 7865 examples list the caller first).
 * - `takes-free-side`: came when everybody on one side had left (a transfer), and stands there.
 * - `further-party`: none of these; stands on the callee's side.
 */
export type RoleRule = 'stated-role' | 'metadata-order' | 'takes-free-side' | 'further-party';

/**
 * Rules for the party behind a stream:
 * - `participant-stream-association`: the metadata says who sends it (RFC 7865 §6.8).
 * - `stream-order`: nothing said so; the n-th stream is taken as the n-th party's.
 * - `remaining-stream`: the only stream and the only party left over belong together.
 * - `unattributed`: no party is left for it; its channel follows its position.
 * - `mixed-stream`: it holds several parties at once, by the metadata or because it is the only one of the call.
 */
export type StreamRule =
  | 'participant-stream-association'
  | 'remaining-stream'
  | 'stream-order'
  | 'unattributed'
  | 'mixed-stream';

export interface AttributedParticipant {
  participantId: string;
  role: 'caller' | 'callee' | 'other';
  /** Null if the party sends no stream. */
  channel: number | null;
  rule: RoleRule;
}

export interface AttributedStream {
  streamId: string;
  /** The first one if several sent it one after the other. */
  participantId: string | null;
  channel: number;
  rule: StreamRule;
}

export interface Attribution {
  participants: AttributedParticipant[];
  streams: AttributedStream[];
  channels: number;
}

/** What attribution needs to know of a stream. */
export interface AttributableStream {
  streamId: string;
  label: string | null;
  key: string;
  /** Number of the recording session that brings it. */
  session?: number;
  senders?: StreamSender[];
}

/** When parties came and went. */
export interface CallHistory {
  startMs: number;
  events: SessionEvent[];
}

/** Decides the channel of every stream: 0 (left) is the caller's. `streams` are in the order of their first appearance. */
export function attribute(
  call: CallDescription,
  streams: AttributableStream[],
  layout: ChannelLayout,
  history: CallHistory = { startMs: 0, events: [] },
): Attribution {
  const senders = streams.map((stream) => sendersOf(stream, call.participants));
  const only = streams[0];
  if (only && streams.length === 1 && senders[0]!.first.length !== 1 && call.participants.length !== 1) {
    return attributeMixed(call, only);
  }
  const roles = decideRoles(call.participants, history);
  const decided = decideSenders(call.participants, streams, senders);

  const channelOfParticipant = new Map<string, number>();
  for (const [index, { participantId, side }] of roles.entries()) {
    channelOfParticipant.set(participantId, layout === 'stereo' ? side : index);
  }
  let nextChannel = layout === 'stereo' ? 0 : roles.length;
  const attributed = streams.map((stream, position): AttributedStream => {
    const { streamId } = stream;
    const sender = decided.get(streamId);
    const known = sender && channelOfParticipant.get(sender.participantId);
    if (sender && known !== undefined) return { streamId, ...sender, channel: known };
    const channel = layout === 'stereo' ? Math.min(position, 1) : nextChannel++;
    return { streamId, participantId: null, channel, rule: 'unattributed' };
  });

  const channelHeard = new Map<string, number>();
  streams.forEach((_, index) => {
    const { participantId, channel } = attributed[index]!;
    // Whoever only came to a stream later is heard where that stream stands.
    for (const id of [participantId, ...senders[index]!.all])
      if (id !== null && !channelHeard.has(id)) channelHeard.set(id, channel);
  });
  const participants = roles.map(({ side: _, ...role }) => ({
    ...role,
    channel: channelHeard.get(role.participantId) ?? null,
  }));
  const highest = attributed.reduce((most, stream) => Math.max(most, stream.channel), 0);
  return { participants, streams: attributed, channels: layout === 'stereo' ? 2 : Math.max(2, highest + 1) };
}

/** For a client that has mixed the parties itself: one channel, and nobody is said to be the one who speaks. */
export function attributeMixed(call: CallDescription, stream: AttributableStream): Attribution {
  return {
    participants: decideRoles(call.participants, { startMs: 0, events: [] }).map(({ side: _, ...role }) => ({
      ...role,
      channel: 0,
    })),
    streams: [{ streamId: stream.streamId, participantId: null, channel: 0, rule: 'mixed-stream' }],
    channels: 1,
  };
}

interface DecidedRole extends Omit<AttributedParticipant, 'channel'> {
  /** 0 is the caller's. */
  side: 0 | 1;
}

/** The caller comes first in the result, so that per-party channels begin with the two that everybody expects. */
export function decideRoles(
  participants: CallParticipant[],
  history: CallHistory = { startMs: 0, events: [] },
): DecidedRole[] {
  const statedCaller = participants.find((party) => party.role === 'caller');
  const statedCallee = participants.find((party) => party.role === 'callee' && party !== statedCaller);
  const unstated = participants.filter((party) => party !== statedCaller && party !== statedCallee);
  const decided: DecidedRole[] = [];
  const take = (stated: CallParticipant | undefined, role: 'caller' | 'callee', side: 0 | 1) => {
    const party = stated ?? unstated.shift();
    const rule = stated ? 'stated-role' : 'metadata-order';
    if (party) decided.push({ participantId: party.participantId, role, rule, side });
  };
  take(statedCaller, 'caller', 0);
  take(statedCallee, 'callee', 1);
  for (const { participantId } of unstated) {
    const cameMs = presenceOf(history, participantId)[0]!.fromMs;
    const there = decided.filter((other) => wasThere(history, other.participantId, cameMs));
    const free = there.length > 0 && cameMs > history.startMs && there.every(({ side }) => side === 1);
    const rule = free ? 'takes-free-side' : 'further-party';
    decided.push({ participantId, role: 'other', rule, side: free ? 0 : 1 });
  }
  return decided;
}

function wasThere(history: CallHistory, participantId: string, atMs: number): boolean {
  return presenceOf(history, participantId).some(({ fromMs, untilMs }) => fromMs <= atMs && atMs < untilMs);
}

/** `first`: who sent it when it was first known; more than one when the client mixes. `all`: whoever did, in order. */
function sendersOf(stream: AttributableStream, participants: CallParticipant[]): { first: string[]; all: string[] } {
  const known = (stream.senders ?? []).filter(({ participantId }) =>
    participants.some((party) => party.participantId === participantId),
  );
  const fromMs = Math.min(...known.map((sender) => sender.fromMs));
  const first = known.filter((sender) => sender.fromMs === fromMs).map(({ participantId }) => participantId);
  if (known.length > 0) return { first, all: known.map(({ participantId }) => participantId) };
  const sending = participants.filter((party) => party.sends.includes(stream.key)).map((party) => party.participantId);
  return { first: sending, all: sending };
}

function decideSenders(
  participants: CallParticipant[],
  streams: AttributableStream[],
  known: { first: string[] }[],
): Map<string, { participantId: string; rule: StreamRule }> {
  const senders = new Map<string, { participantId: string; rule: StreamRule }>();
  streams.forEach(({ streamId }, index) => {
    const [first, ...others] = known[index]!.first;
    const rule = others.length > 0 ? 'mixed-stream' : 'participant-stream-association';
    if (first !== undefined) senders.set(streamId, { participantId: first, rule });
  });
  const withStream = new Set(known.flatMap(({ first }) => first));
  const silentParties = participants.filter((party) => !withStream.has(party.participantId));
  const openStreams = streams.filter((stream) => !senders.has(stream.streamId));
  const rule: StreamRule = senders.size > 0 ? 'remaining-stream' : 'stream-order';
  // With some associations known, only an unambiguous rest is filled in; guessing on would swap parties.
  if (rule === 'remaining-stream' && (silentParties.length !== 1 || openStreams.length !== 1)) return senders;
  for (const [index, stream] of openStreams.entries()) {
    const party = silentParties[placeInOrder(openStreams, index)];
    if (party) senders.set(stream.streamId, { participantId: party.participantId, rule });
  }
  return senders;
}

/** A later session with all the streams of the first one brings the same parties again; a single one continues the row. */
function placeInOrder(streams: AttributableStream[], index: number): number {
  const session = streams[index]!.session ?? 1;
  const own = streams.filter((stream) => (stream.session ?? 1) === session);
  return session > 1 && own.length > 1 ? own.indexOf(streams[index]!) : index;
}
