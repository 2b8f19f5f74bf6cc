// The transaction layer: matches messages with transactions, makes new ones, and guards their number (RFC 3261 §17, §9.2, §8.2.2.2).
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { addToTag, createResponse } from '../message/build.ts';
import type { SipMessage } from '../message/message.ts';
import type { Malformed } from '../message/parse.ts';
import { clientVia, formatVia } from '../message/via.ts';
import type { Flow, Target } from '../transport/flow.ts';
import { withDefaults } from '../transport/limits.ts';
import { answerTarget } from '../transport/received.ts';
import type { ClientTransactionOptions } from './client-transaction.ts';
import { InviteClientTransaction } from './invite-client.ts';
import { InviteServerTransaction } from './invite-server.ts';
import { clientKey, isFromBefore3261, mergeKey, newBranch, serverKey } from './matching.ts';
import { NonInviteClientTransaction } from './non-invite-client.ts';
import { NonInviteServerTransaction } from './non-invite-server.ts';
import { Path } from './path.ts';
import { MERGED, OVERLOADED, refusalFor, refuse } from './stateless.ts';
import { DEFAULT_TIMING, type Timing } from './timing.ts';
import {
  type ClientEvents,
  type ClientTransaction,
  TransactionError,
  type TransactionUser,
  type Transports,
} from './transaction.ts';

export interface TransactionLimits {
  /** Server transactions at a time; beyond, new requests are answered 503. */
  serverTransactions: number;
  /** Bytes of the bodies that server transactions hold on to; beyond, new requests are answered 503. */
  bodyBytes: number;
  /** Client transactions at a time; beyond, request() fails. */
  clientTransactions: number;
}

export const DEFAULT_TRANSACTION_LIMITS: TransactionLimits = {
  serverTransactions: 20_000,
  bodyBytes: 268_435_456,
  clientTransactions: 20_000,
};

export interface TransactionLayerOptions extends Partial<Timing> {
  transports: Transports;
  clock: Clock;
  log: Log;
  user: TransactionUser;
  limits?: Partial<TransactionLimits>;
}

type ServerMachine = InviteServerTransaction | NonInviteServerTransaction;
type ClientMachine = InviteClientTransaction | NonInviteClientTransaction;

export class TransactionLayer {
  /** Counted since the start. */
  readonly counters = { retransmissions: 0, merged: 0, refused: 0, malformed: 0, stray: 0 };
  readonly #transports: Transports;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #user: TransactionUser;
  readonly #timing: Timing;
  readonly #limits: TransactionLimits;
  readonly #servers = new Map<string, ServerMachine>();
  readonly #serverByMergeKey = new Map<string, ServerMachine>();
  /** Those that have been sent. */
  readonly #clients = new Map<string, ClientMachine>();
  readonly #allClients = new Set<ClientMachine>();
  #bodyBytes = 0;
  #closed = false;

  constructor(options: TransactionLayerOptions) {
    const { transports, clock, log, user, limits, ...timing } = options;
    this.#transports = transports;
    this.#clock = clock;
    this.#log = log;
    this.#user = user;
    this.#timing = withDefaults(DEFAULT_TIMING, timing);
    this.#limits = withDefaults(DEFAULT_TRANSACTION_LIMITS, limits);
  }

  get serverTransactions(): number {
    return this.#servers.size;
  }

  get clientTransactions(): number {
    return this.#allClients.size;
  }

  /** A message from the transport layer. */
  receive(message: SipMessage, flow: Flow): void {
    if (this.#closed) return;
    if (message.kind === 'response') this.#receiveResponse(message, flow);
    else if (message.method === 'ACK') this.#receiveAck(message, flow);
    else this.#receiveRequest(message, flow);
  }

  /** What the transport layer could not read: refused if it can be, else passed over in silence. */
  receiveMalformed({ malformed, answerable }: Malformed, flow: Flow): void {
    this.counters.malformed++;
    if (answerable && !this.#closed) refuse(answerable, flow, refusalFor(malformed), this.#transports);
  }

  /**
   * Sends a request (not an ACK) in a transaction of its own. The message needs From, To, Call-ID and CSeq; the Via is
   * added to a copy. Requests stay on the transport of `target` whatever their size: over UDP up to 64 KiB, where
   * RFC 3261 §18.1.1 would change to TCP beyond 1300 bytes.
   */
  request(message: SipMessage, target: Target, events: ClientEvents): ClientTransaction {
    const options: ClientTransactionOptions = {
      request: message,
      clock: this.#clock,
      timing: this.#timing,
      events: this.#guarded(events),
      onEnded: () => this.#forgetClient(client),
    };
    const client: ClientMachine =
      message.method === 'INVITE'
        ? new InviteClientTransaction({ ...options, sendCancel: (cancel, path) => this.#sendCancel(cancel, path) })
        : new NonInviteClientTransaction(options);
    const fault = this.#whyNotSendable(message);
    this.#allClients.add(client);
    // Never before the caller has the transaction in hand.
    if (fault) queueMicrotask(() => client.fail(fault));
    else void this.#open(client, message, target);
    return client;
  }

  /** Sends a request without a transaction, as the ACK for a 2xx is. Resolves with what was sent, its Via included. */
  async send(message: SipMessage, target: Target): Promise<{ message: SipMessage; flow: Flow }> {
    if (this.#closed) throw new TransactionError('LAYER_CLOSED', 'The transaction layer is closed.');
    const path = await this.#pathTo(target);
    const sent = await this.#withVia(message, path.flow);
    await path.send(sent.toBytes());
    return { message: sent, flow: path.flow };
  }

  /** Forgets every transaction; onTerminated is called for each, nothing is sent. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const server of [...this.#servers.values()]) server.terminate();
    for (const client of [...this.#allClients]) client.terminate();
  }

  #receiveResponse(response: SipMessage, flow: Flow): void {
    const key = clientKey(response);
    const client = key === null ? undefined : this.#clients.get(key);
    if (client) client.receive(response, flow);
    else {
      this.counters.stray++;
      this.#tell(() => this.#user.onStrayResponse(response, flow));
    }
  }

  #receiveAck(ack: SipMessage, flow: Flow): void {
    const invite = this.#servers.get(serverKey(ack, 'INVITE'));
    const isForIt =
      invite instanceof InviteServerTransaction && (!isFromBefore3261(ack) || ack.toTag === invite.answeredTag);
    if (isForIt && invite.receiveAck()) return;
    this.#tell(() => this.#user.onAck(ack, flow));
  }

  #receiveRequest(request: SipMessage, flow: Flow): void {
    const key = serverKey(request, request.method);
    const known = this.#servers.get(key);
    if (known) {
      this.counters.retransmissions++;
      known.receiveRetransmission();
      return;
    }
    const invite = request.method === 'CANCEL' ? this.#servers.get(serverKey(request, 'INVITE')) : undefined;
    if (invite instanceof InviteServerTransaction) {
      this.#cancel(invite, request, key, flow);
      return;
    }
    const merge = mergeKey(request);
    const isMerged = merge !== null && this.#isOngoing(this.#serverByMergeKey.get(merge));
    if (isMerged || !this.#hasRoomFor(request)) {
      if (isMerged) this.counters.merged++;
      else this.counters.refused++;
      refuse(request, flow, isMerged ? MERGED : OVERLOADED, this.#transports);
      return;
    }
    this.#offer(this.#newServer(request, key, merge, flow));
  }

  /** A refused INVITE is over: a proxy that tries its targets one after the other may bring it here again. */
  #isOngoing(server: ServerMachine | undefined): boolean {
    return (
      server !== undefined &&
      server.state !== 'confirmed' &&
      !(server.method === 'INVITE' && server.state === 'completed')
    );
  }

  #hasRoomFor({ body }: SipMessage): boolean {
    const { serverTransactions, bodyBytes } = this.#limits;
    return this.#servers.size < serverTransactions && this.#bodyBytes + body.length <= bodyBytes;
  }

  /** §9.2: the CANCEL is answered here; what becomes of the INVITE is the user's word. */
  #cancel(invite: InviteServerTransaction, cancel: SipMessage, key: string, flow: Flow): void {
    const server = this.#newServer(cancel, key, null, flow);
    const response = createResponse(cancel, 200, 'OK');
    addToTag(response, invite.answeredTag ?? invite.toTag);
    server.respond(response).catch(() => {});
    if (invite.state === 'proceeding') this.#tell(() => this.#user.onCancel(invite, cancel));
  }

  #newServer(request: SipMessage, key: string, merge: string | null, flow: Flow): ServerMachine {
    const bodyBytes = request.body.length;
    const options = {
      request,
      flow,
      path: this.#answerPath(request, flow),
      clock: this.#clock,
      timing: this.#timing,
      onEnded: () => {
        this.#servers.delete(key);
        this.#bodyBytes -= bodyBytes;
        if (merge !== null && this.#serverByMergeKey.get(merge) === server) this.#serverByMergeKey.delete(merge);
        this.#tell(() => server.onTerminated?.());
      },
    };
    const server: ServerMachine =
      request.method === 'INVITE' ? new InviteServerTransaction(options) : new NonInviteServerTransaction(options);
    this.#servers.set(key, server);
    this.#bodyBytes += bodyBytes;
    if (merge !== null) this.#serverByMergeKey.set(merge, server);
    return server;
  }

  /** A user that fails must not leave the peer without an answer. */
  #offer(server: ServerMachine): void {
    this.#tell(
      () => this.#user.onRequest(server),
      () => {
        const response = createResponse(server.request, 500, 'Server Internal Error');
        addToTag(response, server.answeredTag ?? server.toTag);
        server.respond(response).catch(() => {});
      },
    );
  }

  #answerPath(request: SipMessage, flow: Flow): Path {
    return new Path(this.#transports.answerFlow(request, flow), () => {
      const target = answerTarget(request, flow.transport);
      if (!target) throw new TransactionError('NOT_SENDABLE', 'The Via does not say where to answer.');
      return this.#transports.flowTo(target);
    });
  }

  async #pathTo(target: Target): Promise<Path> {
    const { transport, host, port } = target;
    const flow = await this.#transports.flowTo(target);
    return new Path(flow, () => this.#transports.flowTo({ transport, host, port }));
  }

  async #withVia(message: SipMessage, flow: Flow): Promise<SipMessage> {
    const local = await this.#transports.localAddressFor(flow);
    const sent = message.clone();
    sent.prepend('Via', formatVia(clientVia(flow.transport, local.host, local.port, newBranch())));
    return sent;
  }

  async #open(client: ClientMachine, message: SipMessage, target: Target): Promise<void> {
    try {
      const path = await this.#pathTo(target);
      this.#begin(client, await this.#withVia(message, path.flow), path);
    } catch (error) {
      client.fail(error as Error);
    }
  }

  #begin(client: ClientMachine, request: SipMessage, path: Path): void {
    const key = clientKey(request);
    if (client.state !== 'opening' || key === null) return;
    this.#clients.set(key, client);
    client.begin(request, path);
  }

  #sendCancel(cancel: SipMessage, path: Path): void {
    const client: ClientMachine = new NonInviteClientTransaction({
      request: cancel,
      clock: this.#clock,
      timing: this.#timing,
      events: { onResponse() {}, onTimeout() {}, onTransportError() {} },
      onEnded: () => this.#forgetClient(client),
    });
    this.#allClients.add(client);
    this.#begin(client, cancel, path);
  }

  #forgetClient(client: ClientMachine): void {
    this.#allClients.delete(client);
    const key = clientKey(client.request);
    if (key !== null && this.#clients.get(key) === client) this.#clients.delete(key);
  }

  #whyNotSendable(message: SipMessage): TransactionError | null {
    if (this.#closed) return new TransactionError('LAYER_CLOSED', 'The transaction layer is closed.');
    if (this.#allClients.size >= this.#limits.clientTransactions) {
      return new TransactionError('TOO_MANY_TRANSACTIONS', 'The limit of client transactions is reached.');
    }
    const isWhole = ['From', 'To', 'Call-ID'].every((name) => message.header(name));
    const isRequest = message.kind === 'request' && message.method !== 'ACK' && message.cseq?.method === message.method;
    if (isWhole && isRequest) return null;
    return new TransactionError('NOT_SENDABLE', 'A request needs From, To, Call-ID and a CSeq of its method.');
  }

  #guarded(events: ClientEvents): ClientEvents {
    return {
      onSent: (request, flow) => this.#tell(() => events.onSent?.(request, flow)),
      onResponse: (response, flow) => this.#tell(() => events.onResponse(response, flow)),
      onTimeout: () => this.#tell(() => events.onTimeout()),
      onTransportError: (error) => this.#tell(() => events.onTransportError(error)),
      onTerminated: () => this.#tell(() => events.onTerminated?.()),
    };
  }

  /** The user's mistakes stay the user's. */
  #tell(call: () => void, onThrow?: () => void): void {
    try {
      call();
    } catch (error) {
      this.#log.error({ err: error }, 'the transaction user has thrown');
      onThrow?.();
    }
  }
}
