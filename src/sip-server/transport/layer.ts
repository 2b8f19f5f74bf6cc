// The transport layer: listeners, flows to peers, and what a server writes into a Via (RFC 3261 §18, RFC 3581).
import { isIP, isIPv6, type Socket } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { SipMessage } from '../message/message.ts';
import { type Malformed, type ParseResult, parseMessage } from '../message/parse.ts';
import { canonicalHost, isLocalInterface, isWildcard, LocalAddresses } from './addresses.ts';
import { type BoundListener, bindListeners, type ListenerSpec } from './bind.ts';
import { ConnectionTable } from './connection-table.ts';
import { type Address, type Flow, type Target, TransportError, type TransportName } from './flow.ts';
import { DEFAULT_TRANSPORT_LIMITS, type TransportLimits, withDefaults } from './limits.ts';
import { answerPort, markSource } from './received.ts';
import { resolveHost } from './resolve.ts';
import type { StreamConnection } from './stream-connection.ts';

export interface TransportLayerOptions {
  listeners: readonly ListenerSpec[];
  limits?: Partial<TransportLimits>;
  log: Log;
  clock: Clock;
  /** Whether a connection that a peer has opened is taken; every one by default. */
  admitsConnection?(arrival: { transport: TransportName; local: Address; remote: Address }): boolean;
  /** A well-formed message; requests have `received` and `rport` filled in. What it throws is logged. */
  onMessage(message: SipMessage, flow: Flow): void;
  /** What could not be read, except keep-alives. What it throws is logged. */
  onMalformed(malformed: Malformed, flow: Flow): void;
}

export interface ListeningPoint extends Address {
  transport: TransportName;
}

/** Counted since the start. */
export interface TransportCounters {
  messages: number;
  malformed: number;
  /** Header lines left out because they have no colon or no possible name. */
  unreadableLines: number;
  /** TCP and TLS messages without Content-Length, whose body was taken to be empty. */
  missingContentLength: number;
  connectionsAccepted: number;
  connectionsRefused: number;
  /** Of accepted connections. */
  handshakesFailed: number;
  socketErrors: number;
}

export class TransportLayer {
  readonly counters: TransportCounters = {
    messages: 0,
    malformed: 0,
    unreadableLines: 0,
    missingContentLength: 0,
    connectionsAccepted: 0,
    connectionsRefused: 0,
    handshakesFailed: 0,
    socketErrors: 0,
  };
  readonly #options: TransportLayerOptions;
  readonly #limits: TransportLimits;
  readonly #log: Log;
  readonly #connections: ConnectionTable;
  readonly #localAddresses: LocalAddresses;
  #listeners: BoundListener[] = [];
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: TransportLayerOptions) {
    this.#options = options;
    this.#limits = withDefaults(DEFAULT_TRANSPORT_LIMITS, options.limits);
    this.#log = options.log;
    this.#localAddresses = new LocalAddresses(options.clock);
    this.#connections = new ConnectionTable({
      limits: this.#limits,
      clock: options.clock,
      onParsed: (result, connection, lengthIsMissing) => this.#onParsed(result, connection, lengthIsMissing),
      onEnded: (connection, end) => this.#onEnded(connection, end),
    });
  }

  /** Binds every listener or none; rejects with the system's error, e.g. EADDRINUSE, or a TlsSetupError. May be tried again. */
  start(): Promise<void> {
    this.#starting ??= this.#bind().catch((error) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** What is bound, with the real ports. Wildcards stay wildcards: see localAddressFor. */
  get listeningPoints(): ListeningPoint[] {
    return this.#listeners.map(({ transport, address }) => ({ transport, ...address }));
  }

  /** Open TCP and TLS connections, both ways. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * A flow to `target`: its own `flow` if that is open; for UDP the listener that faces the peer; for TCP and TLS an
   * open connection with that address, else a new one. Rejects with a TransportError or a system error, both with `code`.
   */
  async flowTo(target: Target): Promise<Flow> {
    if (target.flow && !target.flow.closed) return target.flow;
    if (this.#closing) throw new TransportError('LAYER_CLOSED', 'The transport layer is closed.');
    const remote = { host: await this.#resolve(target.host), port: target.port };
    const listener = await this.#listenerTowards(target.transport, remote.host);
    if (listener.transport === 'udp') return listener.flowTo(remote);
    const { transport } = listener;
    const peerName = transport === 'tls' ? peerNameOf(target) : null;
    return this.#connections.flowTo({ transport, remote, peerName, connect: () => listener.connect(remote, peerName) });
  }

  /** Where answers to `request` go: over TCP the same connection, over UDP its source with the port of §18.2.2 and RFC 3581. */
  answerFlow(request: SipMessage, flow: Flow): Flow {
    if (flow.transport !== 'udp') return flow;
    const port = answerPort(request, flow.remote);
    if (port === flow.remote.port) return flow;
    const listener = this.#listeners.find((each) => each.transport === 'udp' && each.address === flow.local);
    return listener?.transport === 'udp' ? listener.flowTo({ host: flow.remote.host, port }) : flow;
  }

  /** True if a message to that address would come back to this layer. Names are not resolved. */
  isOwnAddress(host: string, port: number): boolean {
    const wanted = canonicalHost(host);
    return this.#listeners.some(({ address }) => {
      if (address.port !== port) return false;
      if (!isWildcard(address.host)) return canonicalHost(address.host) === wanted;
      return isIPv6(address.host) === isIPv6(wanted) && isLocalInterface(wanted);
    });
  }

  /** The address that the flow's peer can reach us at: a concrete IP and the port that we listen on for its transport. */
  async localAddressFor(flow: Flow): Promise<Address> {
    const isV6 = isIPv6(flow.remote.host);
    const host = isWildcard(flow.local.host) ? await this.#localAddresses.towards(flow.remote.host) : flow.local.host;
    if (flow.transport === 'udp') return { host: canonicalHost(host), port: flow.local.port };
    const sameFamily = this.#listeners.filter((l) => l.transport === flow.transport && isIPv6(l.address.host) === isV6);
    const ofHost = sameFamily.filter((l) => canonicalHost(l.address.host) === canonicalHost(host));
    // An accepted connection has the port of its own listener.
    const accepting = sameFamily.find((l) => l.address.port === flow.local.port);
    const listener = accepting ?? ofHost[0] ?? sameFamily[0];
    return { host: canonicalHost(host), port: listener?.address.port ?? flow.local.port };
  }

  /** Idempotent; resolves when no socket is left. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#starting?.catch(() => {});
      const listeners = this.#listeners.map((listener) => listener.close());
      await Promise.all([...listeners, this.#connections.close()]);
    })();
    return this.#closing;
  }

  async #bind(): Promise<void> {
    if (this.#closing) throw new TransportError('LAYER_CLOSED', 'The transport layer is closed.');
    this.#listeners = await bindListeners(this.#options.listeners, {
      limits: this.#limits,
      clock: this.#options.clock,
      log: this.#log,
      onDatagram: (bytes, flow) => this.#onParsed(parseMessage(bytes, this.#limits), flow, false),
      admits: (socket, transport) => {
        const isAdmitted = this.#isSeen(socket, transport) && this.#connections.admit(socket);
        if (isAdmitted) this.counters.connectionsAccepted++;
        else this.counters.connectionsRefused++;
        return isAdmitted;
      },
      onSocket: (socket, transport) => this.#connections.take(socket, transport),
      onHandshakeFailed: () => void this.counters.handshakesFailed++,
      onError: (error) => {
        this.counters.socketErrors++;
        this.#log.warn({ err: error }, 'a SIP listener reports an error and goes on');
      },
    });
  }

  /** False: it has been closed. */
  #isSeen(socket: Socket, transport: TransportName): boolean {
    const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
    const local = { host: localAddress, port: localPort };
    const remote = { host: remoteAddress, port: remotePort };
    if (this.#options.admitsConnection?.({ transport, local, remote }) ?? true) return true;
    socket.on('error', () => {});
    socket.destroy();
    return false;
  }

  #resolve(host: string): Promise<string> {
    const families = new Set(this.#listeners.map(({ address }) => (isIPv6(address.host) ? 6 : 4)));
    return resolveHost(host, families, this.#limits.connectMs, this.#options.clock);
  }

  async #listenerTowards(transport: TransportName, host: string): Promise<BoundListener> {
    const isV6 = isIPv6(host.replace(/%.*$/s, ''));
    const fitting = this.#listeners.filter((l) => l.transport === transport && isIPv6(l.address.host) === isV6);
    const only = fitting[0];
    if (!only) {
      const family = isV6 ? 'IPv6' : 'IPv4';
      throw new TransportError(
        'NO_LISTENER',
        `There is no ${transport} listener for ${family}: configure one to reach ${host}.`,
      );
    }
    if (fitting.length === 1) return only;
    const local = await this.#localAddresses.towards(host);
    return (
      fitting.find(({ address }) => canonicalHost(address.host) === local) ??
      fitting.find(({ address }) => isWildcard(address.host)) ??
      only
    );
  }

  #onParsed(result: ParseResult, flow: Flow, lengthIsMissing: boolean): void {
    if (lengthIsMissing) this.counters.missingContentLength++;
    try {
      if ('malformed' in result) this.#deliverMalformed(result, flow);
      else this.#deliver(result.message, result.unreadableLines, flow);
    } catch (error) {
      // No message may end the process, whatever mistake it meets above.
      this.#log.error({ err: error, peer: flow.remote }, 'a SIP message could not be handled');
    }
  }

  #deliver(message: SipMessage, unreadableLines: number, flow: Flow): void {
    this.counters.messages++;
    this.counters.unreadableLines += unreadableLines;
    if (message.kind === 'request') markSource(message, flow.remote);
    this.#options.onMessage(message, flow);
  }

  #deliverMalformed(malformed: Malformed, flow: Flow): void {
    if (malformed.malformed === 'empty') return;
    this.counters.malformed++;
    if (malformed.answerable) markSource(malformed.answerable, flow.remote);
    this.#options.onMalformed(malformed, flow);
  }

  #onEnded(connection: StreamConnection, end: string): void {
    this.#log.debug({ peer: connection.remote, end }, 'a SIP connection has ended');
  }
}

/** The name that a certificate must be for; null if only an address is known. */
function peerNameOf({ host, serverName }: Target): string | null {
  const name = canonicalHost(serverName ?? host);
  return isIP(name) ? null : name;
}
