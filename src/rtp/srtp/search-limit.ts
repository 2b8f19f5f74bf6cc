// How often the costly search for a rollover counter may run: at once, then after 1, 2, 4, … more packets that fail.

/** Packets that fail between two searches, at most. */
const MAX_SKIPPED = 64;

/** Counted in packets, not in time, so that it needs no clock and costs a flood of bad packets no more than it sends. */
export class SearchLimit {
  #pause = 0;
  #toSkip = 0;

  /** True if a search may run now; counts a packet that would need one. */
  admit(): boolean {
    if (this.#toSkip === 0) return true;
    this.#toSkip--;
    return false;
  }

  /** A search found nothing. */
  failed(): void {
    this.#pause = Math.min(this.#pause === 0 ? 1 : this.#pause * 2, MAX_SKIPPED);
    this.#toSkip = this.#pause;
  }

  succeeded(): void {
    this.#pause = 0;
    this.#toSkip = 0;
  }
}
