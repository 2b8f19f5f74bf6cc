// What a query asks for, in the index's words. Pure.
import type { RecordingQuery } from '../../recording/library.ts';
import { normalise, wordsOf } from '../../recording/normalise.ts';
import { numberKey } from '../../recording/numbers.ts';
import { isEverything, type RecordingScope } from '../../recording/scope.ts';
import { headerValue, LONGER_STEPS_MS, LOSS_STEPS_PERCENT, SHORTER_STEPS_MS, term } from './terms.ts';

export interface AskedWord {
  /** `parties`: in a party's address or name. `any`: also in group, tags and notes, or a whole identifier. */
  column: 'parties' | 'any';
  /** A part of the text, blanks included. */
  word: string;
}

/** Terms that a recording has to have, every one. What they say only roughly, the rows say exactly. */
export function termsAsked(query: RecordingQuery): string[] {
  const { callId, number, group, header, tag, state, source, minDurationMs, maxDurationMs, minLossPercent } = query;
  const terms: string[] = [];
  if (callId !== undefined) terms.push(term('call', callId));
  if (number !== undefined) terms.push(term('number', numberKey(number)));
  if (header !== undefined) terms.push(term('header', headerValue(header.name, header.value)));
  if (group !== undefined) terms.push(term('group', group));
  if (tag !== undefined) terms.push(term('tag', tag));
  if (query.held === true) terms.push(term('flag', 'held'));
  if (query.silentSide === true) terms.push(term('flag', 'silent-side'));
  const loss = LOSS_STEPS_PERCENT.filter((step) => step <= (minLossPercent ?? 0)).at(-1);
  if (loss !== undefined) terms.push(term('loss', String(loss)));
  const longer = LONGER_STEPS_MS.filter((stepMs) => stepMs <= (minDurationMs ?? 0)).at(-1);
  if (longer !== undefined) terms.push(term('longer', String(longer)));
  const shorter = SHORTER_STEPS_MS.find((stepMs) => stepMs > (maxDurationMs ?? Number.POSITIVE_INFINITY));
  if (shorter !== undefined) terms.push(term('shorter', String(shorter)));
  // Nearly all are finished: they have no term for it.
  if (state !== undefined && state !== 'finished') terms.push(term('state', state));
  if (source !== undefined) terms.push(term('source', source));
  return terms;
}

export function wordsAsked({ party, text }: RecordingQuery): AskedWord[] {
  const asked: AskedWord[] = wordsOf(text ?? '').map((word) => ({ column: 'any', word }));
  if (party !== undefined) asked.push({ column: 'parties', word: normalise(party) });
  return asked.filter(({ word }) => word !== '');
}

/** Terms that a word of the free text is, as a whole identifier. */
export const identifierTerms = (word: string) => [term('call', word), term('id', word)];

/** The longest piece of each pattern, with the ends of its line where the pattern has no `*` there; null: nothing is limited. */
export function scopeWords(scope: RecordingScope | undefined): AskedWord[] | null {
  if (scope === undefined || isEverything(scope)) return null;
  return [
    ...scope.parties.map((pattern): AskedWord => ({ column: 'parties', word: longestPiece(pattern) })),
    ...scope.groups.map((pattern): AskedWord => ({ column: 'any', word: longestPiece(pattern) })),
  ];
}

function longestPiece(pattern: string): string {
  return `\n${pattern.split('*').map(normalise).join('*')}\n`
    .split('*')
    .reduce((longest, piece) => (piece.length > longest.length ? piece : longest));
}
