import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { expect, test } from 'vitest';
import { connectDatabase } from '../../src/database/database.ts';
import { onBothDatabases } from '../archive/index/databases.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Tables {
  numbers: { n: number };
}

const migrations = () => ({
  '001': {
    async up(database: Kysely<unknown>) {
      await database.schema
        .createTable('numbers')
        .addColumn('n', 'bigint', (column) => column.primaryKey())
        .execute();
    },
  },
});

onBothDatabases((fresh) => {
  test('several open it at once: one schema', async () => {
    const address = await fresh();
    const databases = [1, 2, 3].map(() => connectDatabase<Tables>(address, migrations));
    await Promise.all(databases.map((database) => database.ready()));
    await Promise.all(databases.map(({ write }, n) => write.insertInto('numbers').values({ n }).execute()));
    const rows = await databases[0]!.read.selectFrom('numbers').selectAll().orderBy('n').execute();
    expect(rows).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    await Promise.all(databases.map((database) => database.close()));
  });

  test('a transaction is whole or not at all, and others wait for it', async () => {
    const database = connectDatabase<Tables>(await fresh(), migrations);
    await database.ready();
    const failing = database.write.transaction().execute(async (work) => {
      await work.insertInto('numbers').values({ n: 1 }).execute();
      throw new Error('no');
    });
    const adding = database.write.insertInto('numbers').values({ n: 2 }).execute();
    await expect(failing).rejects.toThrow('no');
    await adding;
    expect(await database.read.selectFrom('numbers').selectAll().execute()).toEqual([{ n: 2 }]);
    await expect(database.write.insertInto('numbers').values({ n: 2 }).execute()).rejects.toThrow();
    expect(await database.read.selectFrom('numbers').selectAll().execute()).toHaveLength(1);
    await database.close();
    await database.close();
  });

  test('a transaction whose first statement fails, or that has none, leaves nothing behind', async () => {
    const database = connectDatabase<Tables>(await fresh(), migrations);
    await database.ready();
    await database.write.insertInto('numbers').values({ n: 1 }).execute();
    await database.write.transaction().execute(async () => {});
    const empty = database.write.transaction().execute(() => Promise.reject(new Error('no')));
    await expect(empty).rejects.toThrow('no');
    const failing = database.write
      .transaction()
      .execute((work) => work.insertInto('numbers').values({ n: 1 }).execute());
    await expect(failing).rejects.toThrow(/unique/i);
    await database.write.transaction().execute((work) => work.insertInto('numbers').values({ n: 2 }).execute());
    expect(await database.read.selectFrom('numbers').selectAll().orderBy('n').execute()).toEqual([{ n: 1 }, { n: 2 }]);
    await database.close();
  });

  test('large integers come as numbers', async () => {
    const database = connectDatabase<Tables>(await fresh(), migrations);
    await database.ready();
    const n = 1_767_225_600_000_999;
    await database.write.insertInto('numbers').values({ n }).execute();
    expect(await database.read.selectFrom('numbers').selectAll().where('n', '=', n).execute()).toEqual([{ n }]);
    await database.close();
  });
});

test('a long question on SQLite holds up neither the process nor a change', async () => {
  const path = join(await temporaryDirectory(), 'x.sqlite');
  const database = connectDatabase<Tables>({ kind: 'sqlite', path }, migrations);
  await database.ready();
  let answered = false;
  const long =
    sql`with recursive c(n) as (select 1 union all select n + 1 from c where n < 3000000) select max(n) from c`
      .execute(database.read)
      .then(() => {
        answered = true;
      });
  await database.write.insertInto('numbers').values({ n: 1 }).execute();
  expect(answered).toBe(false);
  await long;
  await database.close();
  expect((await stat(path)).mode & 0o027).toBe(0);
});

test('what cannot be opened is told as such, and tried again by the next call', async () => {
  const nowhere = connectDatabase<Tables>({ kind: 'sqlite', path: '/no/such/directory/x.sqlite' }, migrations);
  await expect(nowhere.ready()).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  await expect(nowhere.ready()).rejects.toMatchObject({ code: 'DATABASE_FAILED' });
  await nowhere.close();
});
