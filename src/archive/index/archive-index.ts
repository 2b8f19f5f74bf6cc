// Index, keeper and library of one recorder, put together; and an archive that tells them what it files.
import { join } from 'node:path';
import type { Database } from '../../database/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { ArchiveEngine } from '../../recording/engines.ts';
import type { HitDocument } from '../../recording/library.ts';
import type { StoredFiles } from '../stored-files.ts';
import { IndexKeeper } from './keeper.ts';
import { IndexLibrary } from './library.ts';
import { RecordingIndex } from './recording-index.ts';
import type { IndexTables } from './schema.ts';

export interface ArchiveIndexOptions {
  dataDirectory: string;
  /** With the index's migrations. Stays the caller's: close it after the index. */
  database: Database<IndexTables>;
  /** Unique among the recorders that share a database. */
  recorder: string;
  /** Default: files on this disk, not encrypted. */
  files?: StoredFiles;
  keepUntilMs: (document: HitDocument) => number | null;
  clock: Clock;
  log: Log;
}

export interface ArchiveIndex {
  library: IndexLibrary;
  keeper: IndexKeeper;
  /** Recordings of this recorder of which something is due by then, the longest overdue first. */
  overdue(nowMs: number, limit: number): Promise<string[]>;
  /** Reckons anew when each recording of this recorder is due, after a change of settings. */
  reckonDue(): Promise<void>;
  /** The same archive, and what it files is found at once. */
  indexed(archive: ArchiveEngine): ArchiveEngine;
  close(): Promise<void>;
}

export function createArchiveIndex(options: ArchiveIndexOptions): ArchiveIndex {
  const { dataDirectory, database, recorder, clock } = options;
  const log = options.log.child({ part: 'index' });
  const root = join(dataDirectory, 'recordings');
  const index = new RecordingIndex(database, recorder);
  const keeper = new IndexKeeper({ ...options, index, root, log });
  return {
    library: new IndexLibrary({
      index,
      keeper,
      dataDirectory,
      root,
      recorder,
      clock,
      log,
      ...(options.files && { files: options.files }),
    }),
    keeper,
    overdue: (nowMs, limit) => index.overdue(recorder, nowMs, limit),
    reckonDue: () => index.reckonDue(recorder, options.keepUntilMs),
    indexed: (archive) => ({
      ...archive,
      file: (state, document) => keeper.filing(document, () => archive.file(state, document)),
    }),
    close: () => keeper.close(),
  };
}
