// INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2)
//
//   opening ──flow found: send──> calling   A: repeat (T1 doubling)    B: timeout ──> terminated
//      | no flow                   |  |  \ 1xx: to user
//      v                           |  |   v
//   terminated                     |  |  proceeding   1xx: to user    C: timeout ──> terminated
//                                  |  |   |      |
//              3xx-6xx: ACK, to user  |   |      | 2xx: to user
//                                  v  └───┼──────┤
//                              completed <┘      v
//                3xx-6xx: ACK again |         accepted   2xx: to user (repeated and forked ones as well)
//                                   | D          | M
//                                   v            v
//                                  terminated <──┘
//
// CANCEL (§9.1) waits for proceeding. Once it has gone out, timer C is 64·T1.
import { createAckForFailure, createCancel } from '../message/build.ts';
import type { Header, SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { ClientTransactionBase, type ClientTransactionOptions } from './client-transaction.ts';
import type { Path } from './path.ts';
import type { InviteClientState } from './transaction.ts';

/** RFC 3261 §17.1.1.2: at least 32 s over unreliable transports, whatever T1 is. */
const TIMER_D_MS = 32_000;

export interface InviteClientOptions extends ClientTransactionOptions {
  /** Sends a CANCEL in a transaction of its own, over the INVITE's path. */
  sendCancel(cancel: SipMessage, path: Path): void;
}

export class InviteClientTransaction extends ClientTransactionBase<'A' | 'B' | 'C' | 'D' | 'M'> {
  #state: InviteClientState = 'opening';
  readonly #sendCancel: InviteClientOptions['sendCancel'];
  readonly #opened = Promise.withResolvers<void>();
  #cancel: SipMessage | null = null;
  #ack: Buffer | null = null;

  constructor(options: InviteClientOptions) {
    super(options);
    this.#sendCancel = options.sendCancel;
  }

  get state(): InviteClientState {
    return this.#state;
  }

  /** `request` carries its Via. */
  begin(request: SipMessage, path: Path): void {
    if (this.#state !== 'opening') return;
    this.#state = 'calling';
    this.timers.set('B', 64 * this.timing.t1Ms, () => this.timeOut());
    if (!path.reliable) this.#repeat(this.timing.t1Ms);
    this.sendFirst(request, path);
    this.#opened.resolve();
  }

  receive(response: SipMessage, flow: Flow): void {
    const isSuccess = response.statusCode >= 200 && response.statusCode < 300;
    switch (this.#state) {
      case 'calling':
      case 'proceeding':
        this.announce();
        if (response.statusCode < 200) this.#enterProceeding();
        else if (isSuccess) this.#enterAccepted();
        else this.#enterCompleted(response);
        this.events.onResponse(response, flow);
        if (response.statusCode >= 300 && this.path?.reliable) this.terminate();
        return;
      case 'accepted':
        if (isSuccess) this.events.onResponse(response, flow);
        return;
      case 'completed':
        if (response.statusCode >= 300) this.#acknowledge();
        return;
      case 'opening':
      case 'terminated':
        return;
      default:
        this.#state satisfies never;
    }
  }

  async cancel(extraHeaders: readonly Header[] = []): Promise<SipMessage | null> {
    await this.#opened.promise;
    if (this.#cancel || (this.#state !== 'calling' && this.#state !== 'proceeding')) return null;
    this.#cancel = createCancel(this.request, extraHeaders);
    if (this.#state === 'proceeding') this.#cancelNow();
    return this.#cancel;
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.#opened.resolve();
    this.ended();
  }

  #repeat(intervalMs: number): void {
    this.timers.set('A', intervalMs, () => {
      this.resend();
      this.#repeat(2 * intervalMs);
    });
  }

  #enterProceeding(): void {
    const isFirst = this.#state === 'calling';
    this.#state = 'proceeding';
    this.timers.clear('A');
    this.timers.clear('B');
    if (isFirst && this.#cancel) this.#cancelNow();
    else if (!this.#cancel) this.timers.set('C', this.timing.ringingMs, () => this.timeOut());
  }

  #cancelNow(): void {
    if (!this.#cancel || !this.path) return;
    this.#sendCancel(this.#cancel, this.path);
    this.timers.set('C', 64 * this.timing.t1Ms, () => this.timeOut());
  }

  #enterAccepted(): void {
    this.#state = 'accepted';
    this.timers.clearAll();
    this.timers.set('M', 64 * this.timing.t1Ms, () => this.terminate());
  }

  #enterCompleted(response: SipMessage): void {
    this.#state = 'completed';
    this.timers.clearAll();
    this.#ack = createAckForFailure(this.request, response).toBytes();
    this.#acknowledge();
    if (!this.path?.reliable) this.timers.set('D', TIMER_D_MS, () => this.terminate());
  }

  #acknowledge(): void {
    if (this.#ack) this.path?.send(this.#ack).catch(() => {});
  }
}
