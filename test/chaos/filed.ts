// What stands under recordings/ while the run goes on: never half, and never gone again.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dayDirectories } from '../../src/archive/list.ts';
import type { RecordingDocument } from '../../src/recording/document.ts';

export class FiledRecordings {
  readonly failures: string[] = [];
  readonly #data: string;
  readonly #seen = new Set<string>();

  constructor(dataDirectory: string) {
    this.#data = dataDirectory;
  }

  /** Call while no recorder runs: what is there now is what anybody could have seen. */
  async look(): Promise<void> {
    const found = new Set<string>();
    for await (const { directory: day } of dayDirectories(this.#data)) {
      for (const name of await readdir(day)) {
        const directory = join(day, name);
        found.add(directory);
        if (!this.#seen.has(directory)) await this.#judge(directory);
      }
    }
    for (const directory of this.#seen) {
      if (!found.has(directory)) this.failures.push(`${directory} was finished and is gone`);
    }
    for (const directory of found) this.#seen.add(directory);
  }

  async #judge(directory: string): Promise<void> {
    try {
      const text = await readFile(join(directory, 'recording.json'), 'utf8');
      for (const { name, octets } of (JSON.parse(text) as RecordingDocument).files) {
        const { size } = await stat(join(directory, name));
        if (size !== octets) this.failures.push(`${directory}/${name} was seen with ${size} octets of ${octets}`);
      }
    } catch (error) {
      this.failures.push(`${directory} was seen half: ${(error as Error).message}`);
    }
  }
}
