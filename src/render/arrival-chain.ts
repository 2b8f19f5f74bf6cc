// The last resort: packets one after the other as they came, for streams whose timestamps make no sense.

/** The chain may run ahead of arrival or lag behind it by so much before it is cut. */
const SLACK_MS = 60;

export class ArrivalChain {
  #endMs = Number.NEGATIVE_INFINITY;

  /** @param spokenMs arrival less length. @returns where the packet goes: behind the one before, or there. */
  place(spokenMs: number, durationMs: number): number {
    const startMs = Math.abs(spokenMs - this.#endMs) <= SLACK_MS ? this.#endMs : spokenMs;
    this.#endMs = startMs + durationMs;
    return startMs;
  }
}
