// Somebody who is told, in whatever way.
import type { DeliveryEvent } from './event.ts';
import type { OutboxTarget } from './outbox.ts';

export interface DeliveryTarget extends OutboxTarget {
  /** Resolves when the target has it. Rejects with DeliveryFailure. */
  deliver(event: DeliveryEvent, signal: AbortSignal): Promise<void>;
}

/**
 * `unreachable`: nothing can be told to the target now (no connection, 5xx, too many requests): everything for it waits.
 * `refused`: it does not want this event: the others go on.
 * `hopeless`: it says that it will never take this event (410, or the file is gone): not tried again.
 */
export type FailureKind = 'unreachable' | 'refused' | 'hopeless';

export class DeliveryFailure extends Error {
  override readonly name = 'DeliveryFailure';
  readonly kind: FailureKind;
  /** What the target asked for, in ms; null if it did not. */
  readonly retryAfterMs: number | null;

  constructor(kind: FailureKind, message: string, retryAfterMs: number | null = null, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}
