// The index of finished recordings, and the sweeper that lets them go, as configured.
import { type ArchiveIndex, createArchiveIndex } from '../archive/index/archive-index.ts';
import { nextDueMs } from '../archive/retention/policy.ts';
import { RetentionSweeper } from '../archive/retention/sweeper.ts';
import type { StoredFiles } from '../archive/stored-files.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { AuditLog } from '../recording/audit.ts';
import type { RecorderDatabase } from './recorder-database.ts';
import { recorderName } from './recorder-name.ts';
import type { Config } from './schema.ts';
import { storagePlaces } from './storage-places.ts';

/** The database stays the caller's. */
export function openIndex(config: Config, database: RecorderDatabase, files: StoredFiles, log: Log): ArchiveIndex {
  return createArchiveIndex({
    dataDirectory: storagePlaces(config).archive,
    database: database.index,
    recorder: recorderName(config),
    files,
    keepUntilMs: (document) => nextDueMs(document, config.storage),
    clock: systemClock,
    log,
  });
}

/** Sweeps once an hour until it is closed. */
export function startSweeper(
  config: Config,
  parts: { index: ArchiveIndex; audit: AuditLog; clock: Clock; log: Log },
): RetentionSweeper {
  const { index, ...others } = parts;
  const { keepDays, journalKeepDays } = config.storage;
  const sweeper = new RetentionSweeper({
    dataDirectory: storagePlaces(config).archive,
    policy: { keepDays, journalKeepDays },
    library: index.library,
    overdue: (nowMs, limit) => index.overdue(nowMs, limit),
    reckon: () => index.reckonDue(),
    ...others,
  });
  sweeper.start();
  return sweeper;
}
