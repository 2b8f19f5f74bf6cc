// The index if there is one, else the directories: the finished recordings that `sipreel list` and others work on.
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryLibrary } from '../archive/directory-library.ts';
import { RecordingIndex } from '../archive/index/recording-index.ts';
import { listRecordings } from '../archive/list.ts';
import type { StoredFiles } from '../archive/stored-files.ts';
import { openIndex } from '../config/open-index.ts';
import { recorderDatabase } from '../config/recorder-database.ts';
import { recorderName } from '../config/recorder-name.ts';
import type { Config } from '../config/schema.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { storeCopies, storedFiles } from '../config/stored-files.ts';
import { systemClock } from '../lib/clock.ts';
import type { LocalLibrary } from './local-library.ts';
import { processLog } from './process-log.ts';

export async function openLibrary(config: Config): Promise<LocalLibrary> {
  const places = storagePlaces(config);
  const log = processLog('warn', 2);
  const files = storedFiles(config, await storeCopies(config));
  return (await openIndexed(config, places, files, log)) ?? openDirectories(places, files, log);
}

type Places = ReturnType<typeof storagePlaces>;
type Log = ReturnType<typeof processLog>;

/** Null if there is no index, if it is empty, or if it cannot be opened by this user. */
async function openIndexed(
  config: Config,
  { data, archive }: Places,
  files: StoredFiles,
  log: Log,
): Promise<LocalLibrary | null> {
  if (config.index.postgres === null && !(await exists(join(archive, 'index.sqlite')))) return null;
  const database = recorderDatabase(config.index, archive, { log, wallMs: systemClock.wallMs() });
  const index = new RecordingIndex(database.index, recorderName(config));
  const { library, close } = openIndex(config, database, files, log);
  const empty = await index.isEmpty().catch((error: Error) => {
    log.warn({ err: error }, 'the index cannot be used: the directories are read');
    return true;
  });
  if (empty) {
    await database.close();
    return null;
  }
  return {
    library,
    dataDirectory: data,
    idsStartingWith: (prefix) => index.idsStartingWith(prefix, 2),
    async close() {
      await close();
      await database.close();
    },
  };
}

function openDirectories({ data, archive }: Places, files: StoredFiles, log: Log): LocalLibrary {
  return {
    library: new DirectoryLibrary({ dataDirectory: archive, clock: systemClock, log, files }),
    dataDirectory: data,
    async idsStartingWith(prefix) {
      const found: string[] = [];
      for await (const { document } of listRecordings(archive)) {
        if (document.id.startsWith(prefix)) found.push(document.id);
        if (found.length === 2) break;
      }
      return found;
    },
    close: async () => {},
  };
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
