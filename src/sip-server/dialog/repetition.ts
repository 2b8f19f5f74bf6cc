// Repeating a response until it is acknowledged: 2xx to an INVITE (RFC 3261 §13.3.1.4), reliable 1xx (RFC 3262 §3).
import type { Clock } from '../../lib/clock.ts';
import { Timers } from '../../lib/timers.ts';

export interface RepetitionPlan {
  /** The first gap; each further one is twice as long. */
  firstMs: number;
  /** The longest gap. */
  longestMs: number;
  totalMs: number;
}

export interface RepetitionEvents {
  repeat(): void;
  /** `totalMs` are over without stop(). */
  onGivenUp(): void;
}

/**
 *   repeating ──stop()──▶ over
 *       └────totalMs────▶ over, onGivenUp
 */
export class Repetition {
  readonly #timers: Timers<'repeat' | 'give-up'>;
  readonly #plan: RepetitionPlan;
  readonly #events: RepetitionEvents;

  constructor(clock: Clock, plan: RepetitionPlan, events: RepetitionEvents) {
    this.#timers = new Timers(clock);
    this.#plan = plan;
    this.#events = events;
    this.#repeatAfter(plan.firstMs);
    this.#timers.set('give-up', plan.totalMs, () => {
      this.stop();
      events.onGivenUp();
    });
  }

  stop(): void {
    this.#timers.clearAll();
  }

  #repeatAfter(delayMs: number): void {
    this.#timers.set('repeat', delayMs, () => {
      this.#repeatAfter(Math.min(2 * delayMs, this.#plan.longestMs));
      this.#events.repeat();
    });
  }
}
