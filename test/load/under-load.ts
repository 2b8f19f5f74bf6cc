// A recorder as its users start it, a load on it, and what became of every recording.
import type { ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { filedRecordings, type LogLine } from '../flow/logged-recorder.ts';
import { serve } from '../flow/serve-process.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { callNumber, type LoadPlan, type LoadResult, runLoad } from './sipp-calls.ts';
import { faultsOf } from './whole.ts';

/** `npm run test:load` runs the full sizes; within `npm test` the same tests are small. */
export const full = process.env.SIPREEL_LOAD === 'full';

const pem = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));

export interface LoadedRecorder extends LoadResult {
  /** What is wrong with the recordings, in words: empty if every answered call was recorded whole. */
  faults: string[];
  log: LogLine[];
}

/** `settings` is YAML. `meanwhile` is called when the load begins, with the SIP port for UDP and the recorder's process. */
export async function loadRecorder(
  plan: Omit<LoadPlan, 'sipPort' | 'directory'>,
  settings = '',
  meanwhile: (udpPort: number, recorder: ChildProcess) => void = () => {},
): Promise<LoadedRecorder> {
  const data = await temporaryDirectory();
  const directory = join(data, 'sipp');
  await mkdir(directory);
  const config = join(data, 'config.yaml');
  await writeFile(config, `tls: {certificateFile: ${pem('server.pem')}, keyFile: ${pem('server.key')}}\n${settings}`);
  const extra = ['--config', config, '--sip', 'tls:127.0.0.1:0', ...(full ? ['--rtp-ports', '20000-29999'] : [])];
  const server = serve(data, ...extra);
  const { sip } = (await server.line('ready')) as unknown as { sip: string[] };
  const portOf = (transport: string) =>
    Number(
      sip
        .find((text) => text.startsWith(transport))
        ?.split(':')
        .at(-1),
    );
  meanwhile(portOf('udp'), server.child);
  const result = await runLoad({ ...plan, sipPort: portOf(plan.transport), directory });
  expect(result).toMatchObject({ exitCode: 0, complaints: '' });
  const recordings = await filedRecordings(data, result.calls.size, full ? 120_000 : 30_000);
  expect(recordings.length).toBe(result.calls.size);
  const faults = recordings.flatMap((recording) => {
    return faultsOf(recording, result.calls.get(callNumber(recording.document.call.sipCallId))!);
  });
  return { ...result, faults, log: server.log };
}

/** Figures of a full run, for people. */
export function report(line: string): void {
  if (full) process.stdout.write(`${line}\n`);
}
