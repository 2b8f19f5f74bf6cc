// One communication session as several recording sessions bring it: their descriptions and streams made one.
import type { CallDescription, CallIdentifiers, CallParticipant } from '../recording/call.ts';
import type { OfferedStream } from '../recording/media.ts';
import { sameAddress } from './addresses-of-record.ts';

/** What one recording session brings of one communication session. */
export interface Contribution {
  call: CallDescription;
  streams: OfferedStream[];
}

/** `number` counts the sessions of a recording from 1, in the order in which they joined. */
export interface NumberedContribution {
  number: number;
  contribution: Contribution;
}

/** The session's own keys are unique within it alone; those of the first session stay as they are. */
export function sharedKey(number: number, key: string): string {
  return number === 1 ? key : `${number}:${key}`;
}

export function combineStreams(present: readonly NumberedContribution[]): OfferedStream[] {
  return present.flatMap(({ number, contribution }) =>
    contribution.streams.map((stream) => ({ ...stream, key: sharedKey(number, stream.key), session: number })),
  );
}

/** `all` are the sessions that ever brought the call, `present` those that still do: only their parties are in it. */
export function combineCalls(
  all: readonly NumberedContribution[],
  present: readonly NumberedContribution[],
  continues: string | null,
): CallDescription {
  const calls = all.map(({ contribution }) => contribution.call);
  const starts = calls.map(({ statedStartMs }) => statedStartMs).filter((start) => start !== null);
  return {
    participants: combineParties(present),
    identifiers: combineIdentifiers(
      calls.map(({ identifiers }) => identifiers),
      continues,
    ),
    statedStartMs: starts.length > 0 ? Math.min(...starts) : null,
    extraHeaders: uniqueHeaders(calls.flatMap(({ extraHeaders }) => extraHeaders)),
    ...firstPreference(calls),
    ...(calls.every(({ provisional }) => provisional) ? { provisional: true } : {}),
  };
}

function firstPreference(calls: readonly CallDescription[]): Pick<CallDescription, 'preference'> {
  const preference = calls.find((call) => call.preference !== undefined)?.preference;
  return preference === undefined ? {} : { preference };
}

function combineIdentifiers(identifiers: CallIdentifiers[], continues: string | null): CallIdentifiers {
  const first = <T>(values: (T | null)[]) => values.find((value) => value !== null) ?? null;
  return {
    sipCallId: identifiers[0]?.sipCallId ?? '',
    communicationSessionId: first(identifiers.map(({ communicationSessionId }) => communicationSessionId)),
    sipSessionIds: [...new Set(identifiers.flatMap(({ sipSessionIds }) => sipSessionIds))],
    groupId: first(identifiers.map(({ groupId }) => groupId)),
    ...(continues === null ? {} : { continues }),
    vendor: Object.assign({}, ...identifiers.map(({ vendor }) => vendor).toReversed()),
  };
}

function uniqueHeaders(headers: CallDescription['extraHeaders']): CallDescription['extraHeaders'] {
  const text = ({ name, value }: { name: string; value: string }) => `${name.toLowerCase()}: ${value}`;
  return [...new Map(headers.toReversed().map((header) => [text(header), header])).values()].reverse();
}

/**
 * A party that several sessions name is one: by its id, else by its address. What the first session does not know of it,
 * the next one fills in.
 */
function combineParties(present: readonly NumberedContribution[]): CallParticipant[] {
  const combined: CallParticipant[] = [];
  for (const { number, contribution } of present) {
    for (const party of contribution.call.participants) {
      const sends = party.sends.map((key) => sharedKey(number, key));
      const known = number > 1 ? combined.findIndex((other) => sameParty(other, party)) : -1;
      if (known >= 0) combined[known] = join(combined[known]!, { ...party, sends });
      else combined.push({ ...party, participantId: freeId(party.participantId, number, combined), sends });
    }
  }
  return combined;
}

function sameParty(one: CallParticipant, other: CallParticipant): boolean {
  if (one.aor !== null && other.aor !== null && sameAddress(one.aor, other.aor)) return true;
  return one.participantId === other.participantId && (one.aor === null || other.aor === null);
}

function join(one: CallParticipant, other: CallParticipant): CallParticipant {
  return {
    participantId: one.participantId,
    aor: one.aor ?? other.aor,
    name: one.name ?? other.name,
    ...((one.vendor || other.vendor) && { vendor: { ...other.vendor, ...one.vendor } }),
    sends: [...one.sends, ...other.sends],
    role: one.role ?? other.role,
  };
}

/** Parties out of headers are called the same in every session. */
function freeId(id: string, number: number, taken: readonly CallParticipant[]): string {
  return taken.some(({ participantId }) => participantId === id) ? `${id}-${number}` : id;
}
