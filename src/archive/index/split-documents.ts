// Migration: rows that hold all of recording.json are cut into what searches need and the rest, without the raw metadata.
import { type Kysely, type Migration, sql } from 'kysely';
import type { DatabaseKind } from '../../database/database.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import { deflated, inflated } from './row.ts';

const ROWS_AT_ONCE = 200;

interface Tables {
  recordings: { place: number; document: Uint8Array; details: Uint8Array };
}

export function splitDocuments(kind: DatabaseKind): Migration {
  return {
    async up(database: Kysely<unknown>) {
      const recordings = database as Kysely<Tables>;
      // An empty value until each row has its own: SQLite adds no column without one.
      const empty = kind === 'sqlite' ? sql`x''` : sql`''::bytea`;
      await database.schema
        .alterTable('recordings')
        .addColumn('details', kind === 'sqlite' ? 'blob' : 'bytea', (column) => column.notNull().defaultTo(empty))
        .execute();
      for (let after = Number.MIN_SAFE_INTEGER; ; ) {
        const rows = await recordings
          .selectFrom('recordings')
          .select(['place', 'document'])
          .where('place', '>', after)
          .orderBy('place')
          .limit(ROWS_AT_ONCE)
          .execute();
        for (const { place, document } of rows) {
          const { metadata: _, timeline, ...hit } = inflated<RecordingDocument>(document);
          await recordings
            .updateTable('recordings')
            .set({ document: deflated(hit), details: deflated({ timeline }) })
            .where('place', '=', place)
            .execute();
        }
        if (rows.length < ROWS_AT_ONCE) return;
        after = rows.at(-1)!.place;
      }
    },
  };
}
