// A bag of named timers with one owner: leaving a state clears them all at once, so none can be forgotten.
import type { Clock, Timer } from './clock.ts';

export class Timers<Name extends string = string> {
  readonly #clock: Clock;
  readonly #running = new Map<Name, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts or restarts the timer of that name. */
  set(name: Name, delayMs: number, fire: () => void): void {
    this.clear(name);
    const timer = this.#clock.after(delayMs, () => {
      this.#running.delete(name);
      fire();
    });
    this.#running.set(name, timer);
  }

  clear(name: Name): void {
    this.#running.get(name)?.cancel();
    this.#running.delete(name);
  }

  clearAll(): void {
    for (const timer of this.#running.values()) timer.cancel();
    this.#running.clear();
  }

  has(name: Name): boolean {
    return this.#running.has(name);
  }

  get size(): number {
    return this.#running.size;
  }
}
