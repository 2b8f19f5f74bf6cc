// Questions to the index:
//
//   query ──what it asks for (question.ts)──▶ words ──texts they are in (texts.ts)──▶ candidates ──the rarest leads (leads.ts)──▶
//   its places, newest first ──the other conditions, row by row──▶ matchesQuery ──▶ page
//
// So a page costs what it shows, not what the archive holds. Without a lead the recordings themselves are read from the newest on:
// then nothing is asked, or only what many recordings have.
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { RecordingQuery, SearchHit } from '../../recording/library.ts';
import { matchesQuery } from '../../recording/matches-query.ts';
import { normalise } from '../../recording/normalise.ts';
import { isEverything, type RecordingScope } from '../../recording/scope.ts';
import { type Lead, newestPlaces, nthPlace, type PlaceRange, rarest } from './leads.ts';
import { type AskedWord, identifierTerms, scopeWords, termsAsked, wordsAsked } from './question.ts';
import { recordingOf } from './row.ts';
import { type IndexTables, PLACES_PER_MS, type RecordingRow } from './schema.ts';
import { likeText, termsWithText } from './texts.ts';

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

/** Rows looked at for one page at the most. After them the page is given as it is, with a cursor to go on from. */
const MOST_ROWS = { led: 20_000, read: 200_000 };
const LEAST_ROWS = 50;
/** In one statement, so that other questions come in between. Rows of a lead are asked for by their places. */
const MOST_ROWS_AT_ONCE = { led: 1_000, read: 20_000 };

/** Recordings that meet the query, newest first, those below the place `before` only (null: from the newest on). */
export async function findRecordings(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  query: RecordingQuery,
  page: { limit: number; before: number | null },
): Promise<FoundRecordings> {
  const items: FoundRecording[] = [];
  const range = rangeOf(query, page.before);
  const { lead, others } = await leadOf(database, kind, query, range);
  const way = lead ? 'led' : 'read';
  let atOnce = Math.max(LEAST_ROWS, page.limit + 1);
  // SQL lets through at least what is asked for; matchesQuery has the last word.
  for (let seen = 0; seen < MOST_ROWS[way]; ) {
    const places = lead && (await newestPlaces(database, lead, others, range, atOnce));
    // The place where this step ends; null: nothing is behind it.
    const end = places ? (places[atOnce - 1] ?? null) : await nthPlace(database, range, atOnce);
    const most = places ? atOnce : page.limit + 1;
    const rows = await fitting(database, query, end === null ? range : { ...range, from: end }, places)
      .orderBy('r.place', 'desc')
      .select(['r.place', 'r.directory', 'r.recorder', 'r.document', 'r.annotations'])
      .limit(most)
      .execute();
    for (const { place, directory, recorder, ...row } of rows) {
      const recording = recordingOf(row);
      if (!matchesQuery({ ...recording, directory: null }, query)) continue;
      // One more than asked for: there is another page.
      if (items.length === page.limit) return { items, before: items.at(-1)?.place ?? null };
      items.push({ place, directory, recorder, ...recording });
    }
    if (!places && rows.length === most) range.below = rows.at(-1)!.place;
    else if (end === null) return { items, before: null };
    else range.below = end;
    seen += atOnce;
    atOnce = Math.min(4 * atOnce, MOST_ROWS_AT_ONCE[way]);
  }
  return { items, before: range.below };
}

/** True if `matching` gives exactly what the query means. */
export const isExact = ({ scope, number }: RecordingQuery) =>
  number === undefined && (scope === undefined || isEverything(scope));

/** At least the rows that meet the query, all of them. */
export async function matching(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  query: RecordingQuery,
): Promise<Rows> {
  const range = rangeOf(query, null);
  const { lead, others } = await leadOf(database, kind, query, range);
  let rows = fitting(database, query, range, null);
  if (!lead) return rows;
  if (lead.terms.length === 0) return rows.where(sql<boolean>`1 = 0`);
  rows = rows.where('r.place', 'in', (terms) =>
    terms
      .selectFrom('terms as t')
      .select('t.place')
      .where('t.term', 'in', lead.terms)
      .where('t.place', '>=', range.from)
      .$if(range.below !== null, (some) => some.where('t.place', '<', range.below!)),
  );
  for (const other of others) rows = rows.where(hasTerm([other]));
  return rows;
}

function rangeOf({ fromMs, toMs }: RecordingQuery, before: number | null): PlaceRange {
  const ends = [before, toMs === undefined ? null : toMs * PLACES_PER_MS].filter((end) => end !== null);
  return {
    from: fromMs === undefined ? Number.MIN_SAFE_INTEGER : Math.ceil(fromMs * PLACES_PER_MS),
    below: ends.length > 0 ? Math.ceil(Math.min(...ends)) : null,
  };
}

/** The lead, and the terms that its recordings must have besides. */
async function leadOf(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  query: RecordingQuery,
  range: PlaceRange,
): Promise<{ lead: Lead | null; others: string[] }> {
  const terms = termsAsked(query);
  const candidates: Lead[] = terms.map((one) => ({ terms: [one] }));
  for (const asked of wordsAsked(query)) {
    const found = await termsWithText(database, kind, asked);
    if (found) candidates.push({ terms: asked.column === 'any' ? [...found, ...identifierTerms(asked.word)] : found });
  }
  const scope = await scopeTerms(database, kind, query.scope);
  if (scope) candidates.push({ terms: scope });
  const lead = await rarest(database, candidates, range);
  return { lead, others: terms.filter((one) => lead?.terms[0] !== one || lead.terms.length > 1) };
}

/** The terms of what is in scope, roughly; null if it cannot be told by them. */
async function scopeTerms(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  scope: RecordingScope | undefined,
): Promise<string[] | null> {
  const found = new Set<string>();
  for (const word of scopeWords(scope) ?? [null]) {
    const terms = word && (await termsWithText(database, kind, word));
    if (!terms) return null;
    for (const one of terms) found.add(one);
  }
  return [...found];
}

/** Rows that meet the conditions which are looked at row by row: those at these places, or all. */
function fitting(
  database: Kysely<IndexTables>,
  query: RecordingQuery,
  { from, below }: PlaceRange,
  places: readonly number[] | null,
): Rows {
  let rows = database.selectFrom('recordings as r') as unknown as Rows;
  if (places) rows = places.length > 0 ? rows.where('r.place', 'in', places) : rows.where(sql<boolean>`1 = 0`);
  else {
    if (from !== Number.MIN_SAFE_INTEGER) rows = rows.where('r.place', '>=', from);
    if (below !== null) rows = rows.where('r.place', '<', below);
  }
  for (const word of wordsAsked(query)) rows = rows.where(contains(word));
  return exactly(rows, query);
}

function contains({ column, word }: AskedWord) {
  const pattern = `%${likeText(word)}%`;
  const inColumn = (name: string) => sql<boolean>`${sql.ref(name)} like ${pattern} escape '\\'`;
  if (column === 'parties') return inColumn('r.parties');
  return sql<boolean>`(${inColumn('r.parties')} or ${inColumn('r.words')} or ${hasTerm(identifierTerms(word))})`;
}

const hasTerm = (terms: readonly string[]) =>
  sql<boolean>`exists (select 1 from terms as o where o.place = r.place and o.term in (${sql.join(terms)}))`;

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
