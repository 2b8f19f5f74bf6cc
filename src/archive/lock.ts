// One process per directory. A second one would take up the first one's running recordings as if it had crashed.
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecorderError } from '../lib/errors.ts';
import { storageError } from './storage-error.ts';

/**
 * Takes <directory>/lock, or rejects with STORAGE_IN_USE naming the process that has it. A lock whose process is gone is taken over.
 * Processes in other PID namespaces (containers sharing a volume) cannot be told apart; do not share a data directory.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o750 });
    return await takeLock(join(directory, 'lock'), (pid) => `Process ${pid} is already recording into ${directory}.`);
  } catch (error) {
    if (error instanceof RecorderError) throw error;
    throw await storageError(error, directory);
  }
}

/** The same for a lock of another purpose, in a directory that exists. `taken` says who has it. Rejects with STORAGE_IN_USE. */
export async function takeLock(path: string, taken: (pid: string) => string): Promise<() => Promise<void>> {
  const identity = `${process.pid} ${await processStart(process.pid)}`;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await create(path, identity)) return () => rm(path, { force: true });
    const holder = await readFile(path, 'utf8').catch(() => '');
    const [pid = '', start = ''] = holder.split(' ');
    if (pid !== '' && (await processStart(Number(pid))) === start)
      throw new RecorderError('STORAGE_IN_USE', taken(pid));
    await rm(path, { force: true });
  }
  throw new RecorderError('STORAGE_FAILED', `${path} could not be taken.`);
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o640);
    await file.writeFile(content);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Tells a process from a later one with the same number. Empty when there is no such process. */
async function processStart(pid: number): Promise<string> {
  if (!Number.isInteger(pid) || pid <= 0) return '';
  try {
    // Field 22 of /proc/<pid>/stat, counted behind the command name, which may hold blanks and parentheses.
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? 'running';
  } catch {
    try {
      process.kill(pid, 0);
      return 'running';
    } catch {
      return '';
    }
  }
}
