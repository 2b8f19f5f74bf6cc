// An INVITE of ours, initial or inside a dialog (RFC 3261 §13.2, §14.1): early dialogs, the app's ACK, repeated and
// forked 2xx, CANCEL that crosses a 2xx.
import type { SipMessage } from '../message/message.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { completeRequest } from './compose.ts';
import { Dialog } from './dialog.ts';
import { dialogIdOf } from './identifiers.ts';
import { type DialogPart, LiveDialog } from './live-dialog.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import {
  type Content,
  DialogError,
  type DialogOwner,
  type LocalAddress,
  NO_CONTENT,
  type RequestEvents,
} from './owner.ts';
import type { DialogServices } from './services.ts';
import { callerDialogState } from './state.ts';

export interface UacInviteOptions {
  services: DialogServices;
  /** Who sends it: the owner of a new dialog. */
  owner: DialogOwner;
  events: RequestEvents;
  /** The dialog of a re-INVITE; null for the initial INVITE. */
  dialog: LiveDialog | null;
  /** It has its final answer: it can no longer be cancelled. */
  onAnswered(): void;
}

/**
 *            ┌─1xx: early dialog─┐
 *   calling ─┴───────────────────┴─2xx──▶ answered ──ACK of the app──▶ acknowledged
 *      └──3xx–6xx, made-up answer──▶ over           repeated 2xx: the same ACK again; of another branch: ACK, BYE
 *
 * When the app goes, an initial INVITE is cancelled, and a 2xx gets its ACK and a BYE from here.
 */
type UacInviteState = 'calling' | 'answered' | 'acknowledged' | 'over';

export class UacInvite implements DialogPart {
  readonly owner: DialogOwner;
  readonly #services: DialogServices;
  readonly #options: UacInviteOptions;
  readonly #outgoing: OutgoingRequest;
  readonly #early = new Map<string, LiveDialog>();
  /** RSeq of the newest reliable 1xx per To tag: repetitions of it are dropped (RFC 3262 §4). */
  readonly #reliable = new Map<string, number>();
  /** ACKs by To tag, for repeated 2xx. */
  readonly #acks = new Map<string, { ack: SipMessage; target: Target }>();
  #state: UacInviteState = 'calling';
  #request: SipMessage | null = null;
  #dialog: LiveDialog | null;
  #isCancelled = false;
  #isAlone = false;

  constructor(options: UacInviteOptions) {
    this.owner = options.owner;
    this.#services = options.services;
    this.#options = options;
    this.#dialog = options.dialog;
    this.#outgoing = new OutgoingRequest(options.services, {
      onSent: (request, flow) => {
        this.#request = request;
        options.events.onSent(request, flow, this.transactionId);
      },
      onResponse: (response, flow) => this.#onResponse(response, flow),
    });
    if (options.dialog) {
      options.dialog.addPart(this);
      options.dialog.ownInvite = this;
    }
  }

  get transactionId(): string {
    return this.#outgoing.id;
  }

  send(target: Target, build: (local: LocalAddress) => SipMessage): Promise<void> {
    return this.#outgoing.send(target, build);
  }

  /** Rejects with NOT_CANCELLABLE when it has a final answer, or a CANCEL already. */
  async cancel(content: Content): Promise<{ cancel: SipMessage; flow: Flow }> {
    const sent = this.#state === 'calling' ? await this.#outgoing.cancel(content) : null;
    if (!sent) throw new DialogError('NOT_CANCELLABLE', 'The INVITE has been answered or cancelled.');
    this.#isCancelled = true;
    return sent;
  }

  /** The app's ACK for the 2xx. Rejects with ACK_IS_AUTOMATIC when none is wanted, or NOT_SENT. */
  async acknowledge(content: Content): Promise<{ ack: SipMessage; flow: Flow }> {
    const live = this.#dialog;
    if (this.#state !== 'answered' || !live) throw new DialogError('ACK_IS_AUTOMATIC', 'No 2xx waits for an ACK.');
    this.#state = 'acknowledged';
    live.removePart(this);
    const sent = await this.#sendAck(live.dialog, content);
    if (this.#isCancelled) live.hangUp('ACK-BYE due to cancel race condition');
    return sent;
  }

  onDialogEnded(): void {
    if (this.#state === 'answered') void this.#acknowledgeAlone();
  }

  onOwnerGone(): void {
    this.#isAlone = true;
    if (this.#state === 'answered') void this.#acknowledgeAlone();
    if (this.#state !== 'calling' || this.#options.dialog) return;
    this.#isCancelled = true;
    void this.#outgoing.cancel(NO_CONTENT);
  }

  #onResponse(response: SipMessage, flow: Flow | null): void {
    if (response.statusCode < 200) this.#onProvisional(response, flow);
    else if (response.statusCode < 300) this.#onSuccess(response, flow!);
    else this.#onRefused(response, flow);
  }

  #onProvisional(response: SipMessage, flow: Flow | null): void {
    if (this.#state !== 'calling' || !flow || this.#isRepeated(response)) return;
    if (!this.#options.dialog && response.toTag !== null) this.#enterEarlyDialog(response, flow);
    this.#report(response, flow);
  }

  #isRepeated(response: SipMessage): boolean {
    const sequence = Number(response.header('RSeq') ?? Number.NaN);
    if (Number.isNaN(sequence)) return false;
    const tag = response.toTag ?? '';
    if (sequence <= (this.#reliable.get(tag) ?? -1)) return true;
    this.#reliable.set(tag, sequence);
    return false;
  }

  #enterEarlyDialog(response: SipMessage, flow: Flow): void {
    const tag = response.toTag!;
    const known = this.#early.get(tag);
    if (known) {
      this.#services.dialogs.prefer(known);
      return;
    }
    this.#early.set(tag, this.#newDialog(response, flow));
  }

  #onSuccess(response: SipMessage, flow: Flow): void {
    switch (this.#state) {
      case 'calling':
        this.#accept(response, flow);
        return;
      case 'answered':
      case 'acknowledged':
      case 'over': {
        const tag = response.toTag ?? '';
        const sent = this.#acks.get(tag);
        if (sent) void this.#services.transactions.send(sent.ack, sent.target).catch(() => {});
        else if (this.#dialog && tag !== this.#dialog.dialog.state.remoteTag) void this.#release(response, flow);
        return;
      }
      default:
        this.#state satisfies never;
    }
  }

  #accept(response: SipMessage, flow: Flow): void {
    this.#state = 'answered';
    this.#options.onAnswered();
    const tag = response.toTag ?? '';
    const reinvited = this.#options.dialog;
    if (reinvited) {
      reinvited.dialog.refreshTarget('INVITE', response);
    } else {
      this.#dialog = this.#early.get(tag) ?? this.#newDialog(response, flow);
      this.#dialog.dialog.confirm(response);
      this.#early.delete(tag);
      this.#endEarlyDialogs();
      this.#services.dialogs.prefer(this.#dialog);
    }
    this.#report(response, flow);
    if (this.#isAlone || this.#dialog?.phase !== 'alive') void this.#acknowledgeAlone();
  }

  #newDialog(response: SipMessage, flow: Flow): LiveDialog {
    const state = callerDialogState(this.#request!, response, flow);
    const live = new LiveDialog(this.#services, state, this.#isAlone ? null : this.owner, flow);
    live.addPart(this);
    live.ownInvite = this;
    return live;
  }

  #onRefused(response: SipMessage, flow: Flow | null): void {
    this.#state = 'over';
    this.#options.onAnswered();
    this.#options.dialog?.removePart(this);
    this.#endEarlyDialogs();
    this.#report(response, flow);
  }

  #endEarlyDialogs(): void {
    for (const live of this.#early.values()) {
      live.removePart(this);
      live.end();
    }
    this.#early.clear();
  }

  async #sendAck(dialog: Dialog, content: Content): Promise<{ ack: SipMessage; flow: Flow }> {
    const { addresses, transactions, userAgent } = this.#services;
    const target = dialog.nextTarget();
    if (!target) throw new DialogError('NO_TRANSPORT', 'The Contact of the peer cannot be used.');
    const ack = dialog.createAck(this.#request?.cseq?.number ?? 0);
    try {
      const flow = await addresses.flowTo(target);
      completeRequest(ack, content, await addresses.localAddress(flow), userAgent);
      const sent = await transactions.send(ack, { ...target, flow });
      this.#acks.set(dialog.state.remoteTag, { ack, target: { ...target, flow } });
      return { ack: sent.message, flow: sent.flow };
    } catch (error) {
      throw new DialogError('NOT_SENT', 'The ACK could not be sent.', { cause: error });
    }
  }

  /** The app will not send the ACK any more: because it is gone, or because the dialog is over. */
  async #acknowledgeAlone(): Promise<void> {
    await this.acknowledge(NO_CONTENT).catch((error) => {
      this.#services.log.info({ err: error }, 'an ACK of the server could not be sent');
    });
    if (this.#isAlone && !this.#options.dialog) this.#dialog?.hangUp('app is gone');
  }

  /** A 2xx from a second branch of a fork: one dialog is enough (§13.2.2.4). */
  async #release(response: SipMessage, flow: Flow): Promise<void> {
    const tag = response.toTag ?? '';
    if (!this.#request || this.#acks.has(tag)) return;
    const dialog = new Dialog(callerDialogState(this.#request, response, flow), flow);
    try {
      await this.#sendAck(dialog, NO_CONTENT);
      const target = dialog.nextTarget();
      const bye = new OutgoingRequest(this.#services, { onSent() {}, onResponse() {} });
      if (target) await bye.send(target, () => dialog.createRequest('BYE'));
    } catch (error) {
      this.#services.log.info({ err: error }, 'an unwanted answer to an INVITE could not be acknowledged');
    }
  }

  #report(response: SipMessage, flow: Flow | null): void {
    const id = this.#dialog?.id ?? dialogIdOf(this.#request?.callId ?? '', this.#request?.fromTag ?? '');
    this.#options.events.onResponse(response, flow, this.transactionId, id);
  }
}
