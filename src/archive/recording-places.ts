// Where the recording with an id is. An id never becomes a path: it is compared with what the files themselves say.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { dayDirectories, type ListedRecording, readRecording } from './list.ts';

/** Finds a recording by its id, in whatever way; told of what others find and remove. */
export interface RecordingFinder {
  find(recordingId: string): Promise<ListedRecording | null>;
  learn(recordingId: string, directory: string): void;
  forget(recordingId: string): void;
}

export class RecordingPlaces implements RecordingFinder {
  readonly #dataDirectory: string;
  /** What has been seen so far; checked against the file before it is believed. About 200 octets each. */
  readonly #directories = new Map<string, string>();
  /** Directories whose id is known, or that hold nothing readable. */
  readonly #seen = new Set<string>();
  #walking: Promise<void> | null = null;

  constructor(dataDirectory: string) {
    this.#dataDirectory = dataDirectory;
  }

  learn(recordingId: string, directory: string): void {
    this.#directories.set(recordingId, directory);
    this.#seen.add(directory);
  }

  forget(recordingId: string): void {
    const directory = this.#directories.get(recordingId);
    if (directory !== undefined) this.#seen.delete(directory);
    this.#directories.delete(recordingId);
  }

  async find(recordingId: string): Promise<ListedRecording | null> {
    const known = await this.#read(recordingId);
    if (known) return known;
    // A walk that has begun already may have passed the day of a recording filed since.
    await this.#walking;
    this.#walking ??= this.#walk().finally(() => {
      this.#walking = null;
    });
    await this.#walking;
    return this.#read(recordingId);
  }

  async #read(recordingId: string): Promise<ListedRecording | null> {
    const directory = this.#directories.get(recordingId);
    if (directory === undefined) return null;
    const document = await readRecording(directory).catch(() => null);
    if (document?.id === recordingId) return { directory, document };
    this.forget(recordingId);
    return null;
  }

  async #walk(): Promise<void> {
    for await (const day of dayDirectories(this.#dataDirectory)) {
      for (const name of await readdir(day.directory).catch(() => [])) {
        const directory = join(day.directory, name);
        if (this.#seen.has(directory)) continue;
        const document = await readRecording(directory).catch(() => null);
        if (document) this.learn(document.id, directory);
        else this.#seen.add(directory);
      }
    }
  }
}
