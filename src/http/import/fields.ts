// The fields of an import, from query and form, as a description of the call.
import type { ImportedCall } from '../../recording/import-document.ts';
import { HttpProblem } from '../problem.ts';
import { hintsOf, plainName } from './file-name.ts';

const MAX_FIELDS = 100;
const MAX_VALUE = 2_000;
const MAX_TAGS = 50;
const MAX_TAG = 100;

/** Names without regard to case; the last value of a name counts, and the form's before the query's. */
export class ImportFields {
  readonly #values = new Map<string, { name: string; value: string }>();

  /** Throws 400 for too many fields, too long ones, and NUL. */
  add(name: string, value: string): void {
    if (value.length > MAX_VALUE || name.length > 200) throw wrong(name.slice(0, 200), 'is too long');
    if (`${name}${value}`.includes('\0')) throw wrong(name, 'has a NUL in it');
    const key = name.toLowerCase();
    this.#values.delete(key);
    this.#values.set(key, { name, value: withoutPassword(value.trim()) });
    if (this.#values.size > MAX_FIELDS) throw new HttpProblem(400, 'INVALID_REQUEST', 'There are too many fields.');
  }

  /** Null for none and for an empty one. */
  get(name: string): string | null {
    return this.#values.get(name.toLowerCase())?.value || null;
  }

  all(): { name: string; value: string }[] {
    return [...this.#values.values()];
  }
}

/** Throws 400 with what is wrong. `fileName` is what the file is called, if it is called anything. */
export function describeCall(fields: ImportFields, fileName: string | null): ImportedCall {
  const name = plainName(fileName ?? fields.get('file') ?? fields.get('put_file') ?? '');
  const hints = name === null ? {} : hintsOf(name);
  const stated = { caller: fields.get('caller'), callee: fields.get('callee'), start: fields.get('start') };
  const direction = fields.get('direction') ?? hints.direction ?? null;
  const uniqueid = fields.get('uniqueid') ?? hints.uniqueid ?? null;
  const startMs = stated.start === null ? (hints.startMs ?? null) : readStart(stated.start);
  return {
    caller: stated.caller ?? hints.caller ?? null,
    callee: stated.callee ?? hints.callee ?? null,
    callerName: fields.get('callerName'),
    calleeName: fields.get('calleeName'),
    startMs,
    startFromName: stated.start === null && startMs !== null,
    partiesFromName: stated.caller === null && stated.callee === null && hints.callee !== undefined,
    callId: fields.get('callId') ?? hints.callId ?? null,
    group: fields.get('group'),
    tags: readTags(fields.get('tags')),
    channels: readChannels(fields.get('channels')),
    vendor: {
      ...(uniqueid !== null && { uniqueid }),
      ...(direction !== null && { direction }),
      ...(name !== null && { fileName: name }),
    },
    headers: fields.all().filter((field) => /^x-/i.test(field.name)),
    metadata: JSON.stringify(Object.fromEntries(fields.all().map((field) => [field.name, field.value]))),
  };
}

/** ISO 8601 with a zone, or Unix time in seconds, milliseconds or microseconds: told apart by their length. */
function readStart(text: string): number {
  const ms = /^\d{9,11}(\.\d{1,9})?$/.test(text)
    ? Number(text) * 1000
    : /^\d{12,14}$/.test(text)
      ? Number(text)
      : /^\d{15,17}$/.test(text)
        ? Number(text) / 1000
        : /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/i.test(text)
          ? Date.parse(text)
          : Number.NaN;
  if (!(ms >= 0 && ms < 253_402_300_800_000)) throw wrong('start', 'is ISO 8601 with a zone, or Unix time');
  return Math.round(ms);
}

function readChannels(text: string | null): ImportedCall['channels'] {
  if (text === null || text === 'caller-left' || text === 'callee-left') return text;
  throw wrong('channels', 'is caller-left or callee-left');
}

function readTags(text: string | null): string[] {
  const tags = (text ?? '').split(',').map((tag) => tag.trim());
  const kept = [...new Set(tags.filter(Boolean))].sort();
  if (kept.length > MAX_TAGS || kept.some((tag) => tag.length > MAX_TAG))
    throw wrong('tags', 'are too many or too long');
  return kept;
}

/** mod_httapi tells its own URL, which may have a token in it. */
function withoutPassword(value: string): string {
  return value.replace(/^(https?:\/\/)[^/@]*@/i, '$1');
}

function wrong(field: string, words: string): HttpProblem {
  return new HttpProblem(400, 'INVALID_REQUEST', `${field} ${words}.`);
}
