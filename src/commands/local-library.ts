// Finished recordings for commands, beside a running recorder or without one: by the index if there is one, else by the directories.
import { RecorderError } from '../lib/errors.ts';
import type { LibraryRecording, RecordingLibrary } from '../recording/library.ts';
import { configFromFlags } from './serve-options.ts';

export interface LocalLibrary {
  library: RecordingLibrary;
  /** Where the recorder keeps everything: for the audit log. */
  dataDirectory: string;
  /** At most two: more than one is none. */
  idsStartingWith(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Opens what `--data` and `--config` name, and closes it when the work is done. */
export async function withLibrary<T>(
  flags: { data?: string | undefined; config?: string | undefined },
  work: (local: LocalLibrary) => Promise<T>,
): Promise<T> {
  const config = await configFromFlags({ data: flags.data, config: flags.config });
  // Only now: help and wrong arguments are answered without a database.
  const { openLibrary } = await import('./open-library.ts');
  const local = await openLibrary(config);
  try {
    return await work(local);
  } finally {
    await local.close();
  }
}

/** By its id or a beginning of it that no other id has. Rejects with NOT_FOUND. */
export async function findRecording({ library, idsStartingWith }: LocalLibrary, id: string): Promise<LibraryRecording> {
  const asked = id.trim().toLowerCase();
  const found = await library.get(asked);
  if (found) return found;
  const [first, second] = /^[0-9a-f-]{1,36}$/.test(asked) ? await idsStartingWith(asked) : [];
  if (second !== undefined) throw new RecorderError('NOT_FOUND', `Several ids begin with ${asked}: give more of it.`);
  const recording = first === undefined ? null : await library.get(first);
  if (!recording) throw new RecorderError('NOT_FOUND', `Asked for: ${id}`);
  return recording;
}
