// A request other than INVITE that waits for its app (RFC 3261 §8.2): answered in time, by the server if need be.
import { Timers } from '../../lib/timers.ts';
import type { SipMessage } from '../message/message.ts';
import type { ServerTransaction } from '../transaction/transaction.ts';
import type { Flow } from '../transport/flow.ts';
import { composeAnswer } from './compose.ts';
import { type DialogPart, LiveDialog } from './live-dialog.ts';
import { type Answer, type Answered, DialogError, type DialogOwner, type IncomingRequest } from './owner.ts';
import { deliver, refuse } from './respond.ts';
import type { DialogServices } from './services.ts';
import { calleeDialogState } from './state.ts';

export interface PendingOptions {
  services: DialogServices;
  transaction: ServerTransaction;
  owner: DialogOwner;
  /** Null for a request outside a dialog. */
  dialog: LiveDialog | null;
  /** What the app answers to. */
  transactionId: string;
  /** As the app is told; null also for a BYE's answer, see Answered. */
  answeredDialogId: string | null;
  onOver(): void;
}

/**
 *   waiting ──final answer of the app──▶ over
 *      ├──requestMs──▶ 500 (a BYE: 200) ──▶ over
 *      └──end of the dialog, app gone──▶ 487, 481, 503 ──▶ over
 */
export class PendingRequest implements IncomingRequest, DialogPart {
  readonly owner: DialogOwner;
  readonly transactionId: string;
  readonly #options: PendingOptions;
  readonly #timers: Timers<'limit'>;
  #state: 'waiting' | 'over' = 'waiting';
  #tag: string | null = null;

  constructor(options: PendingOptions) {
    this.owner = options.owner;
    this.transactionId = options.transactionId;
    this.#options = options;
    this.#timers = new Timers(options.services.clock);
    this.#timers.set('limit', options.services.timing.requestMs, () => this.#refuse(500, 'Server Internal Error'));
    // A BYE outlives its dialog.
    if (this.request.method !== 'BYE') options.dialog?.addPart(this);
  }

  get request(): SipMessage {
    return this.#options.transaction.request;
  }

  get flow(): Flow {
    return this.#options.transaction.flow;
  }

  get dialogId(): string | null {
    return this.#options.dialog?.id ?? null;
  }

  /** Rejects with a DialogError. */
  async answer(answer: Answer): Promise<Answered> {
    const { services, transaction, transactionId } = this.#options;
    const local = await services.addresses.localAddress(this.flow);
    if (this.#state === 'over') throw new DialogError('UNKNOWN_TRANSACTION', 'The request has been answered.');
    if (answer.statusCode > 100) this.#tag ??= answer.toTag ?? transaction.toTag;
    const response = composeAnswer(this.request, answer, this.#tag ?? '', local, services.userAgent);
    const dialogId = answer.statusCode >= 200 ? this.#onFinal(response) : this.#options.answeredDialogId;
    await deliver(transaction, response);
    return { response, flow: this.flow, transactionId, dialogId };
  }

  onDialogEnded(): void {
    this.#refuse(487, 'Request Terminated');
  }

  onOwnerGone(): void {
    if (this.#options.dialog) this.#refuse(481, 'Call/Transaction Does Not Exist');
    else this.#refuse(503, 'Service Unavailable');
  }

  /** Returns the dialog id for the acknowledgement. */
  #onFinal(response: SipMessage): string | null {
    const { services, dialog, answeredDialogId } = this.#options;
    const { method } = this.request;
    const isSuccess = response.statusCode < 300;
    this.#finish();
    if (dialog && isSuccess) {
      dialog.dialog.refreshTarget(method, this.request);
      dialog.dialog.noteOwnContact(response);
    }
    if (dialog && endsSubscription(dialog, this.request)) dialog.end();
    if (dialog || !isSuccess || method !== 'SUBSCRIBE') return answeredDialogId;
    const created = new LiveDialog(
      services,
      calleeDialogState(this.request, response, this.flow),
      this.owner,
      this.flow,
    );
    return created.id;
  }

  #refuse(statusCode: number, reasonPhrase: string): void {
    if (this.#state === 'over') return;
    const { services, transaction } = this.#options;
    this.#finish();
    const extra = this.#tag === null ? {} : { tag: this.#tag };
    // A BYE has done its work whoever is there to answer it (RFC 3261 §15.1.2).
    if (this.request.method === 'BYE') refuse(services, transaction, 200, 'OK', extra);
    else refuse(services, transaction, statusCode, reasonPhrase, extra);
  }

  #finish(): void {
    this.#state = 'over';
    this.#timers.clearAll();
    this.#options.dialog?.removePart(this);
    this.#options.onOver();
  }
}

/** A NOTIFY with `Subscription-State: terminated` ends a dialog that a SUBSCRIBE made (RFC 6665 §4.4.1). */
export function endsSubscription(dialog: LiveDialog, notify: SipMessage): boolean {
  return (
    notify.method === 'NOTIFY' &&
    dialog.dialog.state.usage === 'SUBSCRIBE' &&
    /^\s*terminated\b/i.test(notify.header('Subscription-State') ?? '')
  );
}
