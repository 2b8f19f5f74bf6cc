// What is remembered per SSRC, for a bounded number of them.

/** SSRCs told apart per context and direction. A further one takes the place of the one that came first. */
export const MAX_SSRCS = 32;

/** Looks up the SSRC of the packet before without a hash. */
export class SourceTable<Source extends object> {
  readonly #bySsrc = new Map<number, Source>();
  #lastSsrc = -1;
  #last: Source | null = null;

  find(ssrc: number): Source | null {
    if (ssrc === this.#lastSsrc) return this.#last;
    const source = this.#bySsrc.get(ssrc) ?? null;
    if (source !== null) {
      this.#lastSsrc = ssrc;
      this.#last = source;
    }
    return source;
  }

  add(ssrc: number, source: Source): void {
    if (this.#bySsrc.size >= MAX_SSRCS) {
      const [oldest] = this.#bySsrc.keys();
      this.#bySsrc.delete(oldest!);
    }
    this.#bySsrc.set(ssrc, source);
    this.#lastSsrc = ssrc;
    this.#last = source;
  }

  get size(): number {
    return this.#bySsrc.size;
  }
}
