// `sipreel recover`: audio out of what a crash or another program left.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { recoverFrom } from '../recover/recover.ts';
import { createRenderer } from '../render/renderer.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { configFromFlags } from './serve-options.ts';

export const RECOVER_USAGE = `sipreel recover DIR|FILE... [--output DIR] [--config FILE]

Renders audio.wav and recording.json from a spool directory (session.json and capture.pcapng), from a capture.pcapng alone, or
from a pcap or pcapng file of a SIPREC call, as tcpdump and Wireshark write them: who is who and which stream is whose is read
from the SIP in it; without SIP every RTP flow is a stream. Each call gets a directory in --output; what is read is not changed.

  --output DIR   where to (./recovered)`;

export async function recover(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { output: { type: 'string', default: 'recovered' }, config: { type: 'string' } },
  });
  if (positionals.length === 0) {
    console.error(RECOVER_USAGE);
    return EXIT_USAGE;
  }
  const { audio, storage } = await configFromFlags({ config: values.config });
  const renderer = createRenderer({ log: processLog('error'), concurrency: 1 });
  const { layout, sampleRateHz } = audio;
  const options = {
    output: values.output,
    nameTemplate: storage.name,
    audio: { layout, sampleRateHz },
    render: renderer,
  };
  let failed = 0;
  for (const path of positionals) {
    try {
      for (const { directory, document } of await recoverFrom(path, options)) {
        console.log(`${join(directory)}: ${document.state}, ${(document.times.durationMs / 1000).toFixed(1)} s`);
      }
    } catch (error) {
      failed++;
      console.error(`${path}: ${(error as Error).message}`);
    }
  }
  await renderer.close();
  return failed === 0 ? EXIT_OK : EXIT_FAILED;
}
