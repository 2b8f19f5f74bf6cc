// Index, keeper and library of one recorder, put together; and an archive that tells them what it files.
import { join } from 'node:path';
import type { DatabaseAddress } from '../../database/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import type { ArchiveEngine } from '../../recording/engines.ts';
import { IndexKeeper } from './keeper.ts';
import { IndexLibrary } from './library.ts';
import { openRecordingIndex } from './recording-index.ts';
import { setAsideIfDamaged } from './set-aside.ts';

export interface ArchiveIndexOptions {
  dataDirectory: string;
  /** PostgreSQL's URL; null: SQLite in the data directory. */
  postgres: string | null;
  /** Unique among the recorders that share a database. */
  recorder: string;
  keepUntilMs: (document: RecordingDocument) => number | null;
  clock: Clock;
  log: Log;
}

export interface ArchiveIndex {
  library: IndexLibrary;
  keeper: IndexKeeper;
  /** Recordings of this recorder of which something is due by then, the longest overdue first. */
  overdue(nowMs: number, limit: number): Promise<string[]>;
  /** The same archive, and what it files is found at once. */
  indexed(archive: ArchiveEngine): ArchiveEngine;
  close(): Promise<void>;
}

export function createArchiveIndex(options: ArchiveIndexOptions): ArchiveIndex {
  const { dataDirectory, postgres, recorder, clock } = options;
  const log = options.log.child({ part: 'index' });
  const root = join(dataDirectory, 'recordings');
  const address: DatabaseAddress =
    postgres === null
      ? { kind: 'sqlite', path: join(dataDirectory, 'index.sqlite') }
      : { kind: 'postgres', url: postgres };
  if (address.kind === 'sqlite') setAsideIfDamaged(address.path, clock.wallMs(), log);
  const index = openRecordingIndex(address, recorder);
  const keeper = new IndexKeeper({ ...options, index, root, log });
  return {
    library: new IndexLibrary({ index, keeper, dataDirectory, root, recorder, clock, log }),
    keeper,
    overdue: (nowMs, limit) => index.overdue(recorder, nowMs, limit),
    indexed: (archive) => ({
      ...archive,
      file: (state, document) => keeper.changing(document, () => archive.file(state, document)),
    }),
    async close() {
      await keeper.close();
      await index.close();
    },
  };
}
