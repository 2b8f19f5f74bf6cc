// `sipreel demo`: the whole thing on loopback. Calls are made, recorded, rendered, and shown. Ends by itself within 15 s.
import { parseArgs } from 'node:util';
import { type AudioSource, tonePair } from '../client/audio.ts';
import type { CallParty } from '../client/call-plan.ts';
import { playOrekaCall } from '../client/oreka-call.ts';
import { dialogue } from '../client/speech.ts';
import { parseHostPort } from '../config/addresses.ts';
import { systemClock } from '../lib/clock.ts';
import type { RecordingDocument } from '../recording/document.ts';
import { startEmbeddedClient } from './embedded-client.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from './exit-codes.ts';
import { processLog } from './process-log.ts';
import { channelName, describeQuality, formatDuration } from './show-recording.ts';

export const DEMO_USAGE = `sipreel demo [--data DIR] [--audio speech|tones]

Starts the recorder on free loopback ports and plays two calls into it, a SIPREC one as OpenSIPS makes it and one as
FreeSWITCH's mod_oreka does, and prints what was recorded. The recordings stay in the data directory (./data).

  --data DIR     where the recordings go
  --audio KIND   speech: two synthetic voices taking turns (default). tones: 440 Hz left, 880 Hz right.`;

const SIPREC_CALL_MS = 5_000;
const OREKA_CALL_MS = 3_000;
const FILED_WITHIN_MS = 5_000;

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
  const { loadConfig } = await import('../config/load.ts');
  const config = loadConfig({
    overrides: {
      data: values.data,
      sip: { listen: ['udp:127.0.0.1:0', 'tcp:127.0.0.1:0'] },
      oreka: { listen: ['127.0.0.1:0'] },
      http: { listen: [] },
      rtp: { bindAddress: '127.0.0.1', restSeconds: 0, workers: 1 },
    },
  });
  const filed = new FiledRecordings();
  const { startApp } = await import('../app.ts');
  const app = await startApp(config, { log: processLog('warn', 2), onFiled: (recording) => filed.add(recording) });
  try {
    const [caller, callee] = parties(values.audio === 'tones' ? tonePair() : dialogue());
    const sip = app.sipAddresses.find((address) => address.startsWith('udp:'))?.slice('udp:'.length) ?? '';
    console.log(`SIPREC: calling sip:${sip} for ${SIPREC_CALL_MS / 1000} s`);
    const siprecCallId = await playSiprecCall(`sip:${sip}`, [caller, callee]);
    const first = await filed.ofCall(siprecCallId, FILED_WITHIN_MS);
    console.log(describe(first));

    const recorder = parseHostPort(app.orekaAddresses[0] ?? '')!;
    console.log(`\nmod_oreka: sending to ${app.orekaAddresses[0]} for ${OREKA_CALL_MS / 1000} s`);
    const oreka = { recorder, localHost: '127.0.0.1', caller, callee, durationMs: OREKA_CALL_MS, clock: systemClock };
    const { callId } = await playOrekaCall(oreka);
    const second = await filed.ofCall(callId, FILED_WITHIN_MS);
    console.log(describe(second));
    return [first, second].every(({ document }) => document.state === 'finished') ? EXIT_OK : EXIT_FAILED;
  } catch (error) {
    console.error((error as Error).message);
    return EXIT_FAILED;
  } finally {
    await app.stopNow();
  }
}

/** Whatever is filed while the demo runs, also of an earlier process: each waits for its own call. */
class FiledRecordings {
  readonly #filed: Filed[] = [];
  #tell: () => void = () => {};

  add(recording: Filed): void {
    this.#filed.push(recording);
    this.#tell();
  }

  /** Rejects if it takes longer than that. */
  ofCall(callId: string, limitMs: number): Promise<Filed> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('The call was not rendered in time.')), limitMs);
      this.#tell = () => {
        const found = this.#filed.find(({ document }) => document.call.sipCallId === callId);
        if (!found) return;
        clearTimeout(timer);
        resolve(found);
      };
      this.#tell();
    });
  }
}

function parties([first, second]: [AudioSource, AudioSource]): [CallParty, CallParty] {
  return [
    { name: 'Alice Smith', aor: 'sip:1001@example.com', audio: first },
    { name: 'Bob Jones', aor: 'sip:2002@example.com', audio: second },
  ];
}

/** Returns the Call-ID. */
async function playSiprecCall(uri: string, callers: CallParty[]): Promise<string> {
  const { client, close } = await startEmbeddedClient('127.0.0.1', processLog('warn', 2));
  try {
    const outcome = await client.call({ uri, parties: callers, durationMs: SIPREC_CALL_MS });
    if (outcome.ended !== 'bye' || outcome.callId === null) throw new Error(`The call failed: ${outcome.reason}`);
    return outcome.callId;
  } finally {
    await close();
  }
}

function describe({ directory, document }: Filed): string {
  const parties = document.participants.map(({ name, aor, channel }) => {
    const where = channel === null ? 'not heard' : channelName(channel);
    return `  ${where.padEnd(6)} ${name ?? 'unknown'}${aor ? ` <${aor}>` : ''}`;
  });
  return [
    `Recorded ${formatDuration(document.times.durationMs)} from ${document.times.start}:`,
    ...parties,
    `  ${describeQuality(document)}`,
    `  ${directory}/audio.wav`,
    `  ${directory}/recording.json`,
    `  ${directory}/capture.pcapng`,
  ].join('\n');
}
