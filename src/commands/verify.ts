// `sipreel verify`: is everything that was filed still there, and still what it was?
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { compareRecording, type IndexProblem, missingRecordings } from '../archive/index/compare.ts';
import { RecordingIndex } from '../archive/index/recording-index.ts';
import { type Problem, verifyRecordings } from '../archive/verify.ts';
import { recorderDatabase } from '../config/recorder-database.ts';
import { recorderName } from '../config/recorder-name.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { storeCopies, storedFiles } from '../config/stored-files.ts';
import { systemClock } from '../lib/clock.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { configFromFlags } from './serve-options.ts';

export const VERIFY_USAGE = `sipreel verify [--json] [--data DIR] [--config FILE]

Reads every finished recording and compares it with its recording.json (files, sizes, SHA-256 sums, the audio's format and
length) and with the index; says what stands there and belongs to no recording, and what the index has and the disk has
not. Changes no recording; may run beside the recorder. The exit code is 1 if something is wrong.

  --json   one JSON object per problem, and a last one with the totals`;

export async function verify(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean', default: false }, data: { type: 'string' }, config: { type: 'string' } },
  });
  const config = await configFromFlags({ data: values.data, config: values.config });
  const totals = { recordings: 0, octets: 0, problems: 0 };
  const tell = (problem: Problem | IndexProblem) => {
    totals.problems++;
    const { code, path, message } = problem;
    console.log(values.json ? JSON.stringify(problem) : `${path}: ${message} (${code})`);
  };
  const archive = storagePlaces(config).archive;
  const root = join(archive, 'recordings');
  const log = processLog(config.log.level, 2);
  const database = recorderDatabase(config.index, archive, { log, wallMs: systemClock.wallMs() });
  const index = new RecordingIndex(database.index, recorderName(config));
  for await (const { directory, document, problems } of verifyRecordings(
    archive,
    storedFiles(config, await storeCopies(config)),
  )) {
    if (document) {
      totals.recordings++;
      const problem = await compareRecording(index, { directory, document }, root);
      if (problem) tell(problem);
    }
    for (const { octets } of document?.files ?? []) totals.octets += octets;
    if (process.stderr.isTTY && totals.recordings % 100 === 0) progress(relative(config.data, directory));
    problems.forEach(tell);
  }
  for await (const problem of missingRecordings(index, recorderName(config), root)) tell(problem);
  await database.close();
  if (process.stderr.isTTY) progress('');
  const { recordings, octets, problems } = totals;
  if (values.json) console.log(JSON.stringify(totals));
  else {
    const verdict = problems === 0 ? 'nothing is wrong' : `${problems} ${problems === 1 ? 'problem' : 'problems'}`;
    console.log(`${recordings} recordings, ${(octets / 1e6).toFixed(1)} MB: ${verdict}.`);
  }
  return problems === 0 ? EXIT_OK : EXIT_FAILED;
}

/** One line that is written over. */
function progress(text: string): void {
  process.stderr.write(`\r\u001b[K${text}`);
}
