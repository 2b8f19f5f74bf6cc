// What the transaction layer and its user (the dialog and drachtio side) say to each other (RFC 3261 §17, RFC 6026).
import type { Header, SipMessage } from '../message/message.ts';
import type { Address, Flow, Target } from '../transport/flow.ts';

/** What the transaction layer needs of the transport layer, which satisfies it. */
export interface Transports {
  flowTo(target: Target): Promise<Flow>;
  answerFlow(request: SipMessage, flow: Flow): Flow;
  localAddressFor(flow: Flow): Promise<Address>;
}

export type InviteServerState = 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated';
export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';
/** `opening` is ours: the flow is not there yet and nothing has been sent. */
export type InviteClientState = 'opening' | 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';
export type NonInviteClientState = 'opening' | 'trying' | 'proceeding' | 'completed' | 'terminated';

export interface ServerTransaction {
  /** A random UUID. */
  readonly id: string;
  readonly request: SipMessage;
  /** What the request came in on. Answers take the way of RFC 3261 §18.2.2, which may be another flow. */
  readonly flow: Flow;
  readonly method: string;
  /** Clock time of arrival in ms. */
  readonly receivedMs: number;
  /** A To tag for answers, random and the same for the whole transaction. The user may choose its own. */
  readonly toTag: string;
  readonly state: InviteServerState | NonInviteServerState;
  /**
   * Sends an answer and drives the state machine: an INVITE takes any number of 1xx, then one final answer, and after
   * a 2xx the same 2xx again. Rejects with TransactionError `TRANSACTION_OVER` if the answer has no place any more,
   * or with the transport's error if it could not be sent; then the state has moved on all the same.
   */
  respond(response: SipMessage): Promise<void>;
  /** Called once when the transaction is forgotten. */
  onTerminated: (() => void) | null;
}

export interface ClientTransaction {
  readonly id: string;
  readonly method: string;
  /** The request as sent, with its Via. Before `onSent`: as given. */
  readonly request: SipMessage;
  readonly state: InviteClientState | NonInviteClientState;
  /**
   * INVITE only: cancels it (RFC 3261 §9.1). The CANCEL waits for the first 1xx; its own answers are not reported.
   * The INVITE still ends with `onResponse` (487, or a 2xx that crossed it) or `onTimeout`.
   * Resolves with the CANCEL, sent or about to be sent, or null when it is too late or not an INVITE.
   */
  cancel(extraHeaders?: readonly Header[]): Promise<SipMessage | null>;
}

export interface ClientEvents {
  /** Once, when the request has been handed to the transport the first time. `request` carries its Via. */
  onSent?(request: SipMessage, flow: Flow): void;
  /** Every 1xx (100 too), the final answer once, and every 2xx to an INVITE including repeated and forked ones. */
  onResponse(response: SipMessage, flow: Flow): void;
  /** No final answer in time (timers B, F; timer C after a 1xx; 64·T1 after a CANCEL). */
  onTimeout(): void;
  /** Could not be sent. */
  onTransportError(error: Error & { code?: string }): void;
  /** Once, when the transaction is forgotten, after all other events. Also when the layer is closed. */
  onTerminated?(): void;
}

/** Who gets what the transaction layer cannot settle. Must not throw; what it throws is logged and ignored. */
export interface TransactionUser {
  /** Every new request except ACK. A CANCEL that matches no INVITE comes here too (answer 481). */
  onRequest(transaction: ServerTransaction): void;
  /** The layer has answered the CANCEL with 200; the user answers the INVITE with 487. Not called after a final answer. */
  onCancel(invite: ServerTransaction, cancel: SipMessage): void;
  /** An ACK for a 2xx (or for nothing that is known). Those for other finals are absorbed. */
  onAck(ack: SipMessage, flow: Flow): void;
  /** A response that matches no client transaction, e.g. a late 2xx. */
  onStrayResponse(response: SipMessage, flow: Flow): void;
}

export type TransactionErrorCode = 'TRANSACTION_OVER' | 'LAYER_CLOSED' | 'TOO_MANY_TRANSACTIONS' | 'NOT_SENDABLE';

export class TransactionError extends Error {
  override readonly name = 'TransactionError';
  readonly code: TransactionErrorCode;

  constructor(code: TransactionErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
