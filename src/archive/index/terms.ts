// What of a recording can be found, and under which words. Pure.
import { createHash } from 'node:crypto';
import type { Annotations, HitDocument } from '../../recording/library.ts';
import { hasSilentSide, partyTexts, worstLossPercent } from '../../recording/matches-query.ts';
import { normalise } from '../../recording/normalise.ts';
import { numberKey } from '../../recording/numbers.ts';
import { addressOf } from '../../recording/scope.ts';

/** Longer values are found by their beginning only; nothing that anybody types is longer. */
const LONGEST_TERM = 200;
const MOST_TERMS = 500;

/** Recordings that are longer, shorter or lossier than most share a term, so that they are found without reading the others. */
export const LONGER_STEPS_MS = [1_800_000, 3_600_000, 7_200_000, 14_400_000];
export const SHORTER_STEPS_MS = [1_000, 10_000];
export const LOSS_STEPS_PERCENT = [1, 3, 5, 10, 30];

export type TermKind =
  | 'number'
  | 'header'
  | 'call'
  | 'id'
  | 'group'
  | 'tag'
  | 'state'
  | 'source'
  | 'longer'
  | 'shorter'
  | 'loss'
  | 'flag'
  | 'aor'
  | 'name'
  | 'note';

export function term(kind: TermKind, value: string): string {
  return `${kind}:${normalise(value)}`.slice(0, LONGEST_TERM);
}

export const headerValue = (name: string, value: string) => `${normalise(name)}=${value}`;

/** Every term of a recording, each once. */
export function termsOf(document: HitDocument, annotations: Annotations): string[] {
  const { call, times } = document;
  const terms = new Set<string>();
  const add = (kind: TermKind, value: string | null) => {
    if (value !== null && value !== '' && terms.size < MOST_TERMS) terms.add(term(kind, value));
  };
  for (const { aor } of document.participants) if (aor !== null) add('number', numberKey(aor));
  for (const id of [call.sipCallId, call.communicationSessionId, ...call.sipSessionIds]) add('call', id);
  for (const id of [document.id, ...Object.values(call.vendor)]) add('id', id);
  add('group', call.groupId);
  for (const tag of annotations.tags) add('tag', tag);
  // Nearly all are finished: those are found by reading on.
  if (document.state !== 'finished') add('state', document.state);
  add('source', document.source);
  for (const stepMs of LONGER_STEPS_MS) if (times.durationMs >= stepMs) add('longer', String(stepMs));
  for (const stepMs of SHORTER_STEPS_MS) if (times.durationMs < stepMs) add('shorter', String(stepMs));
  const lossPercent = worstLossPercent(document);
  for (const step of LOSS_STEPS_PERCENT) if (lossPercent >= step) add('loss', String(step));
  if (hasSilentSide(document)) add('flag', 'silent-side');
  if (annotations.hold) add('flag', 'held');
  for (const one of textsOf(document, annotations)) terms.add(one.term);
  for (const { name, value } of document.headers) add('header', headerValue(name, value));
  return [...terms];
}

/** A term of which a part may be looked for. */
export interface TermText {
  term: string;
  /** Normalised lines, each between line feeds. */
  text: string;
}

/** Every text of a recording in which words are looked for, and the term that tells who has it. */
export function textsOf(document: HitDocument, annotations: Annotations): TermText[] {
  const texts: TermText[] = [];
  const add = (kind: TermKind, value: string | null, forms: readonly string[] = [value ?? '']) => {
    const text = lines(forms);
    if (value !== null && text !== '\n') texts.push({ term: textTerm(kind, value), text });
  };
  for (const { aor, name } of document.participants) {
    const forms = partyTexts({ participants: [{ aor, name: null }] });
    add('aor', aor, [...forms, ...Object.values(addressOf(aor ?? ''))]);
    add('name', name);
  }
  add('group', document.call.groupId);
  for (const tag of annotations.tags) add('tag', tag);
  for (const note of annotations.notes) add('note', note.text);
  return texts;
}

/** Normalised values, each once, each between line feeds. */
export function lines(values: readonly (string | null)[]): string {
  const kept = new Set(values.map((value) => normalise(value ?? '')).filter((line) => line.trim() !== ''));
  return kept.size === 0 ? '\n' : `\n${[...kept].join('\n')}\n`;
}

/** Of a long text the digest: no two texts share a term. */
function textTerm(kind: TermKind, value: string): string {
  const whole = `${kind}:${normalise(value)}`;
  // Asked for as a whole value as well, and then by its beginning.
  if (whole.length <= LONGEST_TERM || kind === 'group' || kind === 'tag') return whole.slice(0, LONGEST_TERM);
  return `${kind}:${createHash('sha256').update(whole).digest('base64url')}`;
}
