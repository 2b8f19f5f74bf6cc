// `sipreel demo`: the whole thing on loopback. A call is made, recorded, rendered, and shown. Ends by itself within 15 s.
import { parseArgs } from 'node:util';
import { startApp } from '../app.ts';
import { type AudioSource, tonePair } from '../client/audio.ts';
import { dialogue } from '../client/speech.ts';
import { loadConfig } from '../config/load.ts';
import type { RecordingDocument } from '../recording/document.ts';
import { startEmbeddedClient } from './embedded-client.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { channelName, describeQuality, formatDuration } from './show-recording.ts';

export const DEMO_USAGE = `sipreel demo [--data DIR] [--audio speech|tones]

Starts the recorder on free loopback ports, plays a two-party SIPREC call of six seconds into it, and prints what was
recorded. The recording stays in the data directory (./data).

  --data DIR     where the recording goes
  --audio KIND   speech: two synthetic voices taking turns (default). tones: 440 Hz left, 880 Hz right.`;

const CALL_MS = 6_000;
const FILED_WITHIN_MS = 6_000;

interface Filed {
  directory: string;
  document: RecordingDocument;
}

export async function demo(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { data: { type: 'string', default: './data' }, audio: { type: 'string', default: 'speech' } },
  });
  if (values.audio !== 'speech' && values.audio !== 'tones') {
    console.error('--audio is speech or tones');
    return EXIT_USAGE;
  }
  const log = processLog('warn', 2);
  const config = loadConfig({
    overrides: {
      data: values.data,
      sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] },
      rtp: { bindAddress: '127.0.0.1', restSeconds: 0, workers: 1 },
    },
  });
  let tellFiled: (filed: Filed) => void = () => {};
  const filed = new Promise<Filed>((resolve) => {
    tellFiled = resolve;
  });
  // A recording that an earlier process left may be filed first; only the one just made is shown.
  const startedAt = new Date().toISOString();
  const app = await startApp(config, {
    log,
    onFiled: (recording) => {
      if (recording.document.times.start >= startedAt) tellFiled(recording);
    },
  });
  try {
    const address = app.sipAddresses.find((sip) => sip.startsWith('udp:'))?.slice('udp:'.length) ?? '';
    console.log(`The recorder listens on sip:${address}; a call of ${CALL_MS / 1000} s begins.`);
    const outcome = await playCall(`sip:${address}`, values.audio === 'tones' ? tonePair() : dialogue());
    if (outcome.ended !== 'bye') {
      console.error(`The call failed: ${outcome.reason}`);
      return EXIT_FAILED;
    }
    const recording = await Promise.race([filed, noLaterThan(FILED_WITHIN_MS)]);
    if (!recording) {
      console.error('The call was recorded, but rendering it takes too long.');
      return EXIT_FAILED;
    }
    console.log(describe(recording));
    return recording.document.state === 'finished' ? EXIT_OK : EXIT_FAILED;
  } finally {
    await app.stopNow();
  }
}

async function playCall(uri: string, [caller, callee]: [AudioSource, AudioSource]) {
  const { client, close } = await startEmbeddedClient('127.0.0.1', processLog('warn', 2));
  try {
    return await client.call({
      uri,
      parties: [
        { name: 'Alice Smith', aor: 'sip:1001@example.com', audio: caller },
        { name: 'Bob Jones', aor: 'sip:2002@example.com', audio: callee },
      ],
      durationMs: CALL_MS,
    });
  } finally {
    await close();
  }
}

function describe({ directory, document }: Filed): string {
  const parties = document.participants.map(({ name, aor, channel }) => {
    const where = channel === null ? 'not heard' : channelName(channel);
    return `  ${where.padEnd(6)} ${name ?? 'unknown'} <${aor ?? 'unknown'}>`;
  });
  return [
    '',
    `Recorded ${formatDuration(document.times.durationMs)} from ${document.times.start}:`,
    ...parties,
    `  ${describeQuality(document)}`,
    '',
    `  ${directory}/audio.wav`,
    `  ${directory}/recording.json`,
    `  ${directory}/capture.pcapng`,
  ].join('\n');
}

function noLaterThan(ms: number): Promise<null> {
  return new Promise((resolve) => setTimeout(resolve, ms, null));
}
