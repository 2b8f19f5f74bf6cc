// The recorder inside a program of your own. Prints a line for each finished recording and hands the WAV to a command.
//
//   node --conditions=sipreel-source examples/notify-on-recording.ts --sip udp:127.0.0.1:5060 -- ls -l
//
// Everything after -- is the command and its arguments; the path of the WAV is added as the last one. There is no shell
// in between, so no name can be taken for a command. Ctrl-C waits for running calls, a second one ends them.
// With the package installed: copy this file and run it without --conditions.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isRecorderError, type Log, loadConfig, type RecordingDocument, silentLog, startApp } from 'sipreel';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string' },
    data: { type: 'string', default: './data' },
    sip: { type: 'string', multiple: true, default: ['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'] },
  },
});
const [command, ...commandArguments] = positionals;

const complain = (fields: object, message: string) => console.error(message, fields);
const log: Log = { ...silentLog, warn: complain, error: complain, child: () => log };

/** One WAV after the other, so that a burst of calls does not start a burst of commands. */
let handedOver = Promise.resolve();

function onFiled({ directory, document }: { directory: string; document: RecordingDocument }): void {
  const seconds = (document.times.durationMs / 1000).toFixed(1);
  console.log(
    `${document.times.start} ${seconds} s ${party(document, 'caller')} > ${party(document, 'callee')} ${directory}`,
  );
  const audio = document.files.find((file) => file.role === 'audio');
  // No audio: nothing was said, or in a codec that is only kept in the journal.
  if (audio && command !== undefined) handedOver = handedOver.then(() => run(command, join(directory, audio.name)));
}

function party(document: RecordingDocument, role: 'caller' | 'callee'): string {
  const participant = document.participants.find((one) => one.role === role);
  return participant?.name ?? participant?.aor ?? 'unknown';
}

async function run(program: string, wav: string): Promise<void> {
  try {
    const child = spawn(program, [...commandArguments, wav], { stdio: ['ignore', 'inherit', 'inherit'] });
    const [code] = await once(child, 'exit');
    if (code !== 0) console.error(`${program} ended with ${code} for ${wav}`);
  } catch (error) {
    console.error(`${program} could not be started: ${(error as Error).message}`);
  }
}

try {
  const overrides = { data: values.data, sip: { listen: values.sip }, http: { listen: [] } };
  const app = await startApp(loadConfig({ file: values.config, environment: process.env, overrides }), {
    log,
    onFiled,
  });
  console.log(`ready on ${app.sipAddresses.join(' ')}`);

  let signals = 0;
  const onSignal = async () => {
    signals++;
    await (signals === 1 ? app.drain() : app.stopNow());
    await handedOver;
    process.exit(0);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
} catch (error) {
  // What is wrong with the configuration, or an address that is taken: the message says what to do.
  console.error(isRecorderError(error) ? error.message : error);
  process.exitCode = 1;
}
