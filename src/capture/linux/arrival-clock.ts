// From the kernel's receive time, which is by the wall clock, to the media clock that places audio.
import type { Clock } from '../../lib/clock.ts';

/** Longer than this between two looks at the media clock, and the thread was interrupted: the wall clock is read again. */
const MAX_LOOK_MS = 0.05;
const MAX_LOOKS = 4;
/** How much older than the last complete round a datagram may be: from stamping it to queueing it the kernel takes time. */
const QUEUEING_MS = 50;

/**
 * The media clock never steps, the wall clock may at any time. Both are read once per round of reading sockets, and
 * their difference is added to the stamps of that round:
 *
 *   media       ──────┬───────────────┬───────────────┬──────▶
 *                offset A│         offset B│        offset B│
 *   wall clock  ──────┴────────╱ step ╱┴──────────────┴──────▶
 *                  round     x      y round         round
 *
 * So slewing is followed exactly and a step is over with the round that finds it. In that round y is right with
 * offset B and x with A. A datagram cannot be later than now nor older than the last complete round, which emptied all
 * sockets: what offset B puts elsewhere gets offset A, and what both put elsewhere is moved to the nearer end. Thus no
 * step misplaces a datagram by more than the time between two rounds and QUEUEING_MS, nor into the future.
 */
export class ArrivalClock {
  readonly #clock: Clock;
  readonly #readWallMs: () => number;
  #offsetMs = 0;
  /** As of the last complete round. */
  #earlierOffsetMs = 0;
  /** When this round began, by the media clock. */
  #roundMs: number;
  /** A time by the media clock that has been reached for sure; saves asking it for every datagram. */
  #reachedMs = 0;
  /** No stamp is older, by the media clock. */
  #oldestMs: number;

  /** @param readWallMs the clock that the kernel stamps with: Unix ms with a fraction */
  constructor(clock: Clock, readWallMs: () => number) {
    this.#clock = clock;
    this.#readWallMs = readWallMs;
    this.#roundMs = clock.nowMs();
    this.#oldestMs = this.#roundMs - QUEUEING_MS;
    this.beginRound();
    this.#earlierOffsetMs = this.#offsetMs;
  }

  /** Before sockets are read. */
  beginRound(): void {
    let shortestMs = Number.POSITIVE_INFINITY;
    for (let look = 0; look < MAX_LOOKS && shortestMs > MAX_LOOK_MS; look++) {
      const beforeMs = this.#clock.nowMs();
      const wallMs = this.#readWallMs();
      const afterMs = this.#clock.nowMs();
      if (afterMs - beforeMs >= shortestMs) continue;
      shortestMs = afterMs - beforeMs;
      this.#offsetMs = beforeMs + shortestMs / 2 - wallMs;
      this.#roundMs = beforeMs;
      this.#reachedMs = afterMs;
    }
  }

  /** All sockets are empty: whatever comes was stamped after the round began. */
  completeRound(): void {
    this.#oldestMs = this.#roundMs - QUEUEING_MS;
    this.#earlierOffsetMs = this.#offsetMs;
  }

  /** The media clock's time of what was stamped `wallMs`; of what carries no stamp (negative), now. */
  arrivalMs(wallMs: number): number {
    const arrivalMs = wallMs + this.#offsetMs;
    if (arrivalMs <= this.#reachedMs && arrivalMs >= this.#oldestMs) return arrivalMs;
    return this.#unusual(wallMs);
  }

  #unusual(wallMs: number): number {
    const nowMs = this.#clock.nowMs();
    this.#reachedMs = nowMs;
    if (wallMs < 0) return nowMs;
    const arrivalMs = wallMs + this.#offsetMs;
    if (arrivalMs <= nowMs && arrivalMs >= this.#oldestMs) return arrivalMs;
    const earlierMs = wallMs + this.#earlierOffsetMs;
    if (earlierMs <= nowMs && earlierMs >= this.#oldestMs) return earlierMs;
    return Math.min(nowMs, Math.max(this.#oldestMs, arrivalMs));
  }
}
