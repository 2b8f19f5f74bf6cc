// Lets go what is overdue, once an hour:
//
//   settings changed? ──▶ rows of the index made anew ──▶ overdue ones, a batch at a time ──▶ audit line ──▶ deleted
//
// The index only proposes: what is deleted is decided by the recording's own files and the settings of now, and a hold is refused
// by the library itself.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import { isRecorderError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { Timers } from '../../lib/timers.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { LibraryRecording } from '../../recording/library.ts';
import { replaceFile } from '../atomic-file.ts';
import { journalDueMs, keepDaysOf, type RetentionPolicy, recordingDueMs } from './policy.ts';

export interface SweeperOptions {
  dataDirectory: string;
  policy: RetentionPolicy;
  library: {
    get(recordingId: string): Promise<LibraryRecording | null>;
    delete(recordingId: string): Promise<void>;
    removeJournal(recordingId: string): Promise<void>;
    /** Finishes deletions that a store held up. */
    emptyTrash(): Promise<void>;
    /** Brings the index in line with the recording's files. */
    refresh(recordingId: string): Promise<void>;
  };
  /** Ids of recordings of which something is due, the longest overdue first. */
  overdue: (nowMs: number, limit: number) => Promise<string[]>;
  /** Reckons anew when each recording is due. */
  reckon: () => Promise<unknown>;
  /** Recordings in a batch. Default: 100. */
  atOnce?: number;
  audit: AuditLog;
  clock: Clock;
  log: Log;
}

const FIRST_SWEEP_MS = 60_000;
const SWEEP_EVERY_MS = 3_600_000;
const AT_ONCE = 100;
const POLICY_FILE = 'retention.json';

export class RetentionSweeper {
  readonly #options: SweeperOptions;
  readonly #timers: Timers<'sweep'>;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
    this.#timers = new Timers(options.clock);
  }

  start(): void {
    this.#next(FIRST_SWEEP_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timers.clearAll();
    await this.#sweeping;
  }

  /** Resolves when the running sweep is done. */
  idle(): Promise<void> {
    return this.#sweeping;
  }

  /** Returns how many recordings or journals went. What fails stays for the next sweep. */
  async sweep(): Promise<number> {
    await this.#options.library.emptyTrash();
    await this.#applyPolicy();
    const { clock, log, overdue, atOnce = AT_ONCE } = this.#options;
    let gone = 0;
    // What could not go is proposed again: it must not stand in front of all others.
    const stuck = new Set<string>();
    while (!this.#closed) {
      const proposed = await overdue(clock.wallMs(), atOnce + stuck.size);
      const batch = proposed.filter((recordingId) => !stuck.has(recordingId));
      if (batch.length === 0) break;
      for (const recordingId of batch) {
        if (this.#closed) break;
        try {
          if (await this.#letGo(recordingId)) gone++;
          else stuck.add(recordingId);
        } catch (error) {
          stuck.add(recordingId);
          log.error(
            { recordingId, err: error },
            'an overdue recording could not be deleted: the next sweep tries again',
          );
        }
        await breathe();
      }
    }
    if (gone > 0) log.info({ recordings: gone }, 'recordings or journals past their time were deleted');
    return gone;
  }

  #next(delayMs: number): void {
    if (this.#closed) return;
    this.#timers.set('sweep', delayMs, () => {
      this.#sweeping = this.sweep()
        .catch((err) => this.#options.log.error({ err }, 'retention could not be applied: will be tried again'))
        .then(() => this.#next(SWEEP_EVERY_MS));
    });
  }

  /** False if it has to stay. */
  async #letGo(recordingId: string): Promise<boolean> {
    const { audit, clock, library, log, policy } = this.#options;
    const recording = await library.get(recordingId);
    if (!recording || recording.annotations.hold) return false;
    const { document } = recording;
    const isDue = (dueMs: number | null) => dueMs !== null && dueMs <= clock.wallMs();
    const all = isDue(recordingDueMs(document, policy));
    if (!all && !isDue(journalDueMs(document, policy))) {
      await library.refresh(recordingId);
      return false;
    }
    const who = { who: 'retention', from: null, recordingId } as const;
    const action = all ? 'delete' : 'delete-journal';
    const days = all ? keepDaysOf(document, policy) : policy.journalKeepDays;
    await audit.write({ ...who, action, detail: `ended ${document.times.end}, to be kept ${days} days` });
    try {
      await (all ? library.delete(recordingId) : library.removeJournal(recordingId));
    } catch (error) {
      await audit.write({ ...who, action, detail: `not done: ${(error as Error).message}` });
      // Put on hold, or deleted by somebody, in this very moment.
      if (!isRecorderError(error, 'ON_HOLD') && !isRecorderError(error, 'NOT_FOUND')) throw error;
      log.info({ recordingId, reason: error.code }, 'an overdue recording was not deleted');
      return false;
    }
    return true;
  }

  /** The index knows for each row when it is due: by the settings of the time when it was written. */
  async #applyPolicy(): Promise<void> {
    const path = join(this.#options.dataDirectory, POLICY_FILE);
    const now = `${JSON.stringify(this.#options.policy)}\n`;
    if ((await readFile(path, 'utf8').catch(() => '')) === now) return;
    await this.#options.reckon();
    if (!this.#closed) await replaceFile(path, now, 'sync');
  }
}
