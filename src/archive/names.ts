// Names of recordings on disk. Values come from the wire, so nothing but a short list of harmless characters survives.
import type { RecordingDocument } from '../recording/document.ts';

export const DEFAULT_NAME_TEMPLATE = '{start}_{caller}_{callee}_{id}';

const FIELDS = ['start', 'caller', 'callee', 'callerName', 'calleeName', 'callId', 'group', 'source', 'id'] as const;
export type NameField = (typeof FIELDS)[number];

const MAX_VALUE_LENGTH = 48;
const MAX_NAME_LENGTH = 200;

/** The unknown fields of a template; an empty list means that it can be used. */
export function unknownNameFields(template: string): string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)].map(([, field]) => field ?? '').filter((field) => !isNameField(field));
}

/** `<name>` of a recording's directory: one path segment, never empty, never `.` or `..`, ASCII only. */
export function recordingName(template: string, document: RecordingDocument): string {
  const filled = template.replace(/\{([^{}]*)\}/g, (_, field: string) =>
    isNameField(field) ? cleanValue(nameValue(field, document)) : '',
  );
  const name = filled
    .replace(/[^A-Za-z0-9+=@._-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, MAX_NAME_LENGTH)
    .replace(/[.]+$/, '');
  return name === '' ? cleanValue(document.id) : name;
}

/** `<yyyy>/<mm>/<dd>` of the start, UTC. */
export function recordingDay(document: Pick<RecordingDocument, 'times'>): string {
  return document.times.start.slice(0, 10).replaceAll('-', '/');
}

function isNameField(field: string): field is NameField {
  return (FIELDS as readonly string[]).includes(field);
}

function nameValue(field: NameField, document: RecordingDocument): string {
  const party = (role: 'caller' | 'callee') => document.participants.find((participant) => participant.role === role);
  switch (field) {
    case 'start':
      return document.times.start.replace(/[-:]/g, '').replace(/\.\d+/, '');
    case 'caller':
      return userPart(party('caller')?.aor) ?? party('caller')?.name ?? 'unknown';
    case 'callee':
      return userPart(party('callee')?.aor) ?? party('callee')?.name ?? 'unknown';
    case 'callerName':
      return party('caller')?.name ?? 'unknown';
    case 'calleeName':
      return party('callee')?.name ?? 'unknown';
    case 'callId':
      return document.call.sipCallId;
    case 'group':
      return document.call.groupId ?? 'none';
    case 'source':
      return document.source;
    case 'id':
      return document.id.slice(0, 8);
  }
}

/** The user of `sip:user@host`, the number of `tel:`, else the whole text. */
function userPart(aor: string | null | undefined): string | null {
  if (!aor) return null;
  const match = /^(?:sips?:|tel:)?([^@;>]+)/i.exec(aor);
  return match?.[1] ?? aor;
}

function cleanValue(value: string): string {
  const ascii = value.normalize('NFKD').replace(/\p{M}/gu, '');
  const cleaned = ascii.replace(/[^A-Za-z0-9+=.-]+/g, '-').replace(/^[.-]+|[.-]+$/g, '');
  return cleaned === '' ? 'unknown' : cleaned.slice(0, MAX_VALUE_LENGTH);
}
