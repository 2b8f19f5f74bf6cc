// The index's tables. It holds nothing that the recordings' own files do not: it can be thrown away and built again.
import { type Kysely, type Migration, sql } from 'kysely';
import type { DatabaseKind, Migrations } from '../../database/database.ts';
import { indexTexts } from './index-texts.ts';
import { splitDocuments } from './split-documents.ts';

/**
 * A recording's place in the order of all: its start in Unix ms, times 1000, plus a number that keeps places apart. One number is
 * primary key, order and paging cursor, so that "newest first, from there on" is one step in every index.
 */
export const PLACES_PER_MS = 1000;

export interface RecordingRow {
  place: number;
  id: string;
  /** Below the archive's root, `/` between its parts. */
  directory: string;
  /** Name of the recorder whose disk holds it. */
  recorder: string;
  duration_ms: number;
  octets: number;
  state: string;
  source: string;
  /** Of the worst stream. */
  loss_percent: number;
  /** 0 or 1. */
  silent_side: number;
  /** 0 or 1: legal hold. */
  held: number;
  /** Unix ms after which the rules let the recording go; null: kept. */
  keep_until_ms: number | null;
  /** Normalised addresses and names, each between line feeds. */
  parties: string;
  /** Normalised group, tags and notes, likewise. */
  words: string;
  /** What searches and lists need of recording.json, deflated. */
  document: Uint8Array;
  /** What else of it is kept here, likewise. */
  details: Uint8Array;
  /** Annotations as JSON. */
  annotations: string;
}

/** The inverted index: everything that can be asked for as a whole value, each list in the order of places. */
export interface TermRow {
  term: string;
  place: number;
}

export interface IndexTables {
  recordings: RecordingRow;
  terms: TermRow;
  /** Distinct texts, each with the term of the recordings that have it. */
  texts: { term: string; text: string };
  /** SQLite only: trigrams of the texts, by their rowid. PostgreSQL has a trigram index on the column instead. */
  text_trigrams: { rowid: number; text: string };
}

export const indexMigrations: Migrations = (kind) => ({
  '001_index': createIndex(kind),
  '002_details': splitDocuments(kind),
  '003_texts': indexTexts(kind),
});

function createIndex(kind: DatabaseKind): Migration {
  return {
    async up(database: Kysely<unknown>) {
      const blob = kind === 'sqlite' ? 'blob' : 'bytea';
      await database.schema
        .createTable('recordings')
        .addColumn('place', kind === 'sqlite' ? 'integer' : 'bigint', (column) => column.primaryKey())
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .addColumn('directory', 'text', (column) => column.notNull())
        .addColumn('recorder', 'text', (column) => column.notNull())
        .addColumn('duration_ms', 'bigint', (column) => column.notNull())
        .addColumn('octets', 'bigint', (column) => column.notNull())
        .addColumn('state', 'text', (column) => column.notNull())
        .addColumn('source', 'text', (column) => column.notNull())
        .addColumn('loss_percent', 'double precision', (column) => column.notNull())
        .addColumn('silent_side', 'integer', (column) => column.notNull())
        .addColumn('held', 'integer', (column) => column.notNull())
        .addColumn('keep_until_ms', 'bigint')
        .addColumn('parties', 'text', (column) => column.notNull())
        .addColumn('words', 'text', (column) => column.notNull())
        .addColumn('document', blob, (column) => column.notNull())
        .addColumn('annotations', 'text', (column) => column.notNull())
        .execute();
      await sql`create index recordings_keep_until on recordings (keep_until_ms) where keep_until_ms is not null`.execute(
        database,
      );
      if (kind === 'sqlite') {
        // One tree that is table and index in one.
        await sql`create table terms (term text not null, place integer not null, primary key (term, place)) without rowid`.execute(
          database,
        );
        await sql`create virtual table recording_text using fts5 (
          parties, words, tokenize = 'trigram case_sensitive 1', content = '', contentless_delete = 1
        )`.execute(database);
      } else {
        await sql`create table terms (term text collate "C" not null, place bigint not null, primary key (term, place))`.execute(
          database,
        );
        await sql`create extension if not exists pg_trgm`.execute(database);
        await sql`create index recordings_parties on recordings using gin (parties gin_trgm_ops)`.execute(database);
        await sql`create index recordings_words on recordings using gin (words gin_trgm_ops)`.execute(database);
      }
    },
  };
}
