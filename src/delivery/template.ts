// Names and header values made from a recording: `{start}_{caller}_{header.X-Tenant}.wav`. Values come from the wire, so only
// harmless characters survive, and no value becomes more than a part of one name.
import type { RecordingDocument } from '../recording/document.ts';
import { addressOf } from '../recording/scope.ts';

const FIELDS = {
  id: (document: RecordingDocument) => document.id,
  start: (document: RecordingDocument) => document.times.start.replace(/[-:]/g, '').replace(/\.\d+/, ''),
  year: (document: RecordingDocument) => document.times.start.slice(0, 4),
  month: (document: RecordingDocument) => document.times.start.slice(5, 7),
  day: (document: RecordingDocument) => document.times.start.slice(8, 10),
  caller: (document: RecordingDocument) => userOf(document, 'caller'),
  callee: (document: RecordingDocument) => userOf(document, 'callee'),
  callerName: (document: RecordingDocument) => partyOf(document, 'caller')?.name ?? 'unknown',
  calleeName: (document: RecordingDocument) => partyOf(document, 'callee')?.name ?? 'unknown',
  callId: (document: RecordingDocument) => document.call.sipCallId,
  group: (document: RecordingDocument) => document.call.groupId ?? 'none',
  source: (document: RecordingDocument) => document.source,
  durationSeconds: (document: RecordingDocument) => String(Math.round(document.times.durationMs / 1000)),
};

const HEADER = /^header\.([\w!#$%&'*+.^`|~-]{1,100})$/;
const MAX_VALUE_LENGTH = 100;

/** Fields that a template must not use; empty if it can be used. */
export function unknownFields(template: string): string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)]
    .map(([, field = '']) => field)
    .filter((field) => !Object.hasOwn(FIELDS, field) && !HEADER.test(field));
}

/** Fills in a template. `encode` is applied to each value, after it was cleaned. */
export function fillTemplate(
  template: string,
  document: RecordingDocument,
  encode: (value: string) => string = (value) => value,
): string {
  return template.replace(/\{([^{}]*)\}/g, (_, field: string) => encode(cleaned(fieldValue(field, document))));
}

function fieldValue(field: string, document: RecordingDocument): string {
  const [, header] = HEADER.exec(field) ?? [];
  if (header === undefined) return FIELDS[field as keyof typeof FIELDS]?.(document) ?? '';
  return document.headers.find(({ name }) => name.toLowerCase() === header.toLowerCase())?.value ?? 'none';
}

function cleaned(value: string): string {
  const clean = value
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9+=@._-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .slice(0, MAX_VALUE_LENGTH);
  return clean === '' ? 'unknown' : clean;
}

function partyOf(document: RecordingDocument, role: 'caller' | 'callee') {
  return document.participants.find((participant) => participant.role === role);
}

function userOf(document: RecordingDocument, role: 'caller' | 'callee'): string {
  const party = partyOf(document, role);
  return addressOf(party?.aor ?? '').user || party?.name || 'unknown';
}
