// INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1)
//
//                      INVITE
//                        |
//                        v      1xx: send      INVITE: repeat the newest 1xx, else 100
//                   proceeding ───────────┐    trying: 100, if nothing has been sent
//                    |      |  <──────────┘    unanswered: 408 as if from the user
//          2xx: send |      | 3xx-6xx: send
//                    v      v
//             accepted      completed   G: repeat; INVITE: repeat
//    2xx: send     |         |      | ACK
//    ACK: to user  | L       | H    v
//    INVITE: -     |         |    confirmed   ACK, INVITE: -
//                  v         v      | I
//                 terminated <──────┘
//
// A failure to send leaves the state as it is (RFC 6026 §7.1): the next repetition may get through.
import { createResponse } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import { ServerTransactionBase, type ServerTransactionOptions } from './server-transaction.ts';
import type { InviteServerState } from './transaction.ts';

/** Most users answer sooner, and need no 100 then (RFC 3261 §17.2.1). */
const TRYING_MS = 200;

export class InviteServerTransaction extends ServerTransactionBase<'G' | 'H' | 'I' | 'L' | 'trying' | 'unanswered'> {
  #state: InviteServerState = 'proceeding';

  constructor(options: ServerTransactionOptions) {
    super(options);
    this.#waitForUser();
    this.timers.set('trying', TRYING_MS, () => this.#try());
  }

  get state(): InviteServerState {
    return this.#state;
  }

  respond(response: SipMessage): Promise<void> {
    const isSuccess = response.statusCode >= 200 && response.statusCode < 300;
    switch (this.#state) {
      case 'proceeding':
        this.timers.clear('trying');
        if (response.statusCode < 200) this.#waitForUser();
        else if (isSuccess) this.#enterAccepted();
        else this.#enterCompleted();
        return this.send(response);
      case 'accepted':
        return isSuccess ? this.send(response) : this.tooLate(response);
      case 'completed':
      case 'confirmed':
      case 'terminated':
        return this.tooLate(response);
      default:
        return this.#state satisfies never;
    }
  }

  receiveRetransmission(): void {
    if (this.timers.has('trying')) this.#try();
    else if (this.#state === 'proceeding' || this.#state === 'completed') this.resend();
  }

  /** True if the ACK is for a non-2xx and thereby done with; false if it is the user's. */
  receiveAck(): boolean {
    if (this.#state === 'accepted') return false;
    if (this.#state === 'completed') this.#enterConfirmed();
    return true;
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.ended();
  }

  /** Stops the client's retransmissions. */
  #try(): void {
    this.timers.clear('trying');
    this.send(createResponse(this.request, 100, 'Trying')).catch(() => {});
  }

  #waitForUser(): void {
    this.timers.set('unanswered', this.timing.unansweredMs, () => {
      const timeout = createResponse(this.request, 408, 'Request Timeout');
      if (this.request.toTag === null)
        timeout.set('To', `${this.request.header('To')};tag=${this.answeredTag ?? this.toTag}`);
      this.respond(timeout).catch(() => {});
    });
  }

  #enterAccepted(): void {
    this.#state = 'accepted';
    this.timers.clearAll();
    this.timers.set('L', 64 * this.timing.t1Ms, () => this.terminate());
  }

  #enterCompleted(): void {
    this.#state = 'completed';
    this.timers.clearAll();
    if (!this.path.reliable) this.#repeat(this.timing.t1Ms);
    this.timers.set('H', 64 * this.timing.t1Ms, () => this.terminate());
  }

  #repeat(intervalMs: number): void {
    this.timers.set('G', intervalMs, () => {
      this.resend();
      this.#repeat(Math.min(2 * intervalMs, this.timing.t2Ms));
    });
  }

  #enterConfirmed(): void {
    this.#state = 'confirmed';
    this.timers.clearAll();
    if (this.path.reliable) this.terminate();
    else this.timers.set('I', this.timing.t4Ms, () => this.terminate());
  }
}
