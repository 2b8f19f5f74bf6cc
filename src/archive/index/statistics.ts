// Sums over all recordings that meet a query.
import type { Kysely } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { LibraryStatistics, RecordingQuery } from '../../recording/library.ts';
import type { IndexTables } from './schema.ts';
import { findRecordings, isExact, matching } from './search.ts';

/** Documents are inflated here, on the thread that answers SIP. */
const PAGE = 100;

/** Reads every matching row: seconds, not milliseconds, for millions of them. */
export async function sumUp(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  query: RecordingQuery,
): Promise<LibraryStatistics> {
  const sums: LibraryStatistics = {
    recordings: 0,
    durationMs: 0,
    octets: 0,
    byState: { finished: 0, empty: 0, 'not-renderable': 0, failed: 0 },
    bySource: { siprec: 0, oreka: 0, import: 0 },
  };
  const add = (state: string, source: string, count: number, durationMs: number, octets: number) => {
    sums.recordings += count;
    sums.durationMs += durationMs;
    sums.octets += octets;
    sums.byState[state as keyof LibraryStatistics['byState']] += count;
    sums.bySource[source as keyof LibraryStatistics['bySource']] += count;
  };
  if (isExact(query)) {
    const rows = await matching(database, kind, query);
    const groups = await rows
      .select(({ fn }) => [
        'r.state',
        'r.source',
        fn.countAll<number>().as('count'),
        fn.sum<number>('r.duration_ms').as('durationMs'),
        fn.sum<number>('r.octets').as('octets'),
      ])
      .groupBy(['r.state', 'r.source'])
      .execute();
    // PostgreSQL's sums of bigint are numeric, which comes as a text.
    for (const { state, source, count, durationMs, octets } of groups)
      add(state, source, Number(count), Number(durationMs), Number(octets));
    return sums;
  }
  let before: number | null = null;
  do {
    const page = await findRecordings(database, kind, query, { limit: PAGE, before });
    for (const { document } of page.items) {
      const octets = document.files.reduce((total, file) => total + file.octets, 0);
      add(document.state, document.source, 1, document.times.durationMs, octets);
    }
    before = page.before;
  } while (before !== null);
  return sums;
}
