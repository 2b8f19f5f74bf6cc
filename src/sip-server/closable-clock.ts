// A clock whose timers all end with their server: nothing fires after close, whoever set it.
import type { Clock, Timer } from '../lib/clock.ts';

export class ClosableClock implements Clock {
  readonly #clock: Clock;
  readonly #running = new Set<Timer>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  after(delayMs: number, fire: () => void): Timer {
    if (this.#closed) return { cancel() {} };
    const running = this.#clock.after(delayMs, () => {
      this.#running.delete(running);
      fire();
    });
    this.#running.add(running);
    return {
      cancel: () => {
        running.cancel();
        this.#running.delete(running);
      },
    };
  }

  /** Cancels every timer; later ones never fire. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#running) timer.cancel();
    this.#running.clear();
  }

  get pendingTimers(): number {
    return this.#running.size;
  }
}
