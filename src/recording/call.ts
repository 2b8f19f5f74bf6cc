// What a door has understood about a call. A door hands over a whole new one with each change; the heart compares.

/** One party of the communication session. */
export interface CallParticipant {
  /** The metadata's participant id, or one that the door made up. Stable during the call. */
  participantId: string;
  /** Address of record as written (`sip:1001@example.com`, `tel:+49…`), null if unknown. */
  aor: string | null;
  name: string | null;
  /** Keys of the streams that this party sends now (`OfferedStream.key`), by the metadata's associations. */
  sends: string[];
  /** The part in the call, where the source says it plainly; otherwise null and the order decides. */
  role: 'caller' | 'callee' | null;
  /** When it joined, as the client states it, Unix ms. */
  joinedMs?: number | null;
  /** What the client says of it beyond the standard: plain values by name. */
  vendor?: Record<string, string>;
  /** Taken from SIP headers for want of better: whoever metadata names takes its place. */
  provisional?: boolean;
}

export interface CallDescription {
  /** In the order of the metadata: the first is the caller unless roles say otherwise. */
  participants: CallParticipant[];
  identifiers: CallIdentifiers;
  /** Start of the call as the client states it, Unix ms; null if it does not or cannot be read. */
  statedStartMs: number | null;
  /** Header fields beyond the protocol's own, names as received. */
  extraHeaders: { name: string; value: string }[];
  /** True while the parties are guesses from header fields, or none are known: metadata may still tell. */
  provisional?: boolean;
  /** What a recording-aware party wishes (`a=recordpref`, RFC 7866 §7.3.2). */
  preference?: 'on' | 'off' | 'pause' | 'nopreference';
}

export interface CallIdentifiers {
  /** Call-ID of the recording session (the SIP dialog). */
  sipCallId: string;
  /** Session id of the communication session in the metadata. */
  communicationSessionId: string | null;
  /** sipSessionID elements: Call-IDs or Session-IDs of the recorded call. */
  sipSessionIds: string[];
  groupId: string | null;
  /** Id of the earlier recording of the same call, when recording was stopped and started again. */
  continues?: string;
  /** Identifiers of vendors, by name (`ucid`, `X-Tenant` …). */
  vendor: Record<string, string>;
}

/** Something a door could not read or had to guess; kept on the recording. `code` is kebab-case. */
export interface Warning {
  code: string;
  message: string;
}

/** A version of the raw metadata, kept verbatim. */
export interface RawMetadata {
  receivedMs: number;
  contentType: string;
  text: string;
}
