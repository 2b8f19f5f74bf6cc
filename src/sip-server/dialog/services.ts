// What every part of the dialog layer works with; built once, changed by nobody.
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { SipMessage } from '../message/message.ts';
import type { ClientEvents, ClientTransaction } from '../transaction/transaction.ts';
import type { Flow, Target, TransportName } from '../transport/flow.ts';
import type { DialogTable } from './dialog-table.ts';
import type { LocalAddress } from './owner.ts';

export interface SipTiming {
  /** RFC 3261 §17.1.1.1: the estimate of a round trip. 64 times this is "never". */
  t1Ms: number;
  /** The longest gap between two repetitions. */
  t2Ms: number;
  /** So long may an app leave an INVITE without any answer; then 408. */
  firstAnswerMs: number;
  /** So long after its last provisional answer; then 408 (timer C of RFC 3261 §16.6 is the model). */
  finalAnswerMs: number;
  /** So long may it leave another request; a little less than the peer's own 64·T1. */
  requestMs: number;
  /** How long a dialog outlives the app connection that owned it, and a restored one waits for an app. */
  orphanMs: number;
  /** How long requests wait after the start for the first app that takes INVITEs; 0: not at all. */
  firstAppMs: number;
}

export const DEFAULT_SIP_TIMING: SipTiming = {
  t1Ms: 500,
  t2Ms: 4_000,
  firstAnswerMs: 64_000,
  finalAnswerMs: 180_000,
  requestMs: 30_000,
  orphanMs: 300_000,
  firstAppMs: 0,
};

/** The part of the transaction layer that is used. */
export interface Transactions {
  request(message: SipMessage, target: Target, events: ClientEvents): ClientTransaction;
  /** Without a transaction: ACKs. Resolves with what was sent, Via included. */
  send(message: SipMessage, target: Target): Promise<{ message: SipMessage; flow: Flow }>;
}

/** The part of the transport layer that is used. */
export interface Addresses {
  flowTo(target: Target): Promise<Flow>;
  localAddress(flow: Flow): Promise<LocalAddress>;
  /** Some listener's address, for a request that can only be shown and not sent. */
  anyLocalAddress(transport: TransportName): LocalAddress;
}

export interface DialogServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly timing: SipTiming;
  readonly transactions: Transactions;
  readonly addresses: Addresses;
  readonly dialogs: DialogTable;
  /** For User-Agent and Server; null for none. */
  readonly userAgent: string | null;
}
