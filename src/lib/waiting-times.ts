// Since when each of several things waits. Time is the caller's, and must not run backwards.

/** How much waits in a queue, and for how long by now. */
export interface QueueFigures {
  count: number;
  /** Of what has waited longest; 0 while nothing waits. */
  oldestMs: number;
}

export class WaitingTimes {
  /** The oldest first. */
  readonly #sinceMs = new Map<string, number>();

  /** What waits already has waited since then. */
  begin(key: string, nowMs: number): void {
    if (!this.#sinceMs.has(key)) this.#sinceMs.set(key, nowMs);
  }

  end(key: string): void {
    this.#sinceMs.delete(key);
  }

  figures(nowMs: number): QueueFigures {
    const [oldest] = this.#sinceMs.values();
    return { count: this.#sinceMs.size, oldestMs: oldest === undefined ? 0 : nowMs - oldest };
  }
}
