// The one database of a recorder, and what each room keeps in it: the index and the outbox share transactions.
import { join } from 'node:path';
import { type IndexTables, indexMigrations } from '../archive/index/schema.ts';
import { setAsideIfDamaged } from '../archive/index/set-aside.ts';
import { connectDatabase, type Database, type DatabaseAddress } from '../database/database.ts';
import { type OutboxTables, outboxMigrations } from '../delivery/schema.ts';
import type { Log } from '../lib/log.ts';
import type { Config } from './schema.ts';

export interface RecorderDatabase {
  index: Database<IndexTables>;
  outbox: Database<OutboxTables>;
  close(): Promise<void>;
}

/** Connects when it is first used. A damaged SQLite file is put aside. */
export function recorderDatabase(
  { postgres }: Config['index'],
  dataDirectory: string,
  { log, wallMs }: { log: Log; wallMs: number },
): RecorderDatabase {
  const address: DatabaseAddress =
    postgres === null
      ? { kind: 'sqlite', path: join(dataDirectory, 'index.sqlite') }
      : { kind: 'postgres', url: postgres };
  if (address.kind === 'sqlite') setAsideIfDamaged(address.path, wallMs, log);
  const database = connectDatabase<IndexTables & OutboxTables>(address, (kind) => ({
    ...indexMigrations(kind),
    ...outboxMigrations(kind),
  }));
  // The same connections, seen by each room as its own tables.
  return {
    index: database as unknown as Database<IndexTables>,
    outbox: database as unknown as Database<OutboxTables>,
    close: () => database.close(),
  };
}
