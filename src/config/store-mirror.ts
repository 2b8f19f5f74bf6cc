// The mirror of finished recordings in an object store, as configured.
import type { ArchiveIndex } from '../archive/index/archive-index.ts';
import type { StoreCopies } from '../archive/remote/copies.ts';
import { StoreMirror } from '../archive/remote/mirror.ts';
import { systemClock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Config } from './schema.ts';
import { storagePlaces } from './storage-places.ts';

const HOUR_MS = 3_600_000;

/** Null: there is no store. */
export function storeMirror(
  config: Config,
  copies: StoreCopies | null,
  index: ArchiveIndex,
  log: Log,
): StoreMirror | null {
  if (!copies) return null;
  const { keepLocalHours, prefix } = config.s3;
  return new StoreMirror({
    dataDirectory: storagePlaces(config).archive,
    prefix,
    keepLocalMs: keepLocalHours === null ? null : keepLocalHours * HOUR_MS,
    copies,
    find: (recordingId) => index.library.get(recordingId),
    clock: systemClock,
    log: log.child({ part: 'store' }),
  });
}
