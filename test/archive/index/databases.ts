// Every test of the index runs on both databases.
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import type { DatabaseAddress } from '../../../src/database/database.ts';
import { onePostgres } from '../../support/one-postgres.ts';
import { postgresIsInstalled, type TestPostgres } from '../../support/postgres.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const withPostgres = await postgresIsInstalled();

/** Declares the tests once for SQLite and once for PostgreSQL; `fresh` gives the address of a new, empty database. */
export function onBothDatabases(declare: (fresh: () => Promise<DatabaseAddress>) => void): void {
  describe('on SQLite', () => {
    declare(async () => ({ kind: 'sqlite', path: join(await temporaryDirectory(), 'index.sqlite') }));
  });
  describe.skipIf(!withPostgres)('on PostgreSQL', () => {
    let postgres: TestPostgres;
    beforeAll(async () => {
      postgres = await onePostgres();
    }, 60_000);
    afterAll(() => postgres?.stop(), 60_000);
    declare(async () => {
      return { kind: 'postgres', url: await postgres.database(`sipreel_${randomUUID().replaceAll('-', '')}`) };
    });
  });
}
