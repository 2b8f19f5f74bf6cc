// Takes away what a soak has recorded, so that the disk lasts, and looks at each recording once.
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordingDocument } from '../../../src/recording/document.ts';

/** Whoever has still something to do with a recording that was filed has done it by then. */
const RIPE_MS = 15_000;

export class Harvest {
  whole = 0;
  /** Not finished, with packets lost, or with a warning. */
  faulty = 0;
  readonly #root: string;

  constructor(data: string) {
    this.#root = join(data, 'recordings');
  }

  /** @returns the sums so far, for people */
  gather(): string {
    for (const day of this.#days()) {
      for (const name of readdirSync(day)) {
        const directory = join(day, name);
        if (Date.now() - statSync(directory).mtimeMs < RIPE_MS) continue;
        this.#judge(JSON.parse(readFileSync(join(directory, 'recording.json'), 'utf8')));
        rmSync(directory, { recursive: true });
      }
    }
    return `${this.whole} recordings whole, ${this.faulty} not`;
  }

  #judge({ state, streams, warnings }: RecordingDocument): void {
    const whole = state === 'finished' && warnings.length === 0 && streams.every(({ lost }) => lost === 0);
    if (whole) this.whole++;
    else this.faulty++;
  }

  #days(): string[] {
    const below = (directory: string) => readdirSync(directory).map((name) => join(directory, name));
    return below(this.#root).flatMap(below).flatMap(below);
  }
}
