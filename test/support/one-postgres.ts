// One PostgreSQL cluster for all the test files of a run: its first user starts it, the end of the run takes it away.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { connectPostgres, launchPostgres, type TestPostgres } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    postgresDirectory: string;
  }
}

/** Vitest calls it before the first file. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'sipreel-postgres-'));
  provide('postgresDirectory', directory);
  return async () => {
    await end(directory);
    await rm(directory, { recursive: true, force: true });
  };
}

/** `stop` leaves it running. Names of databases are the caller's to choose, unlike those of other files. */
export async function onePostgres(): Promise<TestPostgres> {
  const directory = inject('postgresDirectory');
  const isFirst = await mkdir(join(directory, 'begun')).then(
    () => true,
    () => false,
  );
  if (isFirst) (await launchPostgres(directory)).unref();
  return connectPostgres(directory);
}

async function end(directory: string): Promise<void> {
  const lines = await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8').catch(() => null);
  if (lines === null) return;
  const pid = Number.parseInt(lines, 10);
  process.kill(pid, 'SIGINT');
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
