// The recorder as its users run it: a child process, its log, its signals, its files.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type ListedRecording, listRecordings } from '../../src/archive/list.ts';
import { parseHostPort } from '../../src/config/addresses.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

export class ServeProcess {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  /** Lines on standard output that are not JSON, and standard error. */
  readonly noise: string[] = [];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  #listeners = new Set<() => void>();

  constructor(args: string[], environment: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [cli, 'serve', ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((resolve) => {
      this.child.once('exit', (code, signal) => {
        resolve({ code, signal });
        for (const listener of this.#listeners) listener();
      });
    });
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      try {
        this.log.push(JSON.parse(line));
      } catch {
        this.noise.push(line);
      }
      for (const listener of this.#listeners) listener();
    });
    createInterface({ input: this.child.stderr! }).on('line', (line) => this.noise.push(line));
  }

  /** The first log line of that message, now or later. Rejects when the process ends or time runs out. */
  async line(msg: string, limitMs = 18_000): Promise<LogLine> {
    const found = () => this.log.find((line) => line.msg === msg);
    await until(() => found() !== undefined || this.child.exitCode !== null, limitMs, this.#listeners);
    const line = found();
    if (!line)
      throw new Error(
        `no "${msg}" in the log:\n${this.log.map((entry) => JSON.stringify(entry)).join('\n')}\n${this.noise.join('\n')}`,
      );
    return line;
  }

  /** The port of the listener of that transport, once the process is ready. */
  async sipPort(transport: 'udp' | 'tcp'): Promise<number> {
    const { sip } = (await this.line('ready')) as unknown as { sip: string[] };
    const address = sip.find((text) => text.startsWith(`${transport}:`));
    return parseHostPort(address?.slice(4) ?? '')!.port;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** Serves on loopback with free ports into `data`; ended with the test. */
export function serve(data: string, ...extra: string[]): ServeProcess {
  const process = startServer(data, ...extra);
  onTestFinished(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return process;
}

/** The same for several tests: whoever starts it ends it. */
export function startServer(data: string, ...extra: string[]): ServeProcess {
  const loopback = [
    '--sip',
    'udp:127.0.0.1:0',
    '--sip',
    'tcp:127.0.0.1:0',
    '--oreka',
    '127.0.0.1:0',
    '--http',
    '127.0.0.1:0',
  ];
  // Several servers run at once: each has ports of its own, below those of the capture tests (12000 on), those that the
  // captured mod_oreka calls announce (16384 to 32768), and those that the system hands out.
  const firstPort = 5_200 + 1_000 * Math.floor(Math.random() * 5);
  const ports = ['--rtp-ports', `${firstPort}-${firstPort + 999}`];
  return new ServeProcess(['--data', data, ...loopback, '--media-address', '127.0.0.1', ...ports, ...extra]);
}

/** The next process after `before`, which is gone: the same data directory, the same addresses and ports. */
export async function serveAgain(before: ServeProcess, ...extra: string[]): Promise<ServeProcess> {
  const { sip, data, rtpPorts } = (await before.line('ready')) as unknown as {
    sip: string[];
    data: string;
    rtpPorts: string;
  };
  const addresses = [
    ...sip.flatMap((address) => ['--sip', address]),
    '--oreka',
    '127.0.0.1:0',
    '--http',
    '127.0.0.1:0',
    '--rtp-ports',
    rtpPorts,
  ];
  const process = new ServeProcess(['--data', data, ...addresses, '--media-address', '127.0.0.1', ...extra]);
  onTestFinished(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return process;
}

/** Waits until so many recordings are filed, newest first. */
export async function filedRecordings(data: string, count: number, limitMs = 15_000): Promise<ListedRecording[]> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const found: ListedRecording[] = [];
    for await (const recording of listRecordings(data)) found.push(recording);
    if (found.length >= count) return found;
    if (Date.now() > endMs) throw new Error(`${found.length} of ${count} recordings were filed within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function until(met: () => boolean, limitMs: number, listeners: Set<() => void>): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (met()) done();
    };
    const timer = setTimeout(done, limitMs);
    function done() {
      clearTimeout(timer);
      listeners.delete(check);
      resolve();
    }
    listeners.add(check);
    check();
  });
}
