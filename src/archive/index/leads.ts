// A condition that many recordings fail leads: its places are read newest first, and only those recordings are looked at.
import { type Kysely, sql } from 'kysely';
import { type IndexTables, PLACES_PER_MS } from './schema.ts';

/** Recordings that have any of these terms, and none of which another condition lets through is missing. */
export interface Lead {
  terms: readonly string[];
}

export interface PlaceRange {
  /** Inclusive. */
  from: number;
  /** Exclusive; null: no end. */
  below: number | null;
}

/** So many places of each candidate tell which one is the rarest. */
const PROBED = 64;
const HOUR = 3_600_000 * PLACES_PER_MS;
/**
 * Lists of several terms are in order of the terms, so that all of a stretch of time is read and sorted however few are wanted. The
 * next stretch is as long as what is still missing should take, going by the one before, and some more; within these bounds, as
 * multiples of all that was read before.
 */
const SHORTEST_GROWTH = 1;
const LONGEST_GROWTH = 7;
const SOME_MORE = 1.5;
/** Then all the rest is read at once. */
const MOST_STRETCHES = 6;

/** The newest places that have one of the lead's terms and all of `others`, so many at the most. */
export async function newestPlaces(
  database: Kysely<IndexTables>,
  { terms }: Lead,
  others: readonly string[],
  range: PlaceRange,
  limit: number,
): Promise<number[]> {
  const [first] = terms;
  if (first === undefined) return [];
  const read = async (from: number, below: number | null, most: number) => {
    let places = database.selectFrom('terms as t').select('t.place').where('t.place', '>=', from);
    places = terms.length === 1 ? places.where('t.term', '=', first) : places.distinct().where('t.term', 'in', terms);
    if (below !== null) places = places.where('t.place', '<', below);
    for (const other of others) {
      places = places.where(
        sql<boolean>`exists (select 1 from terms as o where o.term = ${other} and o.place = t.place)`,
      );
    }
    const rows = await places.orderBy('t.place', 'desc').limit(most).execute();
    return rows.map((row) => row.place);
  };
  if (terms.length === 1) return read(range.from, range.below, limit);
  const found: number[] = [];
  let { below } = range;
  const newest = Math.min(below ?? Number.POSITIVE_INFINITY, await behindAll(database));
  let stretch = HOUR;
  let from = newest - stretch;
  for (let i = 0; i < MOST_STRETCHES && from > range.from; i++) {
    const some = await read(from, below, limit - found.length);
    found.push(...some);
    if (found.length >= limit) return found;
    const missingTakes = (SOME_MORE * stretch * (limit - found.length)) / some.length;
    const done = newest - from;
    below = from;
    stretch = Math.round(Math.min(LONGEST_GROWTH * done, Math.max(SHORTEST_GROWTH * done, missingTakes)));
    from -= stretch;
  }
  found.push(...(await read(range.from, below, limit - found.length)));
  return found;
}

/** The place of the n-th newest recording, from 1; null if there are not so many. */
export async function nthPlace(
  database: Kysely<IndexTables>,
  { from, below }: PlaceRange,
  n: number,
): Promise<number | null> {
  let places = database.selectFrom('recordings').select('place').where('place', '>=', from);
  if (below !== null) places = places.where('place', '<', below);
  const row = await places
    .orderBy('place', 'desc')
    .limit(1)
    .offset(n - 1)
    .executeTakeFirst();
  return row?.place ?? null;
}

/** The candidate that leaves the fewest recordings within the range, by what its newest places tell. Null without any. */
export async function rarest(
  database: Kysely<IndexTables>,
  candidates: readonly Lead[],
  range: PlaceRange,
): Promise<Lead | null> {
  if (candidates.length <= 1) return candidates[0] ?? null;
  let best: { lead: Lead; oldest: number; count: number } | null = null;
  for (const lead of candidates) {
    const places = await newestPlaces(database, lead, [], range, PROBED);
    const count = places.length;
    // A list that has come to its end reaches back for ever.
    const oldest = count < PROBED ? Number.NEGATIVE_INFINITY : places.at(-1)!;
    if (best === null || oldest < best.oldest || (oldest === best.oldest && count < best.count)) {
      best = { lead, oldest, count };
    }
    if (count === 0) break;
  }
  return best?.lead ?? null;
}

async function behindAll(database: Kysely<IndexTables>): Promise<number> {
  const row = await database
    .selectFrom('recordings')
    .select('place')
    .orderBy('place', 'desc')
    .limit(1)
    .executeTakeFirst();
  return (row?.place ?? 0) + 1;
}
