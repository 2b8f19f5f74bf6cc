// Which recordings a call had, by whatever names it: when recording is stopped and started again, the second one continues the first.
import type { Clock } from '../lib/clock.ts';

/** Calls last hours; a pause in a recording lasts less than a day. */
const KEEP_MS = 24 * 60 * 60 * 1000;
const MAX_KEPT = 10_000;

export class EndedCalls {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #calls = new Map<string, { endedMs: number; recordingId: Promise<string | null> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#calls.size;
  }

  remember(callId: string, recordingId: Promise<string | null>): void {
    const nowMs = this.#clock.nowMs();
    this.#calls.delete(callId);
    this.#calls.set(callId, { endedMs: nowMs, recordingId });
    for (const [oldest, { endedMs }] of this.#calls) {
      if (this.#calls.size <= MAX_KEPT && endedMs + KEEP_MS > nowMs) break;
      this.#calls.delete(oldest);
    }
  }

  /** The id of the last recording of that call; null if there was none that we remember. */
  lastRecording(callId: string): Promise<string | null> {
    const ended = this.#calls.get(callId);
    if (!ended || ended.endedMs + KEEP_MS <= this.#clock.nowMs()) return Promise.resolve(null);
    return ended.recordingId;
  }
}
