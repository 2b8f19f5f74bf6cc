// Marks on disk for recordings whose files change: set before the change, taken away when the index knows of it. A process that
// dies in between leaves the mark, and the next one looks at the files again.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Ids come from our own files; one that could be a path is none. */
const SAFE_ID = /^[\w-]{1,100}$/;
const SAFE_DAY = /^\d{4}\/\d{2}\/\d{2}$/;

export interface PendingRecording {
  recordingId: string;
  /** `yyyy/mm/dd`: where below recordings/ it is, or will be. */
  day: string;
}

export class PendingMarks {
  readonly #directory: string;

  constructor(dataDirectory: string, name = 'index-pending') {
    this.#directory = join(dataDirectory, name);
  }

  async prepare(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o750 });
  }

  async set({ recordingId, day }: PendingRecording): Promise<void> {
    await writeFile(this.#path(recordingId), day, { mode: 0o640 });
  }

  async clear(recordingId: string): Promise<void> {
    await rm(this.#path(recordingId), { force: true });
  }

  /** Marks that cannot be read are taken for what a power cut left of one, and removed. */
  async all(): Promise<PendingRecording[]> {
    const found: PendingRecording[] = [];
    for (const recordingId of await readdir(this.#directory).catch(absent)) {
      const path = join(this.#directory, recordingId);
      const day = await readFile(path, 'utf8').catch(() => '');
      if (SAFE_ID.test(recordingId) && SAFE_DAY.test(day)) found.push({ recordingId, day });
      else await rm(path, { force: true, recursive: true });
    }
    return found;
  }

  #path(recordingId: string): string {
    if (!SAFE_ID.test(recordingId)) throw new Error(`no id of a recording: ${recordingId}`);
    return join(this.#directory, recordingId);
  }
}

/** Nothing was ever marked. */
function absent(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
