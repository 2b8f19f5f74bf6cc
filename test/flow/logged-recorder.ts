// A recorder as its users see it, whichever process it runs in: its log, its addresses, its files.
import { type ListedRecording, listRecordings } from '../../src/archive/list.ts';
import { parseHostPort } from '../../src/config/addresses.ts';

export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

export abstract class LoggedRecorder {
  readonly log: LogLine[] = [];
  /** Lines on standard output that are not JSON, and standard error. */
  readonly noise: string[] = [];
  #listeners = new Set<() => void>();

  /** True when there will be no more lines. */
  abstract get over(): boolean;

  /** A line of the log, or something else that a recorder says. */
  protected hear(line: string): void {
    try {
      this.log.push(JSON.parse(line));
    } catch {
      this.noise.push(line);
    }
    this.changed();
  }

  protected changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** The first log line of that message, now or later. Rejects when the process ends or time runs out. */
  async line(msg: string, limitMs = 18_000): Promise<LogLine> {
    const found = () => this.log.find((line) => line.msg === msg);
    await until(() => found() !== undefined || this.over, limitMs, this.#listeners);
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
}

/** Loopback and free ports. */
export function loopbackArguments(data: string, extra: string[]): string[] {
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
  return ['--data', data, ...loopback, '--media-address', '127.0.0.1', ...ports, ...extra];
}

/** Waits until so many recordings, of those that `wanted` says, are filed, newest first. */
export async function filedRecordings(
  data: string,
  count: number,
  limitMs = 15_000,
  wanted: (recording: ListedRecording) => boolean = () => true,
): Promise<ListedRecording[]> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const found: ListedRecording[] = [];
    for await (const recording of listRecordings(data)) if (wanted(recording)) found.push(recording);
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
