// How many calls the limit of open files allows (getrlimit(2), RLIMIT_NOFILE; Node raises the soft limit to the hard one).
import { readFile } from 'node:fs/promises';

/** Two streams with a socket for RTP and one for RTCP each, and the journal. */
const FILES_PER_CALL = 5;
/** Databases, logs, threads, connections, recordings that are being rendered. */
const FILES_OF_OUR_OWN = 100;
const PORTS_PER_CALL = 4;

export interface OpenFileLimit {
  files: number;
  /** Two-party calls at a time. */
  calls: number;
}

/** Null where the system does not tell. */
export async function openFileLimit(): Promise<OpenFileLimit | null> {
  return parseOpenFileLimit(await readFile('/proc/self/limits', 'utf8').catch(() => ''));
}

/** @param limits the text of /proc/self/limits (proc_pid_limits(5)) */
export function parseOpenFileLimit(limits: string): OpenFileLimit | null {
  const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  if (files === undefined) return null;
  return { files: Number(files), calls: Math.max(0, Math.floor((Number(files) - FILES_OF_OUR_OWN) / FILES_PER_CALL)) };
}

/** What is wrong in words if the ports would take more calls than the files; null if not. */
export function tooFewOpenFiles(limit: OpenFileLimit, ports: { first: number; last: number }): string | null {
  const calls = Math.floor((ports.last - ports.first + 1) / PORTS_PER_CALL);
  if (limit.calls >= calls) return null;
  const needed = calls * FILES_PER_CALL + FILES_OF_OUR_OWN;
  return (
    `the open file limit ${limit.files} is enough for ${limit.calls} two-party calls, rtp.ports for ${calls}: ` +
    `raise it to ${needed} with ulimit -n or LimitNOFILE`
  );
}
