// Who is who, by stated rules. The rule that decided is kept with the result, so that later metadata may correct it.
import type { CallDescription, CallParticipant } from './call.ts';

export type ChannelLayout = 'stereo' | 'per-party';

/**
 * Rules for the role of a party:
 * - `stated-role`: the source said who called.
 * - `metadata-order`: the first party is the caller, the second the callee (OpenSIPS and RFC 7865 examples list the caller first).
 * - `further-party`: neither; stands on the callee's side.
 */
export type RoleRule = 'stated-role' | 'metadata-order' | 'further-party';

/**
 * Rules for the party behind a stream:
 * - `participant-stream-association`: the metadata says who sends it (RFC 7865 §6.10).
 * - `stream-order`: nothing said so; the n-th stream is taken as the n-th party's.
 * - `remaining-stream`: the only stream and the only party left over belong together.
 * - `unattributed`: no party is left for it; its channel follows its position.
 * - `mixed-stream`: the one stream of the call holds everybody.
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
  participantId: string | null;
  channel: number;
  rule: StreamRule;
}

export interface Attribution {
  participants: AttributedParticipant[];
  streams: AttributedStream[];
  channels: number;
}

/** What attribution needs to know of a stream. `names` are its label and its key: associations may use either. */
export interface AttributableStream {
  streamId: string;
  label: string | null;
  key: string;
}

/** Decides the channel of every stream: 0 (left) is the caller's. `streams` are in the order of their first appearance. */
export function attribute(call: CallDescription, streams: AttributableStream[], layout: ChannelLayout): Attribution {
  const roles = decideRoles(call.participants);
  const senders = decideSenders(call.participants, streams);
  const sideOf = (role: AttributedParticipant['role']) => (role === 'caller' ? 0 : 1);

  const channelOfParticipant = new Map<string, number>();
  for (const [index, { participantId, role }] of roles.entries()) {
    channelOfParticipant.set(participantId, layout === 'stereo' ? sideOf(role) : index);
  }
  let nextChannel = layout === 'stereo' ? 0 : roles.length;
  const attributed = streams.map((stream, position): AttributedStream => {
    const sender = senders.get(stream.streamId);
    const known = sender && channelOfParticipant.get(sender.participantId);
    if (sender && known !== undefined) {
      return { streamId: stream.streamId, participantId: sender.participantId, channel: known, rule: sender.rule };
    }
    const channel = layout === 'stereo' ? Math.min(position, 1) : nextChannel++;
    return { streamId: stream.streamId, participantId: null, channel, rule: 'unattributed' };
  });

  const sending = new Set(attributed.map((stream) => stream.participantId));
  const participants = roles.map((role) => ({
    ...role,
    channel: sending.has(role.participantId) ? (channelOfParticipant.get(role.participantId) ?? null) : null,
  }));
  const highest = attributed.reduce((most, stream) => Math.max(most, stream.channel), 0);
  return { participants, streams: attributed, channels: layout === 'stereo' ? 2 : Math.max(2, highest + 1) };
}

/** For a client that has mixed the parties itself: one channel, and nobody is said to be the one who speaks. */
export function attributeMixed(call: CallDescription, stream: AttributableStream): Attribution {
  return {
    participants: decideRoles(call.participants).map((role) => ({ ...role, channel: 0 })),
    streams: [{ streamId: stream.streamId, participantId: null, channel: 0, rule: 'mixed-stream' }],
    channels: 1,
  };
}

/** The caller comes first in the result, so that per-party channels begin with the two that everybody expects. */
export function decideRoles(participants: CallParticipant[]): Omit<AttributedParticipant, 'channel'>[] {
  const statedCaller = participants.find((party) => party.role === 'caller');
  const statedCallee = participants.find((party) => party.role === 'callee' && party !== statedCaller);
  const unstated = participants.filter((party) => party !== statedCaller && party !== statedCallee);
  const decided: Omit<AttributedParticipant, 'channel'>[] = [];
  const take = (stated: CallParticipant | undefined, role: 'caller' | 'callee') => {
    const party = stated ?? unstated.shift();
    if (party)
      decided.push({ participantId: party.participantId, role, rule: stated ? 'stated-role' : 'metadata-order' });
  };
  take(statedCaller, 'caller');
  take(statedCallee, 'callee');
  for (const { participantId } of unstated) decided.push({ participantId, role: 'other', rule: 'further-party' });
  return decided;
}

function decideSenders(participants: CallParticipant[], streams: AttributableStream[]) {
  const senders = new Map<string, { participantId: string; rule: StreamRule }>();
  for (const stream of streams) {
    const sender = participants.find((party) =>
      party.sends.some((name) => name === stream.label || name === stream.key),
    );
    if (sender) {
      senders.set(stream.streamId, { participantId: sender.participantId, rule: 'participant-stream-association' });
    }
  }
  const withStream = new Set([...senders.values()].map((sender) => sender.participantId));
  const silentParties = participants.filter((party) => !withStream.has(party.participantId));
  const openStreams = streams.filter((stream) => !senders.has(stream.streamId));
  const rule: StreamRule = senders.size > 0 ? 'remaining-stream' : 'stream-order';
  // With some associations known, only an unambiguous rest is filled in; guessing on would swap parties.
  if (rule === 'remaining-stream' && (silentParties.length !== 1 || openStreams.length !== 1)) return senders;
  for (const [index, stream] of openStreams.entries()) {
    const party = silentParties[index];
    if (party) senders.set(stream.streamId, { participantId: party.participantId, rule });
  }
  return senders;
}
