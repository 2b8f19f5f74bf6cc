// The peer's INVITE, initial or inside a dialog, from the app's side of the transaction (RFC 3261 §13.3, §14.2).
import { Timers } from '../../lib/timers.ts';
import type { SipMessage } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/transaction.ts';
import type { Flow } from '../transport/flow.ts';
import { composeAnswer } from './compose.ts';
import { dialogIdOf } from './identifiers.ts';
import { type DialogPart, LiveDialog } from './live-dialog.ts';
import { type Answer, type Answered, DialogError, type DialogOwner, type IncomingRequest } from './owner.ts';
import { ReliableProvisionals } from './reliable-provisionals.ts';
import { Repetition } from './repetition.ts';
import { deliver, refuse } from './respond.ts';
import type { DialogServices } from './services.ts';
import { calleeDialogState } from './state.ts';

export interface UasInviteOptions {
  services: DialogServices;
  transaction: ServerTransaction;
  owner: DialogOwner;
  /** The dialog of a re-INVITE; null for the initial INVITE. */
  dialog: LiveDialog | null;
  /** The app's part is done: answered finally, cancelled or given up. A 2xx may still wait for its ACK. */
  onAnswered(): void;
}

/**
 *                 ┌─1xx─┐
 *   waiting ──────┴─────┴──2xx──▶ accepted ──ACK──▶ over
 *      │                             ├──64·T1──▶ BYE "ACK timeout" ──▶ over
 *      │                             └──end of the dialog──▶ over
 *      ├──3xx–6xx of the app──▶ over
 *      ├──CANCEL, end of the dialog──▶ 487 ──▶ over
 *      ├──firstAnswerMs, finalAnswerMs──▶ 408 ──▶ over
 *      ├──no PRACK──▶ 504 ──▶ over
 *      └──app gone──▶ 503 (in a dialog 481) ──▶ over
 */
type UasInviteState = 'waiting' | 'accepted' | 'over';

export class UasInvite implements IncomingRequest, DialogPart {
  readonly owner: DialogOwner;
  readonly isInitial: boolean;
  readonly #options: UasInviteOptions;
  readonly #services: DialogServices;
  readonly #transaction: ServerTransaction;
  readonly #timers: Timers<'limit'>;
  readonly #provisionals: ReliableProvisionals;
  #dialog: LiveDialog | null;
  #state: UasInviteState = 'waiting';
  #acceptance: Repetition | null = null;
  #tag: string | null = null;

  constructor(options: UasInviteOptions) {
    this.owner = options.owner;
    this.isInitial = options.dialog === null;
    this.#options = options;
    this.#services = options.services;
    this.#transaction = options.transaction;
    this.#dialog = options.dialog;
    this.#timers = new Timers(options.services.clock);
    this.#provisionals = new ReliableProvisionals(options.services, options.transaction, () => {
      this.#refuse(504, 'Server Time-out');
    });
    this.#limit(options.services.timing.firstAnswerMs);
    this.#enter(options.dialog);
  }

  get transactionId(): string {
    return this.#transaction.id;
  }

  get request(): SipMessage {
    return this.#transaction.request;
  }

  get flow(): Flow {
    return this.#transaction.flow;
  }

  get sequence(): number {
    return this.request.cseq?.number ?? 0;
  }

  /** Null until an answer has made it an early dialog. */
  get dialogId(): string | null {
    return this.#dialog?.id ?? null;
  }

  /** Rejects with a DialogError. */
  async answer(answer: Answer): Promise<Answered> {
    const local = await this.#services.addresses.localAddress(this.flow);
    if (this.#state !== 'waiting') throw new DialogError('UNKNOWN_TRANSACTION', 'The INVITE has been answered.');
    if (answer.statusCode > 100) this.#tag ??= answer.toTag ?? this.#transaction.toTag;
    const response = composeAnswer(this.request, answer, this.#tag ?? '', local, this.#services.userAgent);
    if (answer.statusCode < 200) await this.#provisional(response);
    else if (answer.statusCode < 300) await this.#accept(response);
    else await this.#reject(response);
    const dialogId = this.#dialog?.id ?? dialogIdOf(this.request.callId ?? '', this.request.fromTag ?? '');
    return { response, flow: this.flow, transactionId: this.transactionId, dialogId };
  }

  /** CANCEL: false if it came too late. */
  onCancel(): boolean {
    return this.#refuse(487, 'Request Terminated');
  }

  /** True if the PRACK belongs to a provisional answer that waits for it (RFC 3262 §3). */
  onPrack(prack: SipMessage): boolean {
    return this.#state === 'waiting' && this.#provisionals.acknowledge(prack);
  }

  /** The ACK for our 2xx. */
  onAck(): void {
    if (this.#state === 'accepted') this.#end();
  }

  onDialogEnded(): void {
    if (this.#state === 'accepted') this.#end();
    else this.#refuse(487, 'Request Terminated');
  }

  onOwnerGone(): void {
    if (this.isInitial) this.#refuse(503, 'Service Unavailable');
    else this.#refuse(481, 'Call/Transaction Does Not Exist');
  }

  async #provisional(response: SipMessage): Promise<void> {
    this.#limit(this.#services.timing.finalAnswerMs);
    if (response.statusCode === 100) return deliver(this.#transaction, response);
    const isReliable = this.#provisionals.prepare(response);
    if (!this.#dialog) this.#createDialog(response);
    await deliver(this.#transaction, response);
    if (isReliable && this.#state === 'waiting') this.#provisionals.await(response);
  }

  async #accept(response: SipMessage): Promise<void> {
    const others = this.#services.dialogs.byId(dialogIdOf(this.request.callId ?? '', this.request.fromTag ?? ''));
    if (this.isInitial && others && others !== this.#dialog) {
      this.#refuse(480, 'Temporarily Unavailable');
      throw new DialogError('DIALOG_EXISTS', 'There is another dialog with that Call-ID and From tag.');
    }
    const live = this.#dialog ?? this.#createDialog(response);
    if (this.isInitial) live.dialog.confirm(response);
    else live.dialog.refreshTarget('INVITE', this.request);
    live.dialog.noteOwnContact(response);
    this.#answered('accepted');
    live.onAccepted(this);
    this.#acceptance = this.#repeatUntilAck(live, response);
    try {
      await deliver(this.#transaction, response);
    } catch (error) {
      // The app takes the call for failed; so must we.
      if (this.isInitial) live.end();
      else this.#end();
      throw error;
    }
  }

  async #reject(response: SipMessage): Promise<void> {
    this.#answered('over');
    this.#leaveDialog();
    await deliver(this.#transaction, response);
  }

  #repeatUntilAck(live: LiveDialog, response: SipMessage): Repetition {
    const { t1Ms, t2Ms } = this.#services.timing;
    return new Repetition(
      this.#services.clock,
      { firstMs: t1Ms, longestMs: t2Ms, totalMs: 64 * t1Ms },
      {
        repeat: () => void this.#transaction.respond(response).catch(() => {}),
        onGivenUp: () => live.hangUp('ACK timeout'),
      },
    );
  }

  #refuse(statusCode: number, reasonPhrase: string): boolean {
    if (this.#state !== 'waiting') return false;
    this.#answered('over');
    refuse(this.#services, this.#transaction, statusCode, reasonPhrase, this.#tag === null ? {} : { tag: this.#tag });
    this.#leaveDialog();
    return true;
  }

  #createDialog(response: SipMessage): LiveDialog {
    const live = new LiveDialog(
      this.#services,
      calleeDialogState(this.request, response, this.flow),
      this.owner,
      this.flow,
    );
    this.#dialog = live;
    this.#enter(live);
    return live;
  }

  #enter(dialog: LiveDialog | null): void {
    if (!dialog) return;
    dialog.addPart(this);
    dialog.theirInvite = this;
  }

  /** After a refusal: an early dialog ends with its INVITE, an older one goes on. */
  #leaveDialog(): void {
    this.#dialog?.removePart(this);
    if (this.isInitial) this.#dialog?.end();
  }

  #answered(next: 'accepted' | 'over'): void {
    this.#state = next;
    this.#timers.clearAll();
    this.#provisionals.stop();
    this.#options.onAnswered();
  }

  #end(): void {
    this.#state = 'over';
    this.#acceptance?.stop();
    this.#dialog?.removePart(this);
  }

  #limit(delayMs: number): void {
    this.#timers.set('limit', delayMs, () => this.#refuse(408, 'Request Timeout'));
  }
}
