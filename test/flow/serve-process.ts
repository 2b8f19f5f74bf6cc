// The recorder as its users run it: a child process, its log, its signals, its files.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { whenTestEnds } from '../support/when-test-ends.ts';
import { LoggedRecorder, loopbackArguments } from './logged-recorder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export class ServeProcess extends LoggedRecorder {
  readonly child: ChildProcess;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(args: string[], environment: Record<string, string> = {}) {
    super();
    this.child = spawn(process.execPath, [cli, 'serve', ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        resolve({ code, signal });
        this.changed();
      });
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.hear(line));
    createInterface({ input: this.child.stderr! }).on('line', (line) => this.noise.push(line));
  }

  override get over(): boolean {
    return this.child.exitCode !== null;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Serves on loopback with free ports into `data`; ended with the test. */
export function serve(data: string, ...extra: string[]): ServeProcess {
  const process = startServer(data, ...extra);
  whenTestEnds(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return process;
}

/** The same for several tests: whoever starts it ends it. */
export function startServer(data: string, ...extra: string[]): ServeProcess {
  return new ServeProcess(loopbackArguments(data, extra));
}

/** The next process after `before`, which is gone: the same data directory, the same addresses and ports. */
export async function serveAgain(before: ServeProcess, ...extra: string[]): Promise<ServeProcess> {
  const { sip, oreka, data, rtpPorts } = (await before.line('ready')) as unknown as {
    sip: string[];
    oreka: string[];
    data: string;
    rtpPorts: string;
  };
  const addresses = [
    ...sip.flatMap((address) => ['--sip', address]),
    ...oreka.flatMap((address) => ['--oreka', address]),
    '--http',
    '127.0.0.1:0',
    '--rtp-ports',
    rtpPorts,
  ];
  const process = new ServeProcess(['--data', data, ...addresses, '--media-address', '127.0.0.1', ...extra]);
  whenTestEnds(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return process;
}
