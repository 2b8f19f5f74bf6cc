// One recording session may bring several communication sessions (RFC 7866 §6.2, RFC 7865 §5.1): what belongs to which.
import type { RecordingMetadata } from './metadata/model.ts';

/** Ids of the communication sessions that the metadata knows, running ones apart from ended ones, in its order. */
export function communicationSessions(metadata: RecordingMetadata): { running: string[]; ended: string[] } {
  const over = (id: string) => {
    const session = metadata.sessions.find(({ sessionId }) => sessionId === id);
    const ties = metadata.sessionRecordingAssociations.filter(({ sessionId }) => sessionId === id);
    const left = ties.length > 0 && ties.every(({ disassociateTime }) => disassociateTime !== null);
    return session?.stopTime != null || left;
  };
  const ids = [...new Set(metadata.sessions.map(({ sessionId }) => sessionId))];
  return { running: ids.filter((id) => !over(id)), ended: ids.filter(over) };
}

/** The communication session of the stream with that label; null if the metadata does not say. */
export function sessionOfLabel(metadata: RecordingMetadata, label: string | null): string | null {
  if (label === null) return null;
  return metadata.streams.find((stream) => stream.label === label)?.sessionId ?? null;
}

/** What the metadata says about some of its communication sessions. Objects that name no session belong to each of them. */
export function metadataOfSessions(metadata: RecordingMetadata, ids: readonly string[]): RecordingMetadata {
  const belongs = ({ sessionId }: { sessionId: string | null }) => sessionId === null || ids.includes(sessionId);
  const sessions = ids.flatMap((id) => metadata.sessions.filter(({ sessionId }) => sessionId === id));
  const streams = metadata.streams.filter(belongs);
  const streamIds = new Set(streams.map(({ streamId }) => streamId));
  const ties = metadata.participantSessionAssociations;
  const participants = metadata.participants.filter(({ participantId }) => {
    const own = ties.filter((tie) => tie.participantId === participantId);
    return own.length === 0 || own.some(belongs);
  });
  const groupIds = new Set(sessions.flatMap(({ groupRefs }) => groupRefs));
  return {
    ...metadata,
    sessions,
    streams,
    participants,
    groups: metadata.groups.filter(({ groupId }) => groupIds.has(groupId)),
    sessionRecordingAssociations: metadata.sessionRecordingAssociations.filter(belongs),
    participantSessionAssociations: ties.filter(belongs),
    participantStreamAssociations: metadata.participantStreamAssociations.map((tie) => ({
      ...tie,
      send: tie.send.filter((id) => streamIds.has(id)),
      recv: tie.recv.filter((id) => streamIds.has(id)),
    })),
  };
}
