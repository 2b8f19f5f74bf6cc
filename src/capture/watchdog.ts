// Notices worker threads that live and say nothing: one that hangs never ends by itself, and its calls are lost meanwhile.
import type { Clock } from '../lib/clock.ts';
import { Timers } from '../lib/timers.ts';

const LOOKS = 5;

export interface WatchdogOptions<Watched> {
  clock: Clock;
  /** Silence from which on a worker hangs. It is noticed up to a fifth of that later. */
  limitMs: number;
  /** Told once; the worker is not watched any more. */
  onHang: (worker: Watched) => void;
}

/**
 * Silence is counted in looks, not in time: when this thread was late itself, or the whole process was stopped, what the workers
 * have said meanwhile is still on its way, and only one look has gone by.
 */
export class Watchdog<Watched> {
  readonly #options: WatchdogOptions<Watched>;
  readonly #silentLooks = new Map<Watched, number>();
  readonly #timers: Timers<'look'>;

  constructor(options: WatchdogOptions<Watched>) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
    this.#lookLater();
  }

  /** Begins to watch, or notes that it has said something. */
  heard(worker: Watched): void {
    this.#silentLooks.set(worker, 0);
  }

  forget(worker: Watched): void {
    this.#silentLooks.delete(worker);
  }

  close(): void {
    this.#timers.clearAll();
    this.#silentLooks.clear();
  }

  #lookLater(): void {
    this.#timers.set('look', this.#options.limitMs / LOOKS, () => {
      this.#lookLater();
      for (const [worker, before] of [...this.#silentLooks]) {
        this.#silentLooks.set(worker, before + 1);
        // The first look may have come right behind its last word.
        if (before < LOOKS) continue;
        this.#silentLooks.delete(worker);
        this.#options.onHang(worker);
      }
    });
  }
}
