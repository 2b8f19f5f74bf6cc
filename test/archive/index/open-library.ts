// An index with its keeper and library over a data directory, closed after the test.
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type IndexCompanion, IndexKeeper } from '../../../src/archive/index/keeper.ts';
import { IndexLibrary } from '../../../src/archive/index/library.ts';
import type { DatabaseAddress } from '../../../src/database/database.ts';
import { silentLog } from '../../../src/lib/log.ts';
import type { HitDocument } from '../../../src/recording/library.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { openRecordingIndex } from './open-index.ts';

type KeepUntil = (document: HitDocument) => number | null;

export async function openLibrary(
  dataDirectory: string,
  address: DatabaseAddress,
  {
    clock = new ManualClock(),
    recorder = 'here',
    companion = undefined as IndexCompanion | undefined,
    keepUntilMs = (() => null) as KeepUntil,
  } = {},
) {
  const root = join(dataDirectory, 'recordings');
  const index = openRecordingIndex(address, recorder);
  const keeper = new IndexKeeper({ index, dataDirectory, root, keepUntilMs, clock, log: silentLog });
  const library = new IndexLibrary({ index, keeper, dataDirectory, root, recorder, clock, log: silentLog });
  await keeper.prepare(companion);
  await library.prepare();
  await keeper.idle();
  const close = async () => {
    await keeper.close();
    await index.close();
  };
  onTestFinished(close);
  return { index, keeper, library, close };
}
