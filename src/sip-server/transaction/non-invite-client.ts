// Non-INVITE client transaction (RFC 3261 §17.1.2)
//
//   opening ──flow found: send──> trying ──1xx: to user──> proceeding   E: repeat (every T2)
//      |                            |  E: repeat (T1 doubling to T2)  |
//      | no flow                    | 2xx-6xx: to user                | 2xx-6xx: to user
//      v                            v                                 v
//   terminated <──F: timeout────── (both)        K <──────────── completed   2xx-6xx: -
//
// F ends trying and proceeding with a timeout; a failure of the first sending ends trying with a transport error.
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { ClientTransactionBase } from './client-transaction.ts';
import type { Path } from './path.ts';
import type { NonInviteClientState } from './transaction.ts';

export class NonInviteClientTransaction extends ClientTransactionBase<'E' | 'F' | 'K'> {
  #state: NonInviteClientState = 'opening';

  get state(): NonInviteClientState {
    return this.#state;
  }

  /** `request` carries its Via. */
  begin(request: SipMessage, path: Path): void {
    if (this.#state !== 'opening') return;
    this.#state = 'trying';
    this.timers.set('F', 64 * this.timing.t1Ms, () => this.timeOut());
    if (!path.reliable) this.#repeat(this.timing.t1Ms);
    this.sendFirst(request, path);
  }

  receive(response: SipMessage, flow: Flow): void {
    if (this.#state !== 'trying' && this.#state !== 'proceeding') return;
    this.announce();
    if (response.statusCode < 200) {
      this.#state = 'proceeding';
      this.events.onResponse(response, flow);
      return;
    }
    this.#state = 'completed';
    this.timers.clearAll();
    this.events.onResponse(response, flow);
    if (this.path?.reliable) this.terminate();
    else this.timers.set('K', this.timing.t4Ms, () => this.terminate());
  }

  /** Only an INVITE can be cancelled. */
  async cancel(): Promise<null> {
    return null;
  }

  terminate(): void {
    if (this.#state === 'terminated') return;
    this.#state = 'terminated';
    this.ended();
  }

  #repeat(intervalMs: number): void {
    this.timers.set('E', intervalMs, () => {
      this.resend();
      const nextMs = this.#state === 'proceeding' ? this.timing.t2Ms : Math.min(2 * intervalMs, this.timing.t2Ms);
      this.#repeat(nextMs);
    });
  }
}
