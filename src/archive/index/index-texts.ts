// Migration: distinct texts take the place of trigrams of every recording.
import { type Kysely, type Migration, sql, type Transaction } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import { recordingOf } from './row.ts';
import type { IndexTables } from './schema.ts';
import { textsOf } from './terms.ts';
import { putTexts } from './texts.ts';

const ROWS_AT_ONCE = 200;

export function indexTexts(kind: DatabaseKind): Migration {
  return {
    async up(database: Kysely<unknown>) {
      if (kind === 'sqlite') {
        await sql`create table texts (term text primary key, text text not null)`.execute(database);
        await sql`create virtual table text_trigrams using fts5 (
          text, tokenize = 'trigram case_sensitive 1', content = '', contentless_delete = 1
        )`.execute(database);
        await sql`drop table recording_text`.execute(database);
      } else {
        await sql`create table texts (term text collate "C" primary key, text text not null)`.execute(database);
        await sql`create index texts_text on texts using gin (text gin_trgm_ops)`.execute(database);
        await sql`drop index recordings_parties`.execute(database);
        await sql`drop index recordings_words`.execute(database);
      }
      await fill(database as Kysely<IndexTables>, kind);
    },
  };
}

async function fill(database: Kysely<IndexTables>, kind: DatabaseKind): Promise<void> {
  for (let after = Number.MIN_SAFE_INTEGER; ; ) {
    const rows = await database
      .selectFrom('recordings')
      .select(['place', 'document', 'annotations'])
      .where('place', '>', after)
      .orderBy('place')
      .limit(ROWS_AT_ONCE)
      .execute();
    const texts = rows.flatMap(({ place, ...row }) => {
      const { document, annotations } = recordingOf(row);
      return textsOf(document, annotations).map((one) => ({ ...one, place }));
    });
    if (texts.length > 0) {
      await database
        .insertInto('terms')
        .values(texts.map(({ term, place }) => ({ term, place })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      await putTexts(
        database as Transaction<IndexTables>,
        kind,
        texts.map(({ term, text }) => ({ term, text })),
      );
    }
    if (rows.length < ROWS_AT_ONCE) return;
    after = rows.at(-1)!.place;
  }
}
