// What both server transactions have in common (RFC 3261 §17.2).
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { Timers } from '../../lib/timers.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { newTag } from './matching.ts';
import type { Path } from './path.ts';
import type { Timing } from './timing.ts';
import { type ServerTransaction, TransactionError } from './transaction.ts';

export interface ServerTransactionOptions {
  request: SipMessage;
  flow: Flow;
  /** Where answers go. */
  path: Path;
  clock: Clock;
  timing: Timing;
  /** Called once on termination: the layer forgets the transaction and tells the user. */
  onEnded(): void;
}

export abstract class ServerTransactionBase<TimerName extends string> implements ServerTransaction {
  readonly id = randomUUID();
  readonly toTag = newTag();
  readonly request: SipMessage;
  readonly flow: Flow;
  readonly receivedMs: number;
  onTerminated: (() => void) | null = null;
  protected readonly path: Path;
  protected readonly timing: Timing;
  protected readonly timers: Timers<TimerName>;
  /** The newest answer, for retransmissions: no more of it, since there is one for half a minute of every call. */
  protected last: { toTag: string | null; bytes: Buffer } | null = null;
  readonly #onEnded: () => void;

  constructor(options: ServerTransactionOptions) {
    this.request = options.request;
    this.flow = options.flow;
    this.path = options.path;
    this.timing = options.timing;
    this.timers = new Timers(options.clock);
    this.receivedMs = options.clock.nowMs();
    this.#onEnded = options.onEnded;
  }

  abstract readonly state: ServerTransaction['state'];
  abstract respond(response: SipMessage): Promise<void>;
  /** The same request again. */
  abstract receiveRetransmission(): void;
  /** Ends the transaction now, whatever its state; idempotent. */
  abstract terminate(): void;

  get method(): string {
    return this.request.method;
  }

  /** The To tag of the newest answer that has one: what the peer knows us by. */
  get answeredTag(): string | null {
    return this.last?.toTag ?? null;
  }

  protected send(response: SipMessage): Promise<void> {
    this.last = { toTag: response.toTag, bytes: response.toBytes() };
    // What is answered is not read again, and with metadata it is the larger part of what a call weighs here.
    if (response.statusCode >= 200) this.request.dropBody();
    return this.path.send(this.last.bytes);
  }

  /** A lost retransmission is followed by the next one, or by the peer's. */
  protected resend(): void {
    if (this.last) this.path.send(this.last.bytes).catch(() => {});
  }

  protected tooLate(response: SipMessage): Promise<never> {
    const text = `${response.statusCode} has no place in the state ${this.state} of this ${this.method} transaction.`;
    return Promise.reject(new TransactionError('TRANSACTION_OVER', text));
  }

  protected ended(): void {
    this.timers.clearAll();
    this.#onEnded();
  }
}
