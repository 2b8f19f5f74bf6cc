// Which running recording answers to which correlation key, and whether a message names any of them: what certainly brings
// a new call need not be read by a recorder that takes none.
import type { SharedRecording } from './shared-recording.ts';

export class RunningKeys {
  readonly #recordings = new Map<string, SharedRecording>();
  /** How many keys are recognised by that word. */
  readonly #marks = new Map<string, number>();

  get(key: string): SharedRecording | undefined {
    return this.#recordings.get(key);
  }

  has(key: string): boolean {
    return this.#recordings.has(key);
  }

  /** For a key that nobody has. */
  set(key: string, recording: SharedRecording): void {
    this.#recordings.set(key, recording);
    const mark = markOf(key);
    this.#marks.set(mark, (this.#marks.get(mark) ?? 0) + 1);
  }

  delete(key: string): void {
    if (!this.#recordings.delete(key)) return;
    const mark = markOf(key);
    const others = (this.#marks.get(mark) ?? 1) - 1;
    if (others > 0) this.#marks.set(mark, others);
    else this.#marks.delete(mark);
  }

  /** False only if the text names none of the keys. True may be chance. */
  mayBeIn(text: string): boolean {
    if (this.#marks.size === 0) return false;
    return this.#marks.has('') || wordsOf(text).some((word) => this.#marks.has(word));
  }
}

/** Ids stand in quotes, between tags, with `;remote=`, `+` or escapes between their parts: those parts are found whole. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9/@._-]{4,}/g) ?? [];
}

/** The longest word of a key's id; empty if it has none. */
function markOf(key: string): string {
  const id = key.slice(key.indexOf(' ') + 1);
  return wordsOf(id).reduce((longest, word) => (word.length > longest.length ? word : longest), '');
}
