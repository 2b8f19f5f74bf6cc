// A dialog and everything that is going on in it: who owns it, which requests are open, and how it ends.
import { Timers } from '../../lib/timers.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow } from '../transport/flow.ts';
import { Dialog } from './dialog.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import type { Content, DialogOwner } from './owner.ts';
import type { DialogServices } from './services.ts';
import type { DialogState } from './state.ts';

/** Something of this dialog that has to be brought to an end with it. */
export interface DialogPart {
  onDialogEnded(): void;
}

/** An INVITE of ours: the app acknowledges its 2xx. */
export interface OwnInvite extends DialogPart {
  acknowledge(content: Content): Promise<{ ack: SipMessage; flow: Flow }>;
  onOwnerGone(): void;
}

/** An INVITE of the peer that the app has not answered finally. */
export interface UnansweredInvite extends DialogPart {
  readonly transactionId: string;
  readonly isInitial: boolean;
  /** True if the PRACK is for a provisional answer of ours. */
  onPrack(prack: SipMessage): boolean;
}

/** An INVITE of the peer whose 2xx waits for its ACK. */
export interface AckAwaiter extends DialogPart {
  /** CSeq number. */
  readonly sequence: number;
  readonly transactionId: string;
  readonly isInitial: boolean;
  onAck(): void;
}

/**
 *   alive ──BYE of the peer, or of the server──▶ over
 *     └──BYE of the app──▶ ending ──answer, 64·T1──▶ over
 *                            └──401, 407──▶ challenged ──BYE of the app──▶ ending
 *                                               └──64·T1──▶ over
 */
export type DialogPhase = 'alive' | 'ending' | 'challenged' | 'over';

export class LiveDialog {
  readonly dialog: Dialog;
  /** Who is told of the peer's requests; null once that app is gone. */
  owner: DialogOwner | null;
  /** Without final answer, or with a 2xx that the app has not acknowledged. */
  ownInvite: OwnInvite | null = null;
  theirInvite: UnansweredInvite | null = null;
  /** The peer's UPDATE that the app has not answered. */
  theirUpdate: DialogPart | null = null;
  readonly #services: DialogServices;
  readonly #parts = new Set<DialogPart>();
  #awaitingAck: AckAwaiter[] = [];
  readonly #timers: Timers<'challenged' | 'orphan'>;
  #phase: DialogPhase = 'alive';

  /** Enters the table. */
  constructor(services: DialogServices, state: DialogState, owner: DialogOwner | null, flow: Flow | null) {
    this.dialog = new Dialog(state, flow);
    this.owner = owner;
    this.#services = services;
    this.#timers = new Timers(services.clock);
    services.dialogs.add(this);
  }

  get id(): string {
    return this.dialog.id;
  }

  get key(): string {
    return this.dialog.key;
  }

  get phase(): DialogPhase {
    return this.#phase;
  }

  addPart(part: DialogPart): void {
    this.#parts.add(part);
  }

  /** Our 2xx has been sent: the INVITE is answered and waits for its ACK. */
  onAccepted(invite: AckAwaiter): void {
    this.theirInvite = null;
    this.#awaitingAck.push(invite);
  }

  /**
   * Finds what an ACK is for: the INVITE of its CSeq number, else the oldest one. Older ones are acknowledged with it:
   * who knows our To tag has got that 2xx. Undefined for a repeated ACK.
   */
  takeAcknowledged(sequence: number): AckAwaiter | undefined {
    const exact = this.#awaitingAck.findIndex((invite) => invite.sequence === sequence);
    const acknowledged = this.#awaitingAck.slice(0, Math.max(exact, 0) + 1);
    for (const invite of acknowledged) invite.onAck();
    return acknowledged.at(-1);
  }

  removePart(part: DialogPart): void {
    this.#parts.delete(part);
    this.#awaitingAck = this.#awaitingAck.filter((invite) => invite !== part);
    if (this.ownInvite === part) this.ownInvite = null;
    if (this.theirInvite === part) this.theirInvite = null;
    if (this.theirUpdate === part) this.theirUpdate = null;
  }

  /** The app's BYE has left: only its answer is awaited. Open requests of the peer end now. */
  onByeSent(): void {
    this.#phase = 'ending';
    this.#timers.clearAll();
    this.#endParts();
  }

  /** The final answer to the app's BYE. After a challenge the app may send another one. */
  onByeAnswered(statusCode: number): void {
    if (this.#phase !== 'ending') return;
    if (statusCode !== 401 && statusCode !== 407) {
      this.end();
      return;
    }
    this.#phase = 'challenged';
    this.#timers.set('challenged', 64 * this.#services.timing.t1Ms, () => this.end());
  }

  /** Forgets the dialog at once. Open requests of the peer are answered 487 (RFC 3261 §15.1.2). Idempotent. */
  end(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#timers.clearAll();
    this.#services.dialogs.remove(this);
    this.#endParts();
  }

  /** The server itself ends the dialog: BYE, and the owner is told why. */
  hangUp(reason: string): void {
    if (this.#phase !== 'alive') return;
    const owner = this.owner;
    const bye = this.dialog.createRequest('BYE');
    bye.append('Reason', `SIP;cause=200;text="${reason}"`);
    const target = this.dialog.nextTarget();
    this.end();
    if (!target) {
      owner?.onOwnBye(bye, null, this.id);
      return;
    }
    const outgoing = new OutgoingRequest(this.#services, {
      onSent: (sent, flow) => owner?.onOwnBye(sent, flow, this.id),
      onResponse: () => {},
    });
    void outgoing.send(target, () => bye);
  }

  /** An app takes over a restored dialog. */
  adopt(owner: DialogOwner): void {
    if (this.owner || this.#phase !== 'alive') return;
    this.owner = owner;
    this.#timers.clear('orphan');
  }

  /** Its app is gone: the dialog answers 481, may be ended by another app, and is forgotten in the end. */
  onOwnerGone(): void {
    this.owner = null;
    this.ownInvite?.onOwnerGone();
    if (this.#phase === 'alive') this.#timers.set('orphan', this.#services.timing.orphanMs, () => this.end());
  }

  #endParts(): void {
    for (const part of [...this.#parts]) part.onDialogEnded();
    this.#parts.clear();
  }
}
