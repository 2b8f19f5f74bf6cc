// `sipreel list`: finished recordings in the data directory, newest first.
import { parseArgs } from 'node:util';
import { type ListedRecording, listRecordings } from '../archive/list.ts';
import { storagePlaces } from '../config/storage-places.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { configFromFlags } from './serve-options.ts';
import { describeParty, describeQuality, formatDuration } from './show-recording.ts';

export const LIST_USAGE = `sipreel list [--json] [--limit N] [--data DIR] [--config FILE]

Finished recordings, newest first. With --json one recording.json per line, with its directory.

  --limit N   how many at the most (20; 0 for all)`;

export async function list(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: 'boolean', default: false },
      limit: { type: 'string', default: '20' },
      data: { type: 'string' },
      config: { type: 'string' },
    },
  });
  const limit = Number(values.limit);
  if (!Number.isInteger(limit) || limit < 0) {
    console.error('--limit needs a whole number');
    return EXIT_USAGE;
  }
  const config = configFromFlags({ data: values.data, config: values.config });
  const unreadable = (directory: string, error: unknown) =>
    console.error(`${directory}: recording.json cannot be read: ${(error as Error).message.split('\n')[0]}`);
  let shown = 0;
  for await (const recording of listRecordings(storagePlaces(config).archive, unreadable)) {
    console.log(
      values.json ? JSON.stringify({ directory: recording.directory, ...recording.document }) : line(recording),
    );
    shown++;
    if (limit > 0 && shown >= limit) break;
  }
  if (shown === 0 && !values.json) console.log(`No recordings in ${config.data}.`);
  return EXIT_OK;
}

function line({ directory, document }: ListedRecording): string {
  const start = document.times.start.slice(0, 19).replace('T', ' ');
  const parties = `${describeParty(document, 'caller')} > ${describeParty(document, 'callee')}`;
  return `${start}  ${formatDuration(document.times.durationMs).padStart(8)}  ${parties}  ${describeQuality(document)}\n    ${directory}`;
}
