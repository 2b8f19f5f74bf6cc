// One timer for every stream of every call: wakes when the earliest packet is due and lets each due stream send.
import type { Clock, Timer } from '../lib/clock.ts';

export interface Paced {
  /** On the clock's `nowMs`. Read after every run; Infinity while there is nothing to do. */
  readonly nextDueMs: number;
  /** Sends all that is due by `nowMs`, and thereby moves `nextDueMs` on. Must not throw. */
  run(nowMs: number): void;
}

export class MediaTicker {
  readonly #clock: Clock;
  readonly #streams = new Set<Paced>();
  readonly #onTimer = (): void => this.#wake();
  #timer: Timer | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Also to be called when `nextDueMs` of a known stream has become earlier. */
  add(stream: Paced): void {
    this.#streams.add(stream);
    if (stream.nextDueMs < this.#armedForMs) this.#arm(stream.nextDueMs);
  }

  remove(stream: Paced): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#disarm();
  }

  get size(): number {
    return this.#streams.size;
  }

  #wake(): void {
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams) {
      if (stream.nextDueMs <= nowMs) stream.run(nowMs);
      if (stream.nextDueMs < earliestMs) earliestMs = stream.nextDueMs;
    }
    if (earliestMs < this.#armedForMs) this.#arm(earliestMs);
  }

  #arm(dueMs: number): void {
    this.#disarm();
    this.#armedForMs = dueMs;
    // Whole milliseconds, rounded up: a timer of 0.4 ms would fire at once and find nothing due.
    this.#timer = this.#clock.after(Math.max(1, Math.ceil(dueMs - this.#clock.nowMs())), this.#onTimer);
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }
}
