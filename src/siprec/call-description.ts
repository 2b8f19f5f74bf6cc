// Metadata and SIP headers to what the recorder knows of a call: who takes part, who sends which stream, how it is called.
import type { CallDescription, CallParticipant } from '../recording/call.ts';
import { sameAddress } from './addresses-of-record.ts';
import { readBuiltInBridge } from './built-in-bridge.ts';
import type { ExtensionElement, Participant, RecordingMetadata } from './metadata/model.ts';
import {
  canonicalHeaderName,
  headerList,
  headerValue,
  isProtocolHeader,
  parseNameAddress,
  type SipHeader,
} from './sip-headers.ts';

export interface CallSource {
  sipCallId: string;
  requestUri: string;
  /** Of the INVITE that began the recording session. */
  headers: readonly SipHeader[];
  /** All metadata so far, merged; null if none came or none could be read. */
  metadata: RecordingMetadata | null;
  /** Labels of the SDP: metadata without stream objects names streams by them. */
  labels: readonly string[];
}

const MAX_VENDOR_IDS = 64;
const MAX_VENDOR_VALUE = 1024;
const MAX_EXTRA_HEADERS = 100;
/** Headers that are no `X-` header and still identify a call for somebody. */
const IDENTIFYING_HEADERS = new Set(['user-to-user', 'cisco-guid', 'session-id', 'p-charging-vector', 'history-info']);

export function describeCall(source: CallSource): CallDescription {
  const { metadata, headers } = source;
  const session = metadata?.sessions.find((each) => each.stopTime === null) ?? metadata?.sessions[0];
  const participants = metadata ? participantsOf(metadata, source.labels) : [];
  return {
    participants: participants.length > 0 ? participants : partiesOfHeaders(source),
    identifiers: {
      sipCallId: source.sipCallId,
      communicationSessionId: session?.sessionId ?? null,
      sipSessionIds: [...new Set(metadata?.sessions.flatMap((each) => each.sipSessionIds) ?? [])],
      groupId: session?.groupRefs[0] ?? metadata?.groups[0]?.groupId ?? null,
      vendor: vendorIdentifiers(metadata, headers),
    },
    statedStartMs: metadata ? statedStart(metadata) : null,
    extraHeaders: headers
      .filter((header) => !isProtocolHeader(header.name))
      .slice(0, MAX_EXTRA_HEADERS)
      .map(({ name, value }) => ({ name, value })),
    ...(participants.length === 0 ? { provisional: true } : {}),
  };
}

/** Those who are in the call, in the metadata's order. A party whose every association has ended has left. */
function participantsOf(metadata: RecordingMetadata, labels: readonly string[]): CallParticipant[] {
  const present = metadata.participants.filter((participant) => {
    const ties = metadata.participantSessionAssociations.filter(
      (tie) => tie.participantId === participant.participantId,
    );
    return ties.length === 0 || ties.some((tie) => tie.disassociateTime === null);
  });
  // When all have left, the call is over: who was in it is what matters then.
  const counted = present.length > 0 ? present : metadata.participants;
  const byId = new Map(counted.map((participant) => [participant.participantId, participant]));
  return [...byId.values()].map((participant) => ({
    participantId: participant.participantId,
    ...nameOf(participant),
    sends: labelsSentBy(participant.participantId, metadata, labels),
    role: roleOf(participant),
    ...joinedTime(participant.participantId, metadata),
    ...vendorDataOf(participant, metadata),
  }));
}

function joinedTime(participantId: string, { participantSessionAssociations }: RecordingMetadata) {
  const ties = participantSessionAssociations.filter((tie) => tie.participantId === participantId);
  const joinedMs = ties.findLast(({ associateTime }) => associateTime !== null)?.associateTime ?? null;
  return joinedMs === null ? {} : { joinedMs };
}

/** The first address and the first name that a participant has. */
function nameOf(participant: Participant): { aor: string | null; name: string | null } {
  const aor = participant.nameIds.find((nameId) => nameId.aor !== null)?.aor ?? null;
  const name = participant.nameIds.flatMap((nameId) => nameId.names)[0]?.text ?? null;
  // OpenSIPS copies a quoted display name with its SIP backslashes.
  return { aor, name: name === null ? null : name.replace(/\\(["\\])/g, '$1') };
}

function labelsSentBy(participantId: string, metadata: RecordingMetadata, labels: readonly string[]): string[] {
  const streamIds = metadata.participantStreamAssociations
    .filter((association) => association.participantId === participantId && association.disassociateTime === null)
    .flatMap((association) => association.send);
  const sent = streamIds.map((streamId) => {
    const label = metadata.streams.find((stream) => stream.streamId === streamId)?.label;
    return label ?? (labels.includes(streamId) ? streamId : null);
  });
  return [...new Set(sent.filter((label) => label !== null))];
}

/** Oracle's SBC says `<apkt:callingParty>true</apkt:callingParty>`; nobody else says who called. */
function roleOf(participant: Participant): CallParticipant['role'] {
  const said = flatten(participant.extensions).find((extension) => extension.name.toLowerCase() === 'callingparty');
  if (!said || !/^(true|false)$/i.test(said.text)) return null;
  return said.text.toLowerCase() === 'true' ? 'caller' : 'callee';
}

function statedStart(metadata: RecordingMetadata): number | null {
  const starts = metadata.sessions.map((session) => session.startTime);
  const recorded = metadata.sessionRecordingAssociations.map((association) => association.associateTime);
  const joined = metadata.participantSessionAssociations.map((association) => association.associateTime);
  for (const times of [starts, recorded, joined]) {
    const given = times.filter((time) => time !== null);
    if (given.length > 0) return Math.min(...given);
  }
  return null;
}

/** Plain values by name, so many and so long at most; the first of a name counts. */
class VendorData {
  readonly #found = new Map<string, string>();

  add(name: string, value: string): void {
    const known = this.#found.has(name) || value === '' || value.length > MAX_VENDOR_VALUE;
    if (!known && this.#found.size < MAX_VENDOR_IDS) this.#found.set(name, value);
  }

  addElements(extensions: readonly ExtensionElement[]): void {
    for (const { name, text } of flatten(extensions)) this.add(name, text);
  }

  get values(): Record<string, string> {
    return Object.fromEntries(this.#found);
  }
}

/** What extension elements say of a party: inside it, and where the metadata ties it to sessions and streams. */
function vendorDataOf(participant: Participant, metadata: RecordingMetadata): { vendor?: Record<string, string> } {
  const ties = [...metadata.participantSessionAssociations, ...metadata.participantStreamAssociations];
  const own = ties.filter(({ participantId }) => participantId === participant.participantId);
  const data = new VendorData();
  data.addElements([...participant.extensions, ...own.flatMap(({ extensions }) => extensions)]);
  return Object.keys(data.values).length === 0 ? {} : { vendor: data.values };
}

/** Extension elements about the call, and the headers that carry identifiers. */
function vendorIdentifiers(metadata: RecordingMetadata | null, headers: readonly SipHeader[]): Record<string, string> {
  const data = new VendorData();
  const extensions = metadata
    ? [...metadata.sessions, ...metadata.groups, ...metadata.sessionRecordingAssociations].flatMap(
        (object) => object.extensions,
      )
    : [];
  data.addElements([...extensions, ...(metadata?.extensions ?? [])]);
  const bridgeCall = readBuiltInBridge(headers)?.call;
  if (bridgeCall) data.add('refci', bridgeCall);
  for (const { name, value } of headers) {
    if (/^x-/i.test(name) || IDENTIFYING_HEADERS.has(canonicalHeaderName(name))) data.add(name, value);
  }
  return data.values;
}

function flatten(extensions: readonly ExtensionElement[]): ExtensionElement[] {
  return extensions.flatMap((extension) => [extension, ...flatten(extension.children)]);
}

/**
 * Without metadata: the caller from P-Asserted-Identity, Remote-Party-ID or From, the callee from To.
 * What only names the recording server itself says nothing about the call.
 */
function partiesOfHeaders({ headers, requestUri }: CallSource): CallParticipant[] {
  const parties: CallParticipant[] = [];
  const add = (role: 'caller' | 'callee', candidates: string[]) => {
    for (const candidate of candidates) {
      const address = parseNameAddress(candidate);
      if (!address || sameAddress(address.uri, requestUri) || /^sips?:anonymous@/i.test(address.uri)) continue;
      if (parties.some((party) => sameAddress(party.aor ?? '', address.uri))) continue;
      parties.push({
        participantId: role,
        aor: address.uri,
        name: address.displayName,
        sends: [],
        role,
        provisional: true,
      });
      return;
    }
  };
  const remoteParty = headerList(headers, 'remote-party-id');
  const callingId = remoteParty.filter((value) => !/;\s*party\s*=\s*called/i.test(value));
  const calledId = remoteParty.filter((value) => /;\s*party\s*=\s*called/i.test(value));
  const from = headerValue(headers, 'from');
  const to = headerValue(headers, 'to');
  add('caller', [...headerList(headers, 'p-asserted-identity'), ...callingId, ...(from === null ? [] : [from])]);
  add('callee', [...calledId, ...(to === null ? [] : [to])]);
  return parties;
}
