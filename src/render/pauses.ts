// The intervals in which one stream was not receiving, as a cursor over arrival times.
import type { RenderJob } from '../recording/engines.ts';

interface Pause {
  startMs: number;
  endMs: number;
}

/** Times are on the line of the arrival times (ms since the journal's first packet). */
export class Pauses {
  readonly #pauses: Pause[];
  #next = 0;

  constructor(pauses: RenderJob['pauses'], streamId: string, epochMs: number) {
    this.#pauses = pauses
      .filter((pause) => pause.streamId === streamId)
      .map(({ startMs, endMs }) => ({
        startMs: startMs - epochMs,
        endMs: endMs === null ? Number.POSITIVE_INFINITY : endMs - epochMs,
      }))
      .sort((a, b) => a.startMs - b.startMs);
  }

  /**
   * True if a pause began since the last call, up to `arrivalMs`. For packets in the order of arrival: the first packet
   * behind the beginning of a pause begins something new.
   */
  begunBy(arrivalMs: number): boolean {
    let begun = false;
    while (this.#next < this.#pauses.length && this.#pauses[this.#next]!.startMs <= arrivalMs) {
      begun = true;
      this.#next++;
    }
    return begun;
  }

  /** True if some pause lies in or touches the interval. */
  overlaps(fromMs: number, toMs: number): boolean {
    return this.#pauses.some((pause) => pause.startMs < toMs && pause.endMs > fromMs);
  }
}
