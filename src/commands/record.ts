// `sipreel record`: asks a recording client to be recorded, through the recorder that runs here (RFC 7866 §6.2).
import { parseArgs } from 'node:util';
import { parseSipTarget } from '../lib/sip-target.ts';
import { EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { LocalRecorder } from './local-api.ts';
import { configFromFlags } from './serve-options.ts';

export const RECORD_USAGE = `sipreel record URI [--duration SECONDS]

Asks a SIPREC client (SRC) to send us its call, and prints the recording's id once it does. The call is recorded by the
recorder that runs here, until the client ends it, "sipreel stop ID", or its time is over.

  URI             sip:[USER@]HOST[:PORT][;transport=udp|tcp|tls]
  --duration S    ends it after so many seconds
  --data DIR      the running recorder's data directory (./data)
  --config FILE   its configuration

Exit code: 0 it is recorded, 76 the client refuses, 68 it does not answer, 69 no recorder runs here, 1 anything else.`;

/** The recorder waits half a minute for the client. */
const ANSWER_WITHIN_MS = 40_000;

export async function record(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { duration: { type: 'string' }, data: { type: 'string' }, config: { type: 'string' } },
    allowPositionals: true,
  });
  const [uri, ...surplus] = positionals;
  const { duration, data, config } = values;
  const isDuration = duration === undefined || /^[1-9]\d{0,5}$/.test(duration);
  if (uri === undefined || surplus.length > 0 || !isDuration || !parseSipTarget(uri)) {
    console.error(RECORD_USAGE);
    return EXIT_USAGE;
  }
  const recorder = await LocalRecorder.find((await configFromFlags({ data, config })).data);
  const body = { uri, durationSeconds: duration === undefined ? null : Number(duration) };
  const answer = await recorder.ask<{ recordingIds: string[] }>('POST', '/api/record', body, ANSWER_WITHIN_MS);
  for (const id of answer.recordingIds) console.log(id);
  return EXIT_OK;
}
