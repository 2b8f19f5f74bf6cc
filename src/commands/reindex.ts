// `sipreel reindex`: the index brought in line with the recordings' files.
import { parseArgs } from 'node:util';
import { openIndex } from '../config/open-index.ts';
import { recorderDatabase } from '../config/recorder-database.ts';
import { recorderName } from '../config/recorder-name.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { storeCopies, storedFiles } from '../config/stored-files.ts';
import { systemClock } from '../lib/clock.ts';
import { EXIT_OK } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { configFromFlags } from './serve-options.ts';

export const REINDEX_USAGE = `sipreel reindex [--data DIR] [--config FILE]

Reads every finished recording and tells the index what its files say; takes out what is no longer there. May run beside
the recorder. Needed after recordings were copied in, moved or removed by hand; a lost index is built again by itself.`;

export async function reindex(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { data: { type: 'string' }, config: { type: 'string' } } });
  const config = await configFromFlags({ data: values.data, config: values.config });
  const recorder = recorderName(config);
  const dataDirectory = storagePlaces(config).archive;
  const log = processLog(config.log.level, 2);
  const database = recorderDatabase(config.index, dataDirectory, { log, wallMs: systemClock.wallMs() });
  const index = openIndex(config, database, storedFiles(config, await storeCopies(config)), log);
  try {
    const indexed = await index.keeper.rebuild();
    const forgotten = await index.keeper.forgetMissing(recorder);
    console.log(`${indexed} recordings indexed, ${forgotten} taken out.`);
    return EXIT_OK;
  } finally {
    await index.close();
    await database.close();
  }
}
