// `sipreel verify`: is everything that was filed still there, and still what it was?
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type Problem, verifyRecordings } from '../archive/verify.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.ts';
import { configFromFlags } from './serve-options.ts';

export const VERIFY_USAGE = `sipreel verify [--json] [--data DIR] [--config FILE]

Reads every finished recording and compares it with its recording.json: files, sizes, SHA-256 sums, the audio's format
and length, and whether anything stands there that belongs to no recording. Changes nothing; may run beside the recorder.
The exit code is 1 if something is wrong.

  --json   one JSON object per problem, and a last one with the totals`;

export async function verify(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { json: { type: 'boolean', default: false }, data: { type: 'string' }, config: { type: 'string' } },
  });
  const config = configFromFlags({ data: values.data, config: values.config });
  const totals = { recordings: 0, octets: 0, problems: 0 };
  const tell = (problem: Problem) => {
    totals.problems++;
    const { code, path, message } = problem;
    console.log(values.json ? JSON.stringify(problem) : `${path}: ${message} (${code})`);
  };
  for await (const { directory, document, problems } of verifyRecordings(storagePlaces(config).archive)) {
    if (document) totals.recordings++;
    for (const { octets } of document?.files ?? []) totals.octets += octets;
    if (process.stderr.isTTY && totals.recordings % 100 === 0) progress(relative(config.data, directory));
    problems.forEach(tell);
  }
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
