// Questions to the index. Each is led by the one condition that leaves the fewest recordings, in the order of places; the
// others are looked at row by row. So a page costs what it shows, not what the archive holds.
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { RecordingQuery, SearchHit } from '../../recording/library.ts';
import { matchesQuery } from '../../recording/matches-query.ts';
import { normalise, wordsOf } from '../../recording/normalise.ts';
import { numberKey } from '../../recording/numbers.ts';
import { isEverything, type RecordingScope } from '../../recording/scope.ts';
import { recordingOf } from './row.ts';
import { type IndexTables, PLACES_PER_MS, type RecordingRow } from './schema.ts';
import { headerValue, LONGER_STEPS_MS, LOSS_STEPS_PERCENT, SHORTER_STEPS_MS, term } from './terms.ts';

export interface FoundRecordings {
  items: FoundRecording[];
  /** Where the next page begins; null if there is none. */
  before: number | null;
}

export interface FoundRecording extends Omit<SearchHit, 'directory'> {
  place: number;
  /** Below the archive's root. */
  directory: string;
  recorder: string;
}

type Rows = SelectQueryBuilder<IndexTables & { r: RecordingRow }, 'r', object>;

/** Trigrams find nothing shorter. */
const SHORTEST_WORD = 3;
/** Rows looked at for one page at the most. After them the page is given as it is, with a cursor to go on from. */
const MOST_ROWS = 20_000;
const LEAST_ROWS = 50;

/** Recordings that meet the query, newest first, those below the place `before` only (null: from the newest on). */
export async function findRecordings(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  query: RecordingQuery,
  page: { limit: number; before: number | null },
): Promise<FoundRecordings> {
  const items: FoundRecording[] = [];
  const identifiers = await identifiersAsked(database, kind, query);
  let { before } = page;
  // SQL lets through at least what is asked for; matchesQuery has the last word.
  for (let seen = 0; seen < MOST_ROWS; ) {
    const limit = Math.max(LEAST_ROWS, page.limit + 1 - items.length);
    const { rows: matches, place: order } = matching(database, kind, { query, identifiers, before });
    const rows = await matches
      .orderBy(sql.ref(order), 'desc')
      .select(['r.place', 'r.directory', 'r.recorder', 'r.document', 'r.annotations'])
      .limit(limit)
      .execute();
    for (const { place, directory, recorder, ...row } of rows) {
      const recording = recordingOf(row);
      if (!matchesQuery({ ...recording, directory: null }, query)) continue;
      // One more than asked for: there is another page.
      if (items.length === page.limit) return { items, before: items.at(-1)?.place ?? null };
      items.push({ place, directory, recorder, ...recording });
    }
    if (rows.length < limit) return { items, before: null };
    before = rows.at(-1)?.place ?? before;
    seen += rows.length;
  }
  return { items, before };
}

/** True if `matching` gives exactly what the query means. */
export const isExact = ({ scope, number }: RecordingQuery) =>
  number === undefined && (scope === undefined || isEverything(scope));

/** At least the rows that meet the query, and the column of their places that the database has in order. */
export function matching(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  asked: { query: RecordingQuery; identifiers: readonly AskedIdentifier[]; before: number | null },
): { rows: Rows; place: string } {
  const { query, identifiers, before } = asked;
  const terms = termsAsked(query);
  const leading = terms.shift();
  const words = wordsAsked(query).filter(
    ({ column, word }) => column !== 'any' || !identifiers.some((one) => one.word === word),
  );
  const trigrams = words.filter(({ word }) => [...word].length >= SHORTEST_WORD);
  const led = leading !== undefined && !leading.weak;
  let rows: Rows;
  let place: 't.place' | 'x.rowid' | 'r.place' = 'r.place';
  if (!led && kind === 'sqlite' && trigrams.length > 0) {
    if (leading) terms.unshift(leading);
    place = 'x.rowid';
    // CROSS JOIN: SQLite takes the tables in this order.
    rows = database
      .selectFrom('recording_text as x')
      .crossJoin('recordings as r')
      .whereRef('r.place', '=', 'x.rowid')
      .where(sql<boolean>`recording_text match ${trigramQuery(trigrams)}`) as unknown as Rows;
  } else if (leading) {
    place = 't.place';
    rows = database
      .selectFrom('terms as t')
      .crossJoin('recordings as r')
      .whereRef('r.place', '=', 't.place')
      .where('t.term', '=', leading.term) as unknown as Rows;
  } else {
    rows = database.selectFrom('recordings as r') as unknown as Rows;
  }
  rows = between(rows, place, query, before);
  for (const { term: other } of terms) {
    rows = rows.where(
      sql<boolean>`exists (select 1 from terms as o where o.term = ${other} and o.place = ${sql.ref(place)})`,
    );
  }
  const rest = place === 'x.rowid' ? words.filter((word) => !trigrams.includes(word)) : words;
  for (const { column, word } of rest) rows = rows.where(contains(column, word));
  for (const { places } of identifiers) rows = rows.where('r.place', 'in', places);
  return { rows: exactly(rows, query), place };
}

/** A word of the free text that is an identifier of some recording, and all places where it is one or stands in a text. */
export interface AskedIdentifier {
  word: string;
  places: number[];
}

/** An identifier leads to so few recordings that their places are gathered first; of more, the newest count. */
const MOST_PLACES = 5_000;

export async function identifiersAsked(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  { text }: RecordingQuery,
): Promise<AskedIdentifier[]> {
  const found: AskedIdentifier[] = [];
  for (const word of wordsOf(text ?? '')) {
    const terms = [term('call', word), term('id', word)];
    const identified = await database
      .selectFrom('terms')
      .select('place')
      .where('term', 'in', terms)
      .limit(MOST_PLACES)
      .execute();
    if (identified.length === 0) continue;
    const others = await containing(database, kind, word);
    found.push({ word, places: [...new Set([...identified, ...others].map(({ place }) => place))] });
  }
  return found;
}

async function containing(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  word: string,
): Promise<{ place: number }[]> {
  if (kind === 'sqlite' && [...word].length >= SHORTEST_WORD) {
    return database
      .selectFrom('recording_text')
      .select('rowid as place')
      .where(sql<boolean>`recording_text match ${trigramQuery([{ column: 'any', word }])}`)
      .orderBy('rowid', 'desc')
      .limit(MOST_PLACES)
      .execute();
  }
  const rows = await database
    .selectFrom('recordings as r')
    .select('r.place')
    .where(contains('any', word))
    .limit(MOST_PLACES)
    .execute();
  return rows;
}

interface AskedTerm {
  term: string;
  /** Many recordings have it: words lead better. */
  weak: boolean;
}

/** The most telling first. */
function termsAsked(query: RecordingQuery): AskedTerm[] {
  const { callId, number, group, header, tag, state, source, minDurationMs, maxDurationMs, minLossPercent } = query;
  const strong: string[] = [];
  if (callId !== undefined) strong.push(term('call', callId));
  if (number !== undefined) strong.push(term('number', numberKey(number)));
  if (header !== undefined) strong.push(term('header', headerValue(header.name, header.value)));
  if (group !== undefined) strong.push(term('group', group));
  if (tag !== undefined) strong.push(term('tag', tag));
  if (query.held === true) strong.push(term('flag', 'held'));
  const weak: string[] = [];
  if (query.silentSide === true) weak.push(term('flag', 'silent-side'));
  const loss = LOSS_STEPS_PERCENT.filter((step) => step <= (minLossPercent ?? 0)).at(-1);
  if (loss !== undefined) weak.push(term('loss', String(loss)));
  const longer = LONGER_STEPS_MS.filter((stepMs) => stepMs <= (minDurationMs ?? 0)).at(-1);
  if (longer !== undefined) weak.push(term('longer', String(longer)));
  const shorter = SHORTER_STEPS_MS.find((stepMs) => stepMs > (maxDurationMs ?? Number.POSITIVE_INFINITY));
  if (shorter !== undefined) weak.push(term('shorter', String(shorter)));
  if (state !== undefined && state !== 'finished') weak.push(term('state', state));
  if (source !== undefined) weak.push(term('source', source));
  return [...strong.map((one) => ({ term: one, weak: false })), ...weak.map((one) => ({ term: one, weak: true }))];
}

interface AskedWord {
  column: 'parties' | 'any';
  /** A part of the text, blanks included. */
  word: string;
}

/** Longest first: it leads best. */
function wordsAsked({ party, text }: RecordingQuery): AskedWord[] {
  const asked: AskedWord[] = wordsOf(text ?? '').map((word) => ({ column: 'any', word }));
  if (party !== undefined) asked.push({ column: 'parties', word: normalise(party) });
  return asked.filter(({ word }) => word !== '').sort((a, b) => b.word.length - a.word.length);
}

/** FTS5: each word as a quoted string, so that nothing in it is an operator. */
function trigramQuery(words: readonly AskedWord[]): string {
  const quoted = (word: string) => `"${word.replaceAll('"', '""')}"`;
  return words.map(({ column, word }) => (column === 'any' ? quoted(word) : `parties : ${quoted(word)}`)).join(' AND ');
}

function contains(column: AskedWord['column'], word: string) {
  const pattern = `%${likeText(word)}%`;
  const inColumn = (name: string) => sql<boolean>`${sql.ref(name)} like ${pattern} escape '\\'`;
  if (column === 'parties') return inColumn('r.parties');
  return sql<boolean>`(${inColumn('r.parties')} or ${inColumn('r.words')})`;
}

const likeText = (text: string) => text.replace(/[\\%_]/g, '\\$&');

function between(rows: Rows, place: string, { fromMs, toMs }: RecordingQuery, before: number | null): Rows {
  let narrowed = rows;
  const column = sql.ref<number>(place);
  const ends = [before, toMs === undefined ? null : toMs * PLACES_PER_MS].filter((end) => end !== null);
  if (ends.length > 0) narrowed = narrowed.where(sql<boolean>`${column} < ${Math.min(...ends)}`);
  if (fromMs !== undefined) narrowed = narrowed.where(sql<boolean>`${column} >= ${fromMs * PLACES_PER_MS}`);
  return narrowed;
}

/** What a term says only roughly, or not at all. */
function exactly(rows: Rows, query: RecordingQuery): Rows {
  let exact = rows;
  if (query.minDurationMs !== undefined) exact = exact.where('r.duration_ms', '>=', query.minDurationMs);
  if (query.maxDurationMs !== undefined) exact = exact.where('r.duration_ms', '<=', query.maxDurationMs);
  if (query.minLossPercent !== undefined) exact = exact.where('r.loss_percent', '>=', query.minLossPercent);
  if (query.silentSide === false) exact = exact.where('r.silent_side', '=', 0);
  if (query.held === false) exact = exact.where('r.held', '=', 0);
  if (query.state === 'finished') exact = exact.where('r.state', '=', 'finished');
  const { scope } = query;
  if (scope && !isEverything(scope)) exact = exact.where(roughlyInScope(scope));
  return exact;
}

/** Lets through at least what the scope allows. */
function roughlyInScope(scope: RecordingScope) {
  const lines = [
    ...scope.parties.map((pattern) => sql<boolean>`r.parties like ${linePattern(pattern)} escape '\\'`),
    ...scope.groups.map((pattern) => sql<boolean>`r.words like ${linePattern(pattern)} escape '\\'`),
  ];
  return sql<boolean>`(${sql.join(lines, sql` or `)})`;
}

const linePattern = (pattern: string) =>
  `%\n${pattern
    .split('*')
    .map((piece) => likeText(normalise(piece)))
    .join('%')}\n%`;
