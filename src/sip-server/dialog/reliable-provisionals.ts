// Reliable provisional answers of ours (RFC 3262): RSeq, repetition, PRACK. One at a time.
import type { SipMessage } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/transaction.ts';
import { newSequenceNumber } from './identifiers.ts';
import { DialogError } from './owner.ts';
import { Repetition } from './repetition.ts';
import type { DialogServices } from './services.ts';

/**
 *   idle ──prepare, await──▶ waiting ──PRACK──▶ idle
 *                               └──64·T1──▶ onGivenUp
 */
export class ReliableProvisionals {
  readonly #services: DialogServices;
  readonly #transaction: ServerTransaction;
  readonly #onGivenUp: () => void;
  #sequence = 0;
  #waiting = false;
  #repetition: Repetition | null = null;

  constructor(services: DialogServices, transaction: ServerTransaction, onGivenUp: () => void) {
    this.#services = services;
    this.#transaction = transaction;
    this.#onGivenUp = onGivenUp;
  }

  /**
   * Makes the answer reliable if the app (Require: 100rel) or the peer (the same in its INVITE) wants that; then true.
   * Throws NO_100REL or PRACK_AWAITED.
   */
  prepare(response: SipMessage): boolean {
    const request = this.#transaction.request;
    const peerRequires = hasOption(request, 'Require');
    if (!hasOption(response, 'Require')) {
      if (!peerRequires) return false;
      response.append('Require', '100rel');
    } else if (!peerRequires && !hasOption(request, 'Supported')) {
      throw new DialogError('NO_100REL', 'The peer does not know 100rel.');
    }
    // A second one must not leave before the first is acknowledged (§3).
    if (this.#waiting)
      throw new DialogError('PRACK_AWAITED', 'An earlier reliable provisional answer waits for its PRACK.');
    this.#sequence = this.#sequence === 0 ? newSequenceNumber() : this.#sequence + 1;
    this.#waiting = true;
    response.append('RSeq', String(this.#sequence));
    return true;
  }

  /** The prepared answer has left. */
  await(response: SipMessage): void {
    if (!this.#waiting) return;
    const { t1Ms } = this.#services.timing;
    const plan = { firstMs: t1Ms, longestMs: Number.POSITIVE_INFINITY, totalMs: 64 * t1Ms };
    this.#repetition = new Repetition(this.#services.clock, plan, {
      repeat: () => void this.#transaction.respond(response).catch(() => {}),
      onGivenUp: this.#onGivenUp,
    });
  }

  /** True if the PRACK's RAck names the answer that waits. */
  acknowledge(prack: SipMessage): boolean {
    const [sequence, inviteSequence, method] = (prack.header('RAck') ?? '').trim().split(/\s+/);
    const matches =
      this.#waiting &&
      Number(sequence) === this.#sequence &&
      Number(inviteSequence) === this.#transaction.request.cseq?.number &&
      method === 'INVITE';
    if (matches) this.stop();
    return matches;
  }

  stop(): void {
    this.#waiting = false;
    this.#repetition?.stop();
    this.#repetition = null;
  }
}

function hasOption(message: SipMessage, name: 'Require' | 'Supported'): boolean {
  return message.listValues(name).some((value) => value.toLowerCase() === '100rel');
}
