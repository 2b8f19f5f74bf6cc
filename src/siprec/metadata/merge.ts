// Partial metadata onto what is known (RFC 7865 §6.1.1): objects by id, associations by what they tie together.
import type { RecordingMetadata } from './model.ts';

/** A complete document replaces; a partial one replaces the objects that it names and adds new ones. Neither input is changed. */
export function mergeMetadata(known: RecordingMetadata | null, update: RecordingMetadata): RecordingMetadata {
  if (!known || update.dataMode === 'complete') return update;
  return withLatestClaims(
    {
      dataMode: 'complete',
      groups: mergeBy(known.groups, update.groups, (group) => group.groupId),
      sessions: mergeBy(known.sessions, update.sessions, (session) => session.sessionId),
      participants: mergeBy(known.participants, update.participants, (participant) => participant.participantId),
      streams: mergeBy(known.streams, update.streams, (stream) => stream.streamId),
      sessionRecordingAssociations: mergeBy(
        known.sessionRecordingAssociations,
        update.sessionRecordingAssociations,
        (association) => association.sessionId ?? '',
      ),
      participantSessionAssociations: mergeBy(
        known.participantSessionAssociations,
        update.participantSessionAssociations,
        (association) => JSON.stringify([association.participantId, association.sessionId]),
      ),
      participantStreamAssociations: mergeBy(
        known.participantStreamAssociations,
        update.participantStreamAssociations,
        (association) => association.participantId,
      ),
      extensions: update.extensions.length > 0 ? update.extensions : known.extensions,
    },
    update,
  );
}

/** What the update says of a label or of a stream's sender holds; an object that it did not repeat no longer has it. */
function withLatestClaims(merged: RecordingMetadata, update: RecordingMetadata): RecordingMetadata {
  const labelled = new Map(update.streams.map(({ label, streamId }) => [label, streamId]));
  const sentBy = new Map<string, Set<string>>();
  for (const { participantId, send, disassociateTime } of update.participantStreamAssociations) {
    if (disassociateTime !== null) continue;
    for (const streamId of send) sentBy.set(streamId, (sentBy.get(streamId) ?? new Set()).add(participantId));
  }
  return {
    ...merged,
    streams: merged.streams.map((stream) => {
      const owner = stream.label === null ? undefined : labelled.get(stream.label);
      return owner === undefined || owner === stream.streamId ? stream : { ...stream, label: null };
    }),
    participantStreamAssociations: merged.participantStreamAssociations.map((association) => ({
      ...association,
      send: association.send.filter((id) => sentBy.get(id)?.has(association.participantId) ?? true),
    })),
  };
}

/** Known objects keep their place; a new value of the same key keeps the old value's fields where it says nothing. */
function mergeBy<T extends object>(known: T[], update: T[], key: (item: T) => string): T[] {
  const merged = new Map(numbered(known, key));
  for (const [id, item] of numbered(update, key)) {
    const before = merged.get(id);
    merged.set(id, before ? overlay(before, item) : item);
  }
  return [...merged.values()];
}

/** One document may tie the same two together more than once: the n-th of one document meets the n-th of the other. */
function numbered<T>(items: T[], key: (item: T) => string): [string, T][] {
  const counts = new Map<string, number>();
  return items.map((item) => {
    const count = (counts.get(key(item)) ?? 0) + 1;
    counts.set(key(item), count);
    return [`${count} ${key(item)}`, item];
  });
}

function overlay<T extends object>(before: T, after: T): T {
  const said = Object.entries(after).filter(
    ([, value]) => value !== null && !(Array.isArray(value) && value.length === 0),
  );
  // An association that is told again without an end is one that lasts: who left may come back.
  const lasts = 'disassociateTime' in after ? { disassociateTime: after.disassociateTime } : {};
  return { ...before, ...Object.fromEntries(said), ...lasts };
}
