// One dialog (RFC 3261 §12): numbers requests, routes them, follows the peer's target. It sends nothing by itself.
import { createRequest } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { targetOf } from './contact.ts';
import { dialogKey, newSequenceNumber } from './identifiers.ts';
import { type RoutedRequest, route, routeSetOfCaller } from './route-set.ts';
import type { DialogState } from './state.ts';
import { targetForUri } from './target.ts';

/** Requests whose Contact moves the target (RFC 3261 §12.2, RFC 3311 §5, RFC 6665 §4.4.1). */
const TARGET_REFRESH_METHODS = new Set(['INVITE', 'UPDATE', 'SUBSCRIBE', 'NOTIFY', 'REFER']);

export class Dialog {
  readonly key: string;
  readonly #state: DialogState;
  /** What the peer's last request came on. */
  #flow: Flow | null;

  constructor(state: DialogState, flow: Flow | null = null) {
    this.#state = structuredClone(state);
    this.key = dialogKey(state.callId, state.localTag, state.remoteTag);
    this.#flow = flow;
  }

  get id(): string {
    return this.#state.id;
  }

  get state(): Readonly<DialogState> {
    return this.#state;
  }

  /** A copy to keep. */
  snapshot(): DialogState {
    return structuredClone(this.#state);
  }

  /** Our final answer, or the peer's, made the early dialog a confirmed one; the caller's route set is taken anew (§13.2.2.4). */
  confirm(response: SipMessage): void {
    this.#state.phase = 'confirmed';
    if (this.#state.role === 'uas') {
      this.noteOwnContact(response);
      return;
    }
    this.#state.routeSet = routeSetOfCaller(response);
    this.#state.remoteTarget = targetOf(response) ?? this.#state.remoteTarget;
  }

  /**
   * Takes in a request of the peer (§12.2.2). False if it is older than the last one. A BYE counts always: refusing one
   * for its number would leave a call standing that the peer has given up.
   */
  acceptRequest(request: SipMessage, flow: Flow): boolean {
    const number = request.cseq?.number ?? 0;
    const last = this.#state.remoteSequence;
    if (last !== null && number < last && request.method !== 'BYE') return false;
    this.#state.remoteSequence = Math.max(number, last ?? 0);
    this.noteFlow(flow);
    return true;
  }

  noteFlow(flow: Flow): void {
    this.#state.transport = flow.transport;
    this.#state.peer = { ...flow.remote };
    this.#flow = flow;
  }

  /** Follows the Contact of a request that we accepted, or of the 2xx to one of ours. A broken one changes nothing. */
  refreshTarget(method: string, message: SipMessage): void {
    if (!TARGET_REFRESH_METHODS.has(method)) return;
    this.#state.remoteTarget = targetOf(message) ?? this.#state.remoteTarget;
  }

  /** Remembers the Contact that we told the peer, if the message has one. */
  noteOwnContact(message: SipMessage): void {
    this.#state.localContact = message.header('Contact') ?? this.#state.localContact;
  }

  /** The next request of the dialog without Via, Contact and body; a number is used up (§12.2.1.1). */
  createRequest(method: string): SipMessage {
    this.#state.localSequence =
      this.#state.localSequence === null ? newSequenceNumber() : this.#state.localSequence + 1;
    return this.#create(method, this.#state.localSequence);
  }

  /** The ACK for a 2xx to our INVITE of that number (§13.2.2.4). */
  createAck(inviteSequence: number): SipMessage {
    return this.#create('ACK', inviteSequence);
  }

  /** Where the next request goes, or null if the peer's URI cannot be used. */
  nextTarget(): Target | null {
    const target = targetForUri(this.#route().nextHop, this.#state.transport);
    const flow = this.#flow;
    if (!target || !flow || flow.closed || flow.transport !== target.transport) return target;
    // A connection leads to the peer wherever its Contact points; a UDP flow only keeps us on the same listener.
    const leadsThere = flow.reliable || (flow.remote.host === target.host && flow.remote.port === target.port);
    return leadsThere ? { ...target, flow } : target;
  }

  #create(method: string, sequence: number): SipMessage {
    const { requestUri, routes } = this.#route();
    const request = createRequest(method, requestUri);
    for (const value of routes) request.append('Route', value);
    request.append('Max-Forwards', '70');
    request.append('From', this.#state.localAddress);
    request.append('To', this.#state.remoteAddress);
    request.append('Call-ID', this.#state.callId);
    request.append('CSeq', `${sequence} ${method}`);
    return request;
  }

  #route(): RoutedRequest {
    return route(this.#state.routeSet, this.#state.remoteTarget);
  }
}
