// Which packet indices have been seen (RFC 3711 §3.3.2): a ring of bits behind the highest one.

/** RFC 3711 asks for 64 at least. This many is 20 s of packets of 20 ms, so that no late packet counts as replayed. */
export const REPLAY_WINDOW_PACKETS = 1024;
const MASK = REPLAY_WINDOW_PACKETS - 1;

export class ReplayWindow {
  /** -1 before the first. Up to 48 bits. */
  highest = -1;
  readonly #seen = new Int32Array(REPLAY_WINDOW_PACKETS / 32);

  /** True if the index was accepted before, or is too old to tell. */
  isReplay(index: number): boolean {
    if (index > this.highest) return false;
    if (index <= this.highest - REPLAY_WINDOW_PACKETS) return true;
    return (this.#seen[(index & MASK) >>> 5]! & (1 << (index & 31))) !== 0;
  }

  /** Takes note of an index that is not a replay. */
  accept(index: number): void {
    const ahead = index - this.highest;
    if (ahead >= REPLAY_WINDOW_PACKETS) this.#seen.fill(0);
    else for (let skipped = this.highest + 1; skipped < index; skipped++) this.#clear(skipped);
    if (ahead > 0) this.highest = index;
    const word = (index & MASK) >>> 5;
    this.#seen[word] = this.#seen[word]! | (1 << (index & 31));
  }

  #clear(index: number): void {
    const word = (index & MASK) >>> 5;
    this.#seen[word] = this.#seen[word]! & ~(1 << (index & 31));
  }
}
