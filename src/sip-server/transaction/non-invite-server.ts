// Non-INVITE server transaction (RFC 3261 §17.2.2)
//
//      trying        request: -                      unanswered ──> terminated
//        |    \  1xx: send
//        |     v
//        |   proceeding   1xx: send; request: repeat the newest 1xx; unanswered ──> terminated
//        |     |
//        v     v  2xx-6xx: send
//       completed        request: repeat the answer
//           | J (at once over reliable transports)
//           v
//       terminated
//
// Unlike in the RFC, a failure to send does not end it: the client's next retransmission gets another try.
import type { SipMessage } from '../message/message.ts';
import { ServerTransactionBase, type ServerTransactionOptions } from './server-transaction.ts';
import type { NonInviteServerState } from './transaction.ts';

export class NonInviteServerTransaction extends ServerTransactionBase<'J' | 'unanswered'> {
  #state: NonInviteServerState = 'trying';

  constructor(options: ServerTransactionOptions) {
    super(options);
    // There is no late answer to give: 408 is forbidden here, and the client has long given up (RFC 4320 §4.2).
    this.timers.set('unanswered', this.timing.unansweredMs, () => this.terminate());
  }

  get state(): NonInviteServerState {
    return this.#state;
  }

  respond(response: SipMessage): Promise<void> {
    switch (this.#state) {
      case 'trying':
      case 'proceeding': {
        if (response.statusCode < 200) this.#state = 'proceeding';
        else this.#state = 'completed';
        const sent = this.send(response);
        if (this.#state === 'completed') this.#waitForRetransmissions();
        return sent;
      }
      case 'completed':
      case 'terminated':
        return this.tooLate(response);
      default:
        return this.#state satisfies never;
    }
  }

  receiveRetransmission(): void {
    if (this.#state === 'proceeding' || this.#state === 'completed') this.resend();
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.ended();
  }

  #waitForRetransmissions(): void {
    this.timers.clearAll();
    if (this.path.reliable) this.terminate();
    else this.timers.set('J', 64 * this.timing.t1Ms, () => this.terminate());
  }
}
