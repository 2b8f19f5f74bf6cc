// <data>/audit.jsonl: one line per act, appended and synced. Lines that wait at the same time share one sync.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { AuditEntry, AuditLog } from '../recording/audit.ts';

export const AUDIT_FILE = 'audit.jsonl';
/** Texts come from people and peers; a line stays readable. */
const MAX_TEXT = 1_000;

export class AuditFile implements AuditLog {
  readonly #path: string;
  readonly #clock: Clock;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | null = null;

  constructor(dataDirectory: string, clock: Clock) {
    this.#path = join(dataDirectory, AUDIT_FILE);
    this.#clock = clock;
  }

  write(entry: AuditEntry): Promise<void> {
    const { action, who, from, recordingId, detail } = entry;
    const time = new Date(this.#clock.wallMs()).toISOString();
    const line = { time, action, who: cut(who), from, recordingId, ...(detail && { detail: cut(detail) }) };
    this.#waiting.push(`${JSON.stringify(line)}\n`);
    this.#next ??= this.#writing.then(() => {
      this.#next = null;
      const write = this.#append(this.#waiting.splice(0).join(''));
      this.#writing = write.catch(() => {});
      return write;
    });
    return this.#next;
  }

  async #append(text: string): Promise<void> {
    try {
      // Opened for each batch, so that logrotate may move it away at any time.
      const file = await open(this.#path, 'a', 0o640);
      try {
        await file.appendFile(text);
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw new RecorderError('STORAGE_FAILED', `${AUDIT_FILE}: ${(error as Error).message}`, { cause: error });
    }
  }
}

const cut = (text: string) => text.slice(0, MAX_TEXT).toWellFormed();
