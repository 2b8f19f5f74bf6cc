// The dialog layer: the transaction layer's user, and what apps command (RFC 3261 §8, §12–15). It knows no drachtio.
import { randomUUID } from 'node:crypto';
import type { SipMessage } from '../message/message.ts';
import type { ServerTransaction, TransactionUser } from '../transaction/transaction.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { NO_SUCH_DIALOG, type Refusal, refusalInDialog } from './admission.ts';
import { completeRequest } from './compose.ts';
import { LiveDialog } from './live-dialog.ts';
import { isKnownMethod } from './methods.ts';
import {
  type Answer,
  type Answered,
  type Content,
  DialogError,
  type DialogOwner,
  type LocalAddress,
  type RequestEvents,
} from './owner.ts';
import { PendingRequest } from './pending-request.ts';
import { refuse } from './respond.ts';
import type { DialogServices } from './services.ts';
import { type DialogState, restoredDialogState } from './state.ts';
import { UacInvite } from './uac-invite.ts';
import { UacRequest } from './uac-request.ts';
import { UasInvite } from './uas-invite.ts';
import { WaitingRoom } from './waiting-room.ts';

export interface DialogLayerOptions {
  services: DialogServices;
  /** The app whose turn it is to get a new request of that method; null if none wants it. */
  ownerFor(method: string): DialogOwner | null;
  maxDialogs: number;
}

/** A request outside a dialog, as an app wants it sent. */
export interface NewRequest {
  method: string;
  target: Target;
  build(local: LocalAddress): SipMessage;
}

const UNAVAILABLE: Refusal = { statusCode: 503, reasonPhrase: 'Service Unavailable' };
/** RFC 3261 §21.5.2. */
const NOT_IMPLEMENTED: Refusal = { statusCode: 501, reasonPhrase: 'Not Implemented' };

export class DialogLayer implements TransactionUser {
  readonly #services: DialogServices;
  readonly #options: DialogLayerOptions;
  /** Requests of peers that wait for an app, by the id that it answers to (an early UPDATE shares the INVITE's). */
  readonly #pending = new Map<string, UasInvite | PendingRequest>();
  /** INVITEs of ours without final answer. */
  readonly #calls = new Map<string, UacInvite>();
  /** SUBSCRIBEs of ours without final answer, whose NOTIFY may be quicker. */
  readonly #subscribing = new Set<string>();
  /** Until the first app is there. */
  readonly #waitingRoom: WaitingRoom;
  /** Dialogs of an earlier process that no app has taken over. */
  #restored: LiveDialog[] = [];

  constructor(options: DialogLayerOptions) {
    this.#services = options.services;
    this.#options = options;
    this.#waitingRoom = new WaitingRoom(options.services, (transaction) => this.onRequest(transaction));
  }

  /** Call it before anything can arrive. */
  start(): void {
    this.#waitingRoom.begin();
  }

  /** Takes in dialogs of an earlier process; the first app that is ready becomes their owner. Returns how many could be. */
  restore(states: readonly DialogState[]): number {
    for (const state of states) {
      const { callId, localTag, remoteTag } = state;
      const restored = restoredDialogState(state);
      if (!restored || this.#services.dialogs.byTags(callId, localTag, remoteTag)) continue;
      const dialog = new LiveDialog(this.#services, restored, null, null);
      dialog.onOwnerGone();
      this.#restored.push(dialog);
    }
    return this.#restored.length;
  }

  /** What another process needs to go on with a confirmed dialog; null if there is none of that id. */
  stateOf(dialogId: string): DialogState | null {
    const dialog = this.#services.dialogs.byId(dialogId);
    return dialog?.phase === 'alive' && dialog.dialog.state.phase === 'confirmed' ? dialog.dialog.snapshot() : null;
  }

  /** An app takes INVITEs from now on. */
  onOwnerReady(owner: DialogOwner): void {
    for (const dialog of this.#restored.splice(0)) dialog.adopt(owner);
    this.#waitingRoom.close();
  }

  /** Requests that wait for an app. */
  get pendingRequests(): number {
    return this.#pending.size;
  }

  /** The Call-ID of a request that waits for an app. */
  callIdOf(transactionId: string): string | undefined {
    return this.#pending.get(transactionId)?.request.callId;
  }

  // From the network.

  onRequest(transaction: ServerTransaction): void {
    if (transaction.method === 'CANCEL') this.#refuse(transaction, NO_SUCH_DIALOG);
    else if (transaction.request.toTag === null) this.#onNewRequest(transaction);
    else this.#onDialogRequest(transaction);
  }

  onCancel(transaction: ServerTransaction, cancel: SipMessage): void {
    if (this.#waitingRoom.giveUp(transaction)) {
      this.#refuse(transaction, { statusCode: 487, reasonPhrase: 'Request Terminated' });
      return;
    }
    const invite = this.#pending.get(transaction.id);
    if (!(invite instanceof UasInvite)) return;
    // The dialog id is gone once the INVITE is answered.
    const { dialogId, flow } = invite;
    if (invite.onCancel()) invite.owner.onCancel(cancel, flow, transaction.id, dialogId);
  }

  onAck(ack: SipMessage, flow: Flow): void {
    const dialog = this.#dialogOf(ack);
    const invite = dialog?.takeAcknowledged(ack.cseq?.number ?? 0);
    if (!dialog || !invite) return;
    dialog.dialog.noteFlow(flow);
    dialog.owner?.onAck(ack, flow, invite.isInitial ? invite.transactionId : randomUUID(), dialog.id);
  }

  /** Nobody waits for it. A late 2xx gets no ACK: its sender gives up by itself and is answered 481 then. */
  onStrayResponse(): void {}

  // From apps.

  /** Answers a peer's request. `method` tells an early UPDATE from its INVITE. Rejects with a DialogError. */
  async answer(transactionId: string, method: string | null, answer: Answer): Promise<Answered> {
    const update = method === 'UPDATE' ? this.#pending.get(earlyUpdateKey(transactionId)) : undefined;
    const pending = update ?? this.#pending.get(transactionId);
    if (!pending) throw new DialogError('UNKNOWN_TRANSACTION', 'There is no such request, or it has been answered.');
    return pending.answer(answer);
  }

  /** Sends a request outside a dialog. What becomes of it is told by `events`. */
  request({ method, target, build }: NewRequest, owner: DialogOwner, events: RequestEvents): void {
    if (method === 'INVITE') {
      this.#invite(target, build, owner, events, null);
      return;
    }
    const watched = method === 'SUBSCRIBE' ? this.#watchSubscribe(events) : events;
    const request = new UacRequest({ services: this.#services, owner, events: watched, dialog: null, method });
    void request.send(target, build);
  }

  /** Sends a request, not an ACK, inside a dialog. Throws a DialogError if it cannot be done now. */
  requestInDialog(dialogId: string, method: string, content: Content, owner: DialogOwner, events: RequestEvents): void {
    const dialog = this.#usable(dialogId, method);
    if (method === 'INVITE' && (dialog.ownInvite || dialog.theirInvite)) {
      throw new DialogError('INVITE_IN_PROGRESS', 'Another INVITE is open in this dialog.');
    }
    const target = dialog.dialog.nextTarget();
    if (!target) throw new DialogError('NO_TRANSPORT', 'The Contact of the peer cannot be used.');
    const request = dialog.dialog.createRequest(method);
    const build = (local: LocalAddress) => {
      completeRequest(request, content, local, this.#services.userAgent);
      dialog.dialog.noteOwnContact(request);
      return request;
    };
    if (method === 'INVITE') {
      this.#invite(target, build, owner, events, dialog);
      return;
    }
    void new UacRequest({ services: this.#services, owner, events, dialog, method }).send(target, build);
  }

  /** Sends the ACK for the 2xx to an INVITE of ours. Rejects with a DialogError. */
  async acknowledge(dialogId: string, content: Content): Promise<{ ack: SipMessage; flow: Flow }> {
    const invite = this.#services.dialogs.byId(dialogId)?.ownInvite;
    if (!invite) throw new DialogError('ACK_IS_AUTOMATIC', 'No 2xx waits for an ACK.');
    return invite.acknowledge(content);
  }

  /** Rejects with NOT_CANCELLABLE. */
  async cancel(transactionId: string, content: Content): Promise<{ cancel: SipMessage; flow: Flow }> {
    const invite = this.#calls.get(transactionId);
    if (!invite) throw new DialogError('NOT_CANCELLABLE', 'There is no such INVITE, or it has been answered.');
    return invite.cancel(content);
  }

  /** The app's connection is lost: what waits for it is answered, what it calls is cancelled, its dialogs are orphans. */
  onOwnerGone(owner: DialogOwner): void {
    for (const pending of [...this.#pending.values()]) if (pending.owner === owner) pending.onOwnerGone();
    for (const dialog of this.#services.dialogs.values()) if (dialog.owner === owner) dialog.onOwnerGone();
    for (const invite of [...this.#calls.values()]) if (invite.owner === owner) invite.onOwnerGone();
  }

  #onNewRequest(transaction: ServerTransaction): void {
    const { method } = transaction;
    if (['BYE', 'UPDATE', 'PRACK'].includes(method)) {
      this.#refuse(transaction, NO_SUCH_DIALOG);
      return;
    }
    const makesDialog = method === 'INVITE' || method === 'SUBSCRIBE';
    const isFull = makesDialog && this.#services.dialogs.size >= this.#options.maxDialogs;
    const owner = isFull ? null : this.#options.ownerFor(method);
    if (!owner && !isFull && this.#waitingRoom.take(transaction)) return;
    if (!owner) {
      this.#refuse(transaction, isKnownMethod(method) ? UNAVAILABLE : NOT_IMPLEMENTED);
      return;
    }
    if (method === 'INVITE') this.#offerInvite(transaction, owner, null);
    else this.#offer(transaction, owner, null, { transactionId: transaction.id, answeredDialogId: null });
  }

  #onDialogRequest(transaction: ServerTransaction): void {
    const { request, flow, method } = transaction;
    const dialog = this.#dialogOf(request);
    if (!dialog && method === 'NOTIFY' && this.#subscribing.has(subscribeKey(request.callId, request.toTag))) {
      this.#services.clock.after(this.#services.timing.t1Ms, () => this.#onDialogRequest(transaction));
      return;
    }
    if (dialog && !dialog.owner && this.#waitingRoom.take(transaction)) return;
    const refusal = dialog ? refusalInDialog(dialog, request, flow) : NO_SUCH_DIALOG;
    if (refusal || !dialog?.owner) {
      this.#refuse(transaction, refusal ?? NO_SUCH_DIALOG);
      // Whoever is told 481 gives the dialog up (RFC 5057 §5.1).
      if (dialog && !dialog.owner) dialog.end();
      return;
    }
    if (method === 'INVITE') {
      this.#offerInvite(transaction, dialog.owner, dialog);
      return;
    }
    const early = method === 'UPDATE' && dialog.theirInvite?.isInitial ? dialog.theirInvite : null;
    this.#offer(transaction, dialog.owner, dialog, {
      transactionId: early?.transactionId ?? transaction.id,
      answeredDialogId: early || method === 'BYE' ? null : dialog.id,
    });
  }

  #offerInvite(transaction: ServerTransaction, owner: DialogOwner, dialog: LiveDialog | null): void {
    const onAnswered = () => void this.#pending.delete(transaction.id);
    const invite = new UasInvite({ services: this.#services, transaction, owner, dialog, onAnswered });
    this.#pending.set(transaction.id, invite);
    owner.onRequest(invite);
  }

  #offer(
    transaction: ServerTransaction,
    owner: DialogOwner,
    dialog: LiveDialog | null,
    names: { transactionId: string; answeredDialogId: string | null },
  ): void {
    const key = names.transactionId === transaction.id ? transaction.id : earlyUpdateKey(names.transactionId);
    const onOver = () => void this.#pending.delete(key);
    const pending = new PendingRequest({ services: this.#services, transaction, owner, dialog, onOver, ...names });
    this.#pending.set(key, pending);
    if (dialog && transaction.method === 'UPDATE') dialog.theirUpdate = pending;
    if (dialog && transaction.method === 'BYE') dialog.end();
    owner.onRequest(pending);
  }

  #invite(
    target: Target,
    build: (local: LocalAddress) => SipMessage,
    owner: DialogOwner,
    events: RequestEvents,
    dialog: LiveDialog | null,
  ): void {
    const invite = new UacInvite({
      services: this.#services,
      owner,
      events,
      dialog,
      onAnswered: () => void this.#calls.delete(invite.transactionId),
    });
    this.#calls.set(invite.transactionId, invite);
    void invite.send(target, build);
  }

  /** Remembers the SUBSCRIBE until its final answer. */
  #watchSubscribe(events: RequestEvents): RequestEvents {
    let key = '';
    return {
      onSent: (request, flow, id) => {
        key = subscribeKey(request.callId, request.fromTag);
        this.#subscribing.add(key);
        events.onSent(request, flow, id);
      },
      onResponse: (response, flow, id, dialogId) => {
        if (response.statusCode >= 200) this.#subscribing.delete(key);
        events.onResponse(response, flow, id, dialogId);
      },
    };
  }

  #usable(dialogId: string, method: string): LiveDialog {
    const dialog = this.#services.dialogs.byId(dialogId);
    const isOpen = dialog?.phase === 'alive' || (dialog?.phase === 'challenged' && method === 'BYE');
    if (!dialog || !isOpen) throw new DialogError('UNKNOWN_DIALOG', 'There is no such dialog.');
    return dialog;
  }

  #dialogOf(request: SipMessage): LiveDialog | undefined {
    return this.#services.dialogs.byTags(request.callId ?? '', request.toTag ?? '', request.fromTag ?? '');
  }

  #refuse(transaction: ServerTransaction, { statusCode, reasonPhrase, retryAfter }: Refusal): void {
    refuse(this.#services, transaction, statusCode, reasonPhrase, retryAfter === undefined ? {} : { retryAfter });
  }
}

function earlyUpdateKey(inviteTransactionId: string): string {
  return `${inviteTransactionId} UPDATE`;
}

function subscribeKey(callId: string | undefined, localTag: string | null): string {
  return `${callId}\0${localTag}`;
}
