// An embedded SIP server that speaks the drachtio admin protocol: what this folder offers to the outside.
import { setImmediate } from 'node:timers/promises';
import { type Clock, systemClock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { ClosableClock } from './closable-clock.ts';
import { DialogTable } from './dialog/dialog-table.ts';
import { DialogLayer } from './dialog/layer.ts';
import { DEFAULT_SIP_TIMING, type SipTiming } from './dialog/services.ts';
import type { DialogState } from './dialog/state.ts';
import { AdminServer } from './drachtio/admin-server.ts';
import { App } from './drachtio/app.ts';
import { type AdminLimits, DEFAULT_ADMIN_LIMITS } from './drachtio/app-connection.ts';
import { listenError } from './listen-error.ts';
import type { SipMessage } from './message/message.ts';
import { arrivingRequest, OPEN_SCREEN, type SipScreen } from './screen.ts';
import { ServerAddresses } from './server-addresses.ts';
import { TransactionLayer, type TransactionLimits } from './transaction/layer.ts';
import type { Timing } from './transaction/timing.ts';
import type { Flow, TransportName } from './transport/flow.ts';
import { TransportLayer } from './transport/layer.ts';
import type { TransportLimits } from './transport/limits.ts';
import { type TlsSettings, TlsSetupError } from './transport/tls-settings.ts';

interface ListenAddress {
  /** An address of this machine, or 0.0.0.0 or ::. */
  host: string;
  /** 0: any free one. */
  port: number;
  /** `host` or `host:port` that peers reach this listener at, when that is another (NAT). Goes into Contact. */
  advertise?: string;
}

export type SipListener = ListenAddress & ({ transport: 'udp' | 'tcp' } | { transport: 'tls'; tls: TlsSettings });
export type { DialogState, SipScreen, TlsSettings };

export interface SipServerOptions {
  listeners: readonly SipListener[];
  /** Where apps connect. Keep it on loopback: it is TCP in the clear. */
  admin: { host: string; port: number; secret: string };
  /** Whom to pass over in silence; nobody by default. */
  screen?: SipScreen;
  clock?: Clock;
  log?: Log;
  limits?: SipServerLimits;
  timers?: Partial<SipTiming & Pick<Timing, 't4Ms' | 'ringingMs'>>;
  /**
   * Dialogs of an earlier process, as `dialogState` gave them: the first app that registers for INVITE becomes their
   * owner. Set `timers.firstAppMs` too, so that requests which come before it is there are not refused.
   */
  dialogs?: readonly DialogState[];
  /** User-Agent and Server of messages for which the app names none; none by default. */
  userAgent?: string;
}

export interface SipServerLimits {
  transport?: Partial<TransportLimits>;
  transactions?: Partial<TransactionLimits>;
  admin?: Partial<AdminLimits>;
  /** Beyond, INVITE and SUBSCRIBE are answered 503. */
  dialogs?: number;
}

const DEFAULT_MAX_DIALOGS = 100_000;

/** Where something listens, with the real port. */
export interface ListeningPoint {
  transport: TransportName;
  host: string;
  port: number;
}

export interface SipServerStatistics {
  /** Early and confirmed. */
  dialogs: number;
  serverTransactions: number;
  clientTransactions: number;
  /** Requests of peers that an app has not answered. */
  pendingRequests: number;
  /** Open TCP connections for SIP. */
  connections: number;
  /** Connections on the admin port. */
  apps: number;
  /** Messages that could not be read, since the start. */
  malformed: number;
  /** Requests that the screen did not admit, since the start. */
  unseen: number;
  retransmissions: number;
  timers: number;
}

export interface SipServer {
  /** Binds everything or nothing. Rejects with an Error that names the address and says why. */
  start(): Promise<{ listeningPoints: ListeningPoint[]; admin: { host: string; port: number } }>;
  /** Closes sockets and timers; what waits for an app is answered 503. Idempotent; also after a failed start. */
  close(): Promise<void>;
  statistics(): SipServerStatistics;
  /**
   * A confirmed dialog as plain data, by the id that apps know it by; null if there is none. Changes with every request
   * inside the dialog. Give it to `createSipServer` of another process after this one is gone.
   */
  dialogState(dialogId: string): DialogState | null;
}

/**
 * What apps are told as the server's version. drachtio-srf looks for `v<major>.<minor>.<patch>` at its beginning and
 * sends pings only from 0.8.2 on; 0.9.10 is the version whose protocol is spoken here.
 */
export const SERVER_VERSION = 'v0.9.10-sipreel';

/** Nothing is opened before start(). Throws an Error if an `advertise` cannot be read. */
export function createSipServer(options: SipServerOptions): SipServer {
  const clock = new ClosableClock(options.clock ?? systemClock);
  const log = options.log ?? silentLog;
  const timing: SipTiming = { ...DEFAULT_SIP_TIMING, ...options.timers };
  const userAgent = options.userAgent ?? null;

  const screen = options.screen ?? OPEN_SCREEN;
  let unseen = 0;
  const isSeen = (message: SipMessage, flow: Flow): boolean => {
    if (message.kind === 'response' || isInDialog(table, message)) return true;
    const admitted = screen.admitsRequest(arrivingRequest(message, flow));
    if (!admitted) unseen++;
    return admitted;
  };

  const transports = new TransportLayer({
    listeners: options.listeners,
    limits: options.limits?.transport ?? {},
    log,
    clock,
    admitsConnection: (arrival) => screen.admitsConnection(arrival),
    onMessage: (message, flow) => {
      if (isSeen(message, flow)) transactions.receive(message, flow);
    },
    onMalformed: (malformed, flow) => {
      if (!malformed.answerable || isSeen(malformed.answerable, flow)) transactions.receiveMalformed(malformed, flow);
    },
  });
  const addresses = new ServerAddresses(options.listeners, transports);
  const transactions: TransactionLayer = new TransactionLayer({
    ...options.timers,
    // The dialog layer answers first; this is the net below it.
    unansweredMs: Math.max(timing.firstAnswerMs, timing.finalAnswerMs, timing.requestMs) + 64 * timing.t1Ms,
    transports,
    clock,
    log,
    limits: options.limits?.transactions ?? {},
    user: {
      onRequest: (transaction) => dialogs.onRequest(transaction),
      onCancel: (invite, cancel) => dialogs.onCancel(invite, cancel),
      onAck: (ack, flow) => dialogs.onAck(ack, flow),
      onStrayResponse: () => dialogs.onStrayResponse(),
    },
  });
  const table = new DialogTable();
  const dialogs: DialogLayer = new DialogLayer({
    services: { clock, log, timing, transactions, addresses, dialogs: table, userAgent },
    ownerFor: (method) => admin.ownerFor(method),
    maxDialogs: options.limits?.dialogs ?? DEFAULT_MAX_DIALOGS,
  });
  const admin: AdminServer = new AdminServer({
    ...options.admin,
    clock,
    log,
    limits: { ...DEFAULT_ADMIN_LIMITS, ...options.limits?.admin },
    greeting: () => [addresses.advertisedPoints(), SERVER_VERSION, addresses.localPoints()],
    newApp: (write) =>
      new App({
        dialogs,
        clock,
        log,
        userAgent,
        defaultTransport: defaultTransport(options.listeners),
        isOwnAddress: (host, port) => transports.isOwnAddress(host, port),
        write,
      }),
    onAppReady: (app) => dialogs.onOwnerReady(app),
    onAppGone: (app) => dialogs.onOwnerGone(app),
  });

  const close = closeOnce(async () => {
    await admin.close();
    // The apps are gone: what they left open has been answered, and gets its turn to leave.
    await setImmediate();
    transactions.close();
    await transports.close();
    clock.close();
  });

  return {
    close,
    async start() {
      dialogs.restore(options.dialogs ?? []);
      dialogs.start();
      try {
        await transports
          .start()
          .catch((error) => Promise.reject(error instanceof TlsSetupError ? error : listenError('SIP address', error)));
        await admin.start().catch((error) => Promise.reject(listenError('admin address', error)));
      } catch (error) {
        await close();
        throw error;
      }
      return { listeningPoints: addresses.points(), admin: admin.address };
    },
    dialogState: (dialogId) => dialogs.stateOf(dialogId),
    statistics: () => ({
      dialogs: table.size,
      serverTransactions: transactions.serverTransactions,
      clientTransactions: transactions.clientTransactions,
      pendingRequests: dialogs.pendingRequests,
      connections: transports.connections,
      apps: admin.connections,
      malformed: transports.counters.malformed,
      unseen,
      retransmissions: transactions.counters.retransmissions,
      timers: clock.pendingTimers,
    }),
  };
}

/** Of URIs that name none: what we listen on ourselves. */
function defaultTransport(listeners: readonly SipListener[]): TransportName {
  const preferred: TransportName[] = ['udp', 'tcp', 'tls'];
  return preferred.find((name) => listeners.some(({ transport }) => transport === name)) ?? 'udp';
}

/** A peer that knows both tags has been let in before. */
function isInDialog(table: DialogTable, { callId, fromTag, toTag }: SipMessage): boolean {
  return toTag !== null && table.byTags(callId ?? '', toTag, fromTag ?? '') !== undefined;
}
