// What both client transactions have in common (RFC 3261 §17.1).
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { Timers } from '../../lib/timers.ts';
import type { Header, SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import type { Path } from './path.ts';
import type { Timing } from './timing.ts';
import type { ClientEvents, ClientTransaction } from './transaction.ts';

export interface ClientTransactionOptions {
  request: SipMessage;
  clock: Clock;
  timing: Timing;
  /** Must not throw. */
  events: ClientEvents;
  /** Called once on termination, before events.onTerminated: the layer forgets the transaction. */
  onEnded(): void;
}

export abstract class ClientTransactionBase<TimerName extends string> implements ClientTransaction {
  readonly id = randomUUID();
  protected readonly timing: Timing;
  protected readonly timers: Timers<TimerName>;
  protected readonly events: ClientEvents;
  protected path: Path | null = null;
  #request: SipMessage;
  #bytes: Buffer | null = null;
  #isAnnounced = false;
  readonly #onEnded: () => void;

  constructor(options: ClientTransactionOptions) {
    this.#request = options.request;
    this.timing = options.timing;
    this.timers = new Timers(options.clock);
    this.events = options.events;
    this.#onEnded = options.onEnded;
  }

  abstract readonly state: ClientTransaction['state'];
  abstract cancel(extraHeaders?: readonly Header[]): Promise<SipMessage | null>;
  abstract receive(response: SipMessage, flow: Flow): void;
  /** Ends the transaction now, whatever its state; idempotent. */
  abstract terminate(): void;

  get method(): string {
    return this.#request.method;
  }

  get request(): SipMessage {
    return this.#request;
  }

  /** It could not be sent, or not even be given a way. */
  fail(error: Error): void {
    if (this.state === 'terminated') return;
    this.events.onTransportError(error);
    this.terminate();
  }

  /** The first sending; `request` is final now, with its Via. */
  protected sendFirst(request: SipMessage, path: Path): void {
    this.#request = request;
    this.#bytes = request.toBytes();
    this.path = path;
    path.send(this.#bytes).then(
      () => this.announce(),
      (error) => this.fail(error),
    );
  }

  /** A lost retransmission is followed by the next one. */
  protected resend(): void {
    if (this.#bytes) this.path?.send(this.#bytes).catch(() => {});
  }

  /** Reports the sending once, and before any response even if that was quicker than the kernel's word. */
  protected announce(): void {
    if (this.#isAnnounced || !this.path || this.state === 'terminated') return;
    this.#isAnnounced = true;
    this.events.onSent?.(this.#request, this.path.flow);
  }

  protected timeOut(): void {
    if (this.state === 'terminated') return;
    this.events.onTimeout();
    this.terminate();
  }

  protected ended(): void {
    this.timers.clearAll();
    this.#onEnded();
    this.events.onTerminated?.();
  }
}
