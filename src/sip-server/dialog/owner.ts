// What the dialog layer and the apps behind it say to each other.
import type { Header, SipMessage } from '../message/message.ts';
import type { Address, Flow, TransportName } from '../transport/flow.ts';

/** A request of a peer, as an app gets it. */
export interface IncomingRequest {
  /** What the app answers to. */
  readonly transactionId: string;
  /** Null for a new request outside a dialog. */
  readonly dialogId: string | null;
  readonly request: SipMessage;
  readonly flow: Flow;
}

/** An app. It is called after everything that it must know before has been reported. Must not throw. */
export interface DialogOwner {
  onRequest(incoming: IncomingRequest): void;
  /** Its INVITE has been cancelled and answered with 487. `dialogId` is null before any provisional answer. */
  onCancel(cancel: SipMessage, flow: Flow, transactionId: string, dialogId: string | null): void;
  /** The ACK for a 2xx; `transactionId` is the INVITE's for the initial one, a new one for a re-INVITE. */
  onAck(ack: SipMessage, flow: Flow, transactionId: string, dialogId: string): void;
  /** The server ended the dialog with this BYE, whose Reason says why. `flow` is null if it could not be sent. */
  onOwnBye(bye: SipMessage, flow: Flow | null, dialogId: string): void;
}

/** Our side of a flow, as the peer should write it. */
export interface LocalAddress extends Address {
  transport: TransportName;
}

/** Headers and body from an app. Headers may depend on the local address (`@localhost`). */
export interface Content {
  headers(local: LocalAddress): readonly Header[];
  body: Buffer;
}

export const NO_CONTENT: Content = { headers: () => [], body: Buffer.alloc(0) };

export interface Answer extends Content {
  statusCode: number;
  reasonPhrase: string;
  /** The To tag that the app chose, or null. */
  toTag: string | null;
}

export interface Answered {
  response: SipMessage;
  /** What the request came on. */
  flow: Flow;
  transactionId: string;
  /** As the drachtio protocol has it: null for requests outside dialogs, for BYE and for an early UPDATE. */
  dialogId: string | null;
}

/** Events of a request that an app sent. `onSent` comes first and always, also when sending fails. */
export interface RequestEvents {
  /** `flow` is null if it could not be sent: an answer made up here follows. */
  onSent(request: SipMessage, flow: Flow | null, transactionId: string): void;
  /** Answers above 100. `flow` is null for one that was made up here (408, 503). */
  onResponse(response: SipMessage, flow: Flow | null, transactionId: string, dialogId: string | null): void;
}

export type DialogErrorCode =
  | 'UNKNOWN_TRANSACTION'
  | 'UNKNOWN_DIALOG'
  | 'DIALOG_EXISTS'
  | 'NO_100REL'
  | 'PRACK_AWAITED'
  | 'ACK_IS_AUTOMATIC'
  | 'INVITE_IN_PROGRESS'
  | 'NOT_CANCELLABLE'
  | 'NOT_SENT'
  | 'NO_TRANSPORT';

/** Why a command of an app was not carried out. Nothing was sent. */
export class DialogError extends Error {
  override readonly name = 'DialogError';
  readonly code: DialogErrorCode;

  constructor(code: DialogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
