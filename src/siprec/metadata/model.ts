// Recording metadata as RFC 7865 models it (§6), whatever document it came in. Plain data, ids as written.

export interface RecordingMetadata {
  /** `partial`: only what changed since the last one (RFC 7865 §6.1.1). */
  dataMode: 'complete' | 'partial';
  groups: CommunicationSessionGroup[];
  sessions: CommunicationSession[];
  participants: Participant[];
  streams: MediaStream[];
  sessionRecordingAssociations: SessionRecordingAssociation[];
  participantSessionAssociations: ParticipantSessionAssociation[];
  participantStreamAssociations: ParticipantStreamAssociation[];
  /** Extensions that stand beside the objects, not in one of them. */
  extensions: ExtensionElement[];
}

/** Unix ms; null if it was not given or could not be read. */
export type MetadataTime = number | null;

interface Interval {
  associateTime: MetadataTime;
  disassociateTime: MetadataTime;
}

export interface CommunicationSessionGroup extends Interval {
  groupId: string;
  extensions: ExtensionElement[];
}

export interface CommunicationSession {
  sessionId: string;
  sipSessionIds: string[];
  groupRefs: string[];
  /** Why the call came to be or ended, with the protocol attribute if there is one. */
  reasons: { protocol: string | null; text: string }[];
  startTime: MetadataTime;
  stopTime: MetadataTime;
  extensions: ExtensionElement[];
}

export interface Participant {
  participantId: string;
  nameIds: { aor: string | null; names: { language: string | null; text: string }[] }[];
  extensions: ExtensionElement[];
}

export interface MediaStream {
  streamId: string;
  sessionId: string | null;
  /** The label of the m-line; opaque, often `0`. */
  label: string | null;
  extensions: ExtensionElement[];
}

export interface SessionRecordingAssociation extends Interval {
  sessionId: string | null;
  extensions: ExtensionElement[];
}

export interface ParticipantSessionAssociation extends Interval {
  participantId: string;
  sessionId: string | null;
  /** Callee capabilities and the like (RFC 3840), by name. */
  parameters: { name: string; value: string }[];
  extensions: ExtensionElement[];
}

export interface ParticipantStreamAssociation extends Interval {
  participantId: string;
  /** Ids of the streams that this participant sends. */
  send: string[];
  recv: string[];
  extensions: ExtensionElement[];
}

/** An element of a namespace that RFC 7865 does not know, kept as it is. */
export interface ExtensionElement {
  /** Without prefix. */
  name: string;
  namespace: string | null;
  attributes: Record<string, string>;
  text: string;
  children: ExtensionElement[];
}

export function emptyMetadata(): RecordingMetadata {
  return {
    dataMode: 'complete',
    groups: [],
    sessions: [],
    participants: [],
    streams: [],
    sessionRecordingAssociations: [],
    participantSessionAssociations: [],
    participantStreamAssociations: [],
    extensions: [],
  };
}
