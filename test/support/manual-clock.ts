// A clock that moves only when told to. Timers fire in order of their time, inside advance().
import type { Clock, Timer } from '../../src/lib/clock.ts';

export class ManualClock implements Clock {
  #nowMs: number;
  #wallShiftMs = 0;
  #timers: { dueMs: number; fire: () => void }[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Math.floor(this.#nowMs + this.#wallShiftMs);
  }

  after(delayMs: number, fire: () => void): Timer {
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Moves time on and fires everything that falls due, including timers set on the way. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      let next: { dueMs: number; fire: () => void } | undefined;
      for (const timer of this.#timers) if (timer.dueMs <= untilMs && (!next || timer.dueMs < next.dueMs)) next = timer;
      if (!next) break;
      const due = next;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.dueMs);
      due.fire();
    }
    this.#nowMs = untilMs;
  }

  /** Steps the wall clock alone, as NTP or an operator would. */
  stepWall(byMs: number): void {
    this.#wallShiftMs += byMs;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }
}
