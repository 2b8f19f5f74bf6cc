// A request of ours on its way: a flow, the request built for it, a client transaction (RFC 3261 §8.1, §17.1).
// Whoever asked for it hears first what was sent and then what came of it, whatever happens.
import { randomUUID } from 'node:crypto';
import { addToTag, createResponse } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import { newTag } from '../transaction/matching.ts';
import type { ClientTransaction } from '../transaction/transaction.ts';
import type { Flow, Target } from '../transport/flow.ts';
import type { Content, LocalAddress } from './owner.ts';
import type { DialogServices } from './services.ts';

export interface OutgoingEvents {
  /** Once and first. `flow` is null if nothing could be sent: a 503 follows. */
  onSent(request: SipMessage, flow: Flow | null): void;
  /**
   * Answers above 100: each 1xx, one final answer, and for an INVITE all further 2xx. `flow` is null for a made-up one:
   * 408 when none came, 503 when it could not be sent (RFC 3261 §8.1.3.1).
   */
  onResponse(response: SipMessage, flow: Flow | null): void;
}

/**
 *   opening ──▶ sent ──final answer, or a made-up one──▶ answered
 */
export class OutgoingRequest {
  /** What the app knows it by. */
  readonly id: string = randomUUID();
  readonly #services: DialogServices;
  readonly #events: OutgoingEvents;
  #transaction: ClientTransaction | null = null;
  #way: { flow: Flow; local: LocalAddress } | null = null;
  #state: 'opening' | 'sent' | 'answered' = 'opening';

  constructor(services: DialogServices, events: OutgoingEvents) {
    this.#services = services;
    this.#events = events;
  }

  get isAnswered(): boolean {
    return this.#state === 'answered';
  }

  /**
   * Opens a flow and sends what `build` makes of our address on it. Never rejects: failures are answers.
   * `build` is called once; without a flow it gets the address of some listener.
   */
  async send(target: Target, build: (local: LocalAddress) => SipMessage): Promise<void> {
    const { addresses, transactions } = this.#services;
    let flow: Flow;
    let request: SipMessage;
    try {
      flow = await addresses.flowTo(target);
      const local = await addresses.localAddress(flow);
      this.#way = { flow, local };
      request = build(local);
    } catch (error) {
      return this.#onFailed(error, build(addresses.anyLocalAddress(target.transport)));
    }
    try {
      this.#transaction = transactions.request(
        request,
        { ...target, flow },
        {
          onSent: (sent, usedFlow) => {
            request = sent;
            this.#onSent(sent, usedFlow);
          },
          onResponse: (response, usedFlow) => this.#onResponse(response, usedFlow),
          onTimeout: () => this.#makeUp(request, 408, 'Request Timeout'),
          onTransportError: (error) => this.#onFailed(error, request),
        },
      );
    } catch (error) {
      this.#onFailed(error, request);
    }
  }

  /** INVITE only. Resolves with the CANCEL, or null when it is too late (RFC 3261 §9.1). */
  async cancel(content: Content): Promise<{ cancel: SipMessage; flow: Flow } | null> {
    if (this.#state !== 'sent' || !this.#way) return null;
    const { flow, local } = this.#way;
    const cancel = await this.#transaction?.cancel(content.headers(local));
    return cancel ? { cancel, flow } : null;
  }

  #onSent(request: SipMessage, flow: Flow | null): void {
    if (this.#state !== 'opening') return;
    this.#state = 'sent';
    this.#events.onSent(request, flow);
  }

  #onResponse(response: SipMessage, flow: Flow): void {
    if (response.statusCode <= 100) return;
    if (response.statusCode >= 200) this.#state = 'answered';
    this.#events.onResponse(response, flow);
  }

  #onFailed(error: unknown, request: SipMessage): void {
    const { method, callId } = request;
    this.#services.log.info({ err: error, method, callId }, 'a SIP request could not be sent');
    this.#onSent(request, null);
    this.#makeUp(request, 503, 'Service Unavailable');
  }

  #makeUp(request: SipMessage, statusCode: number, reasonPhrase: string): void {
    if (this.#state !== 'sent') return;
    this.#state = 'answered';
    const response = createResponse(request, statusCode, reasonPhrase);
    addToTag(response, newTag());
    this.#events.onResponse(response, null);
  }
}
