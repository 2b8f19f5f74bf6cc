// Distinct texts of all recordings (addresses, names, groups, tags, notes), each once, with the term that recordings have for it. A
// customer who calls a thousand times is one text: so a part of a text is looked for among far fewer texts than there are recordings.
import { type Kysely, sql, type Transaction } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { AskedWord } from './question.ts';
import type { IndexTables } from './schema.ts';
import type { TermText } from './terms.ts';

type Work = Transaction<IndexTables>;

/** Trigrams find nothing shorter. */
const SHORTEST_WORD = 3;
/** A word in more texts than that is in so many recordings that reading on finds it quickly. */
export const MOST_TEXTS = 500;
/** Both databases limit the number of parameters. */
const TEXTS_AT_ONCE = 5_000;

/** The terms of all texts with that word in them; null if there are too many, or the word is too short to tell. */
export async function termsWithText(
  database: Kysely<IndexTables>,
  kind: DatabaseKind,
  { column, word }: AskedWord,
): Promise<string[] | null> {
  if ([...word].length < SHORTEST_WORD) return null;
  const contains =
    kind === 'sqlite'
      ? // A quoted string, so that nothing in it is an operator.
        sql<boolean>`x.rowid in (select rowid from text_trigrams where text_trigrams match ${`"${word.replaceAll('"', '""')}"`})`
      : sql<boolean>`x.text like ${`%${likeText(word)}%`} escape '\\'`;
  let texts = database.selectFrom('texts as x').select('x.term').where(contains);
  if (column === 'parties') texts = texts.where(sql<boolean>`(x.term like 'aor:%' or x.term like 'name:%')`);
  const found = await texts.limit(MOST_TEXTS + 1).execute();
  return found.length > MOST_TEXTS ? null : found.map((row) => row.term);
}

export const likeText = (text: string) => text.replace(/[\\%_]/g, '\\$&');

/** Those that are known already stay. */
export async function putTexts(work: Work, kind: DatabaseKind, texts: readonly TermText[]): Promise<void> {
  // In one order, so that two recorders that add the same ones do not wait for each other.
  const distinct = [...new Map(texts.map((one) => [one.term, one])).values()].sort((a, b) =>
    a.term < b.term ? -1 : 1,
  );
  for (let at = 0; at < distinct.length; at += TEXTS_AT_ONCE) {
    const insert = work
      .insertInto('texts')
      .values(distinct.slice(at, at + TEXTS_AT_ONCE))
      .onConflict((conflict) => conflict.doNothing());
    if (kind === 'postgres') await insert.execute();
    else {
      const added = await insert.returning([sql<number>`rowid`.as('rowid'), 'text']).execute();
      if (added.length > 0) await work.insertInto('text_trigrams').values(added).execute();
    }
  }
}

/** Removes those of these terms that no recording has any more: nothing of a deleted recording stays. */
export async function forgetTexts(work: Work, kind: DatabaseKind, terms: readonly string[]): Promise<void> {
  if (terms.length === 0) return;
  const unused = work
    .selectFrom('texts as x')
    .where('x.term', 'in', terms)
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('terms as t').select('t.place').whereRef('t.term', '=', 'x.term'))),
    );
  if (kind === 'sqlite') {
    const rowids = await unused.select(sql<number>`x.rowid`.as('rowid')).execute();
    if (rowids.length === 0) return;
    const gone = rowids.map((row) => row.rowid);
    await work.deleteFrom('text_trigrams').where('rowid', 'in', gone).execute();
    await work.deleteFrom('texts').where(sql`rowid`, 'in', gone).execute();
  } else {
    await work.deleteFrom('texts').where('term', 'in', unused.select('x.term')).execute();
  }
}

/**
 * Several recorders that share a PostgreSQL: nobody takes a text away while somebody else is adding a recording that has it.
 * To be called first in a transaction; SQLite has one writer anyway.
 */
export async function lockTexts(work: Work, kind: DatabaseKind, mode: 'add' | 'forget'): Promise<void> {
  if (kind === 'sqlite') return;
  const lock = mode === 'add' ? sql`pg_advisory_xact_lock_shared` : sql`pg_advisory_xact_lock`;
  await sql`select ${lock}(hashtext('sipreel texts'))`.execute(work);
}
