// Carries the outbox's tasks to one target. Each target has its own courier, so a dead receiver holds up nobody else.
//
//   idle ──something due──▶ carrying ──nothing due──▶ idle
//                              │ unreachable
//                              ▼
//                           paused ──after a while──▶ carrying
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import type { DeliveryTask, Outbox } from './outbox.ts';
import { DeliveryFailure, type DeliveryTarget } from './target.ts';

export interface CourierOptions {
  outbox: Outbox;
  target: DeliveryTarget;
  clock: Clock;
  log: Log;
  /** Events on their way at the same time; those of one recording always go one after the other. */
  concurrency: number;
  /** An event older than this is given up when it fails once more. */
  giveUpAfterMs: number;
}

/** After the first failure, the second, …; the last one repeats. */
const DELAYS_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000];
/** A target that cannot be reached is tried at least this often: with one event, so that it costs little. */
const LONGEST_PAUSE_MS = 600_000;
/** So many times an event is tried first in its place. */
const PATIENCE = 3;
/** The command line may have put something back into the outbox. */
const LONGEST_IDLE_MS = 60_000;
/** When the database itself fails. */
const DATABASE_RETRY_MS = 10_000;

export class Courier {
  readonly #options: CourierOptions;
  readonly #timers: Timers<'wake'>;
  readonly #stopping = new AbortController();
  #carrying: Promise<void> | null = null;
  #again = false;
  #failuresInARow = 0;
  /** On the clock of `nowMs`, which does not jump. */
  #pausedUntilMs = 0;

  constructor(options: CourierOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  /** Something may be due. */
  wake(): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#carrying) {
      this.#again = true;
      return;
    }
    this.#carrying = this.#carry().finally(() => {
      this.#carrying = null;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  /** What is on its way is given up for now; it is sent again by the next process. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#timers.clearAll();
    await this.#carrying;
  }

  async #carry(): Promise<void> {
    const { outbox, target, clock, concurrency, log } = this.#options;
    try {
      while (!this.#stopping.signal.aborted) {
        const pauseMs = this.#pausedUntilMs - clock.nowMs();
        if (pauseMs > 0) return this.#wakeIn(pauseMs);
        // After a failure one event tries whether the target is there again.
        const limit = this.#failuresInARow > 0 ? 1 : concurrency;
        const tasks = await outbox.due(target.name, clock.wallMs(), limit);
        if (tasks.length === 0) {
          const nextMs = await outbox.nextDueMs(target.name);
          const delayMs = nextMs === null ? LONGEST_IDLE_MS : Math.max(100, nextMs - clock.wallMs());
          return this.#wakeIn(Math.min(delayMs, LONGEST_IDLE_MS));
        }
        await Promise.all(tasks.map((task) => this.#send(task)));
      }
    } catch (error) {
      log.error({ err: error, target: target.name }, 'the outbox cannot be read: will be tried again');
      this.#wakeIn(DATABASE_RETRY_MS);
    }
  }

  async #send(task: DeliveryTask): Promise<void> {
    const { outbox, target } = this.#options;
    try {
      await target.deliver(task.event, this.#stopping.signal);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      await this.#failed(task, error);
      return;
    }
    this.#failuresInARow = 0;
    await outbox.done(task);
  }

  async #failed(task: DeliveryTask, error: unknown): Promise<void> {
    const { outbox, target, clock, log, giveUpAfterMs } = this.#options;
    const failure = error instanceof DeliveryFailure ? error : unexpected(error);
    const { kind, message, retryAfterMs } = failure;
    const delayMs = Math.max(retryAfterMs ?? 0, DELAYS_MS[Math.min(task.attempts, DELAYS_MS.length - 1)]!);
    const given = kind === 'hopeless' || clock.wallMs() + delayMs - task.event.atMs > giveUpAfterMs;
    // Everything for an unreachable target waits together, and keeps its order. But an event at which a receiver falls over
    // again and again steps aside, so that it does not block the others for days.
    const inOrder = kind === 'unreachable' && task.attempts < PATIENCE;
    const dueMs = inOrder ? clock.wallMs() : clock.wallMs() + delayMs;
    if (kind === 'unreachable') this.#pause(retryAfterMs ?? 0);
    const { eventId, type, recordingId } = task.event;
    const about = { target: target.name, eventId, type, recordingId, why: message };
    if (given) log.error(about, 'an event is given up: see sipreel deliveries');
    else if (task.attempts === 0) log.warn(about, 'an event was not taken: will be tried again');
    await outbox.failed(task, message, given ? null : dueMs);
  }

  /** Events that were on their way together fail together: that is one failure. */
  #pause(atLeastMs: number): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#pausedUntilMs > nowMs) return;
    const pauseMs = DELAYS_MS[Math.min(this.#failuresInARow, DELAYS_MS.length - 1)]!;
    this.#failuresInARow++;
    this.#pausedUntilMs = nowMs + Math.max(atLeastMs, Math.min(pauseMs, LONGEST_PAUSE_MS));
  }

  #wakeIn(delayMs: number): void {
    this.#timers.set('wake', delayMs, () => this.wake());
  }
}

function unexpected(error: unknown): DeliveryFailure {
  return new DeliveryFailure('refused', error instanceof Error ? error.message : String(error));
}
