// A request of ours other than INVITE, ACK and CANCEL, and what it does to its dialog (RFC 3261 §8.1, §15.1.1, RFC 6665).
import type { SipMessage } from '../message/message.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { dialogIdOf } from './identifiers.ts';
import { LiveDialog } from './live-dialog.ts';
import { OutgoingRequest } from './outgoing-request.ts';
import type { DialogOwner, LocalAddress, RequestEvents } from './owner.ts';
import { endsSubscription } from './pending-request.ts';
import type { DialogServices } from './services.ts';
import { callerDialogState } from './state.ts';

export interface UacRequestOptions {
  services: DialogServices;
  owner: DialogOwner;
  events: RequestEvents;
  /** Null outside a dialog. */
  dialog: LiveDialog | null;
  method: string;
}

export class UacRequest {
  readonly #options: UacRequestOptions;
  readonly #outgoing: OutgoingRequest;
  #request: SipMessage | null = null;

  constructor(options: UacRequestOptions) {
    this.#options = options;
    this.#outgoing = new OutgoingRequest(options.services, {
      onSent: (request, flow) => {
        this.#request = request;
        options.events.onSent(request, flow, this.#outgoing.id);
      },
      onResponse: (response, flow) => this.#onResponse(response, flow),
    });
  }

  send(target: Target, build: (local: LocalAddress) => SipMessage): Promise<void> {
    const { dialog, method } = this.#options;
    if (method === 'BYE') dialog?.onByeSent();
    return this.#outgoing.send(target, build);
  }

  #onResponse(response: SipMessage, flow: Flow | null): void {
    const { dialog, method } = this.#options;
    // First the app, then whatever the end of the dialog brings about.
    const dialogId = dialog?.id ?? (method === 'SUBSCRIBE' ? this.#subscribed(response, flow) : null);
    this.#options.events.onResponse(response, flow, this.#outgoing.id, dialogId);
    if (!dialog || response.statusCode < 200) return;
    if (method === 'BYE') dialog.onByeAnswered(response.statusCode);
    else if (this.#request && endsSubscription(dialog, this.#request)) dialog.end();
    else if (response.statusCode < 300) dialog.dialog.refreshTarget(method, response);
  }

  /** The 2xx to a SUBSCRIBE makes a dialog. Returns its id; other answers carry it too, as those to an INVITE do. */
  #subscribed(response: SipMessage, flow: Flow | null): string | null {
    const request = this.#request;
    if (!request) return null;
    const isSuccess = response.statusCode >= 200 && response.statusCode < 300;
    if (isSuccess && flow) {
      const { services, owner } = this.#options;
      return new LiveDialog(services, callerDialogState(request, response, flow), owner, flow).id;
    }
    return dialogIdOf(request.callId ?? '', request.fromTag ?? '');
  }
}
