// Keeps a flood out of the log: at most one line per subject and interval, with the number of those left out.
import type { Clock } from './clock.ts';

const INTERVAL_MS = 60_000;

export class LogLimiter {
  readonly #clock: Clock;
  readonly #subjects = new Map<string, { untilMs: number; suppressed: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Null: keep quiet. Otherwise write the line, and how many were left out since the last one.
   * `subject` must come from a fixed set, never from the wire.
   */
  pass(subject: string): number | null {
    const nowMs = this.#clock.nowMs();
    const known = this.#subjects.get(subject);
    if (known && known.untilMs > nowMs) {
      known.suppressed++;
      return null;
    }
    this.#subjects.set(subject, { untilMs: nowMs + INTERVAL_MS, suppressed: 0 });
    return known?.suppressed ?? 0;
  }
}
