// Requests that arrive while the first app is still getting ready, after a start or a restart of the process.
import { Timers } from '../../lib/timers.ts';
import type { ServerTransaction } from '../transaction/transaction.ts';
import type { DialogServices } from './services.ts';

/** Beyond, requests are treated as if no app would come. */
const MAX_WAITING = 4096;

/**
 *   closed ──begin──▶ open ──first app, or firstAppMs──▶ closed for good
 */
export class WaitingRoom {
  readonly #services: DialogServices;
  readonly #admit: (transaction: ServerTransaction) => void;
  readonly #timers: Timers<'limit'>;
  readonly #waiting = new Map<string, ServerTransaction>();
  #isOpen = false;

  /** `admit` gets what has waited, in order, once the room is closed. */
  constructor(services: DialogServices, admit: (transaction: ServerTransaction) => void) {
    this.#services = services;
    this.#admit = admit;
    this.#timers = new Timers(services.clock);
  }

  begin(): void {
    const { firstAppMs } = this.#services.timing;
    if (firstAppMs <= 0) return;
    this.#isOpen = true;
    this.#timers.set('limit', firstAppMs, () => this.close());
  }

  /** True if the request waits here; false if it has to be dealt with now. */
  take(transaction: ServerTransaction): boolean {
    if (!this.#isOpen || this.#waiting.size >= MAX_WAITING) return false;
    this.#waiting.set(transaction.id, transaction);
    return true;
  }

  /** For a CANCEL: true if that INVITE was here, and is no more. */
  giveUp(transaction: ServerTransaction): boolean {
    return this.#waiting.delete(transaction.id);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#timers.clearAll();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const transaction of waiting) this.#admit(transaction);
  }
}
