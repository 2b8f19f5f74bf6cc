// One time line out of a journal's arrival times, which may step where a process was restarted.

/** No recording is silent for so long: a larger step forward is the clock being set. */
export const LARGEST_SILENCE_MS = 24 * 3600_000;
/** Packets of a sender on probation stand in the journal later than they arrived; a larger step back is the clock being set. */
export const LARGEST_DISORDER_MS = 30_000;

/**
 * Times here count from the first packet: small numbers keep a fraction that Unix ms would lose. Within one process the
 * media clock runs evenly, but a restarted one ties it to the wall clock anew. A step that cannot be media is taken
 * out, as if no time had passed: otherwise a clock set from 1970 to today would be written as decades of silence.
 * The same journal gives the same times in every pass.
 */
export class ArrivalClock {
  /** Unix ms of time 0; null before the first packet. */
  epochMs: number | null = null;
  /** Steps taken out. */
  steps = 0;
  #latestMs = 0;
  #shiftMs = 0;

  /** @param unixMs as the journal has it. @returns ms since the first packet. */
  read(unixMs: number): number {
    if (this.epochMs === null) this.epochMs = unixMs;
    let timeMs = unixMs - this.epochMs + this.#shiftMs;
    const stepMs = timeMs - this.#latestMs;
    if (stepMs > LARGEST_SILENCE_MS || stepMs < -LARGEST_DISORDER_MS) {
      this.#shiftMs -= stepMs;
      timeMs = this.#latestMs;
      this.steps++;
    }
    if (timeMs > this.#latestMs) this.#latestMs = timeMs;
    return timeMs;
  }
}
