// Ports that the clients chose (mod_oreka sends to the number that it uses itself): bound the moment they are announced,
// shared by several senders, handed to the stream that claims them. Lives in one worker, since a socket cannot be in two.
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { Timers } from '../lib/timers.ts';
import type { AnnouncedAddress } from '../recording/media.ts';
import { EarlyPackets } from './early-packets.ts';
import type { DatagramReceiver, DatagramSink, DatagramSource, ReceiverPort } from './receiver.ts';

export interface AnnouncedPortsOptions {
  receiver: DatagramReceiver;
  clock: Clock;
  /** An announced port that no stream has claimed by then is given up. */
  claimWithinMs: number;
  /** The last user of a port has left, and its socket is closed. */
  onClosed: (port: number) => void;
}

/**
 *   announced ──claim──▶ claimed ──close of the claim──▶ gone
 *       └──release, or nobody claims in time──────────────▲
 *
 * A later announcement of the same port by the same sender replaces an earlier user in any state: the sender has given the
 * port up before he uses it again, whether we heard of it or not.
 */
interface User {
  id: number;
  sourceHost: string | null;
  socket: SharedSocket;
  /** Null until a stream has claimed the port. */
  sink: DatagramSink | null;
  early: EarlyPackets;
}

export class AnnouncedPorts {
  readonly #receiver: DatagramReceiver;
  readonly #claimWithinMs: number;
  readonly #onClosed: (port: number) => void;
  readonly #timers: Timers;
  readonly #sockets = new Map<string, SharedSocket>();
  readonly #users = new Map<number, User>();

  constructor({ receiver, clock, claimWithinMs, onClosed }: AnnouncedPortsOptions) {
    this.#onClosed = onClosed;
    this.#receiver = receiver;
    this.#claimWithinMs = claimWithinMs;
    this.#timers = new Timers(clock);
  }

  /** Binds at once. Resolves with null when the port is ours, with the system's error code when it cannot be had. */
  async announce(id: number, { host, port, sourceHost }: AnnouncedAddress): Promise<string | null> {
    const key = `${host} ${port}`;
    let socket = this.#sockets.get(key);
    if (!socket) {
      socket = new SharedSocket(this.#receiver, host, port, () => this.#sockets.delete(key));
      this.#sockets.set(key, socket);
    }
    const user: User = { id, sourceHost, socket, sink: null, early: new EarlyPackets() };
    const before = socket.replace(user);
    if (before) this.#forget(before);
    this.#users.set(id, user);
    this.#timers.set(String(id), this.#claimWithinMs, () => this.release(id));
    const problem = await socket.opened;
    if (problem !== null) this.release(id);
    return problem;
  }

  /** Hands the port to a stream; what came early is its first packets. Null if the announcement failed or is gone. */
  async claim(id: number, sink: DatagramSink): Promise<ReceiverPort | null> {
    const user = this.#users.get(id);
    if (!user || (await user.socket.opened) !== null || !this.#users.has(id)) return null;
    this.#timers.clear(String(id));
    user.sink = sink;
    return {
      port: user.socket.port,
      get kernelDrops() {
        return user.socket.kernelDrops;
      },
      send: (octets, host, port) => user.socket.send(octets, host, port),
      close: closeOnce(() => this.#leave(user)),
    };
  }

  /** After the claim has been made: the early packets, in order. Apart from `claim` because the stream must be ready for them. */
  replayEarly(id: number): void {
    const user = this.#users.get(id);
    if (user?.sink) user.early.replay(user.sink);
  }

  /** Gives up an announcement that no stream has claimed. */
  release(id: number): void {
    const user = this.#users.get(id);
    if (user && user.sink === null) void this.#leave(user);
  }

  async close(): Promise<void> {
    this.#timers.clearAll();
    await Promise.all([...this.#users.values()].map((user) => this.#leave(user)));
  }

  async #leave(user: User): Promise<void> {
    this.#forget(user);
    if (await user.socket.leave(user)) this.#onClosed(user.socket.port);
  }

  #forget(user: User): void {
    this.#timers.clear(String(user.id));
    if (this.#users.get(user.id) === user) this.#users.delete(user.id);
  }
}

/** One socket with counted users, told apart by the sender's address. Closes with its last user. */
class SharedSocket {
  /** Null when bound, else the system's error code. */
  readonly opened: Promise<string | null>;
  readonly port: number;
  #users: User[] = [];
  #port: ReceiverPort | null = null;
  readonly #onClosing: () => void;

  constructor(receiver: DatagramReceiver, host: string, port: number, onClosing: () => void) {
    this.port = port;
    this.#onClosing = onClosing;
    const sink: DatagramSink = {
      datagram: (buffer, start, end, source, arrivalMs) => this.#deliver(buffer, start, end, source, arrivalMs),
    };
    this.opened = receiver.open(host, port, sink, 'reuse-address').then(
      (bound) => {
        this.#port = bound;
        return null;
      },
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
  }

  get kernelDrops(): number | null {
    return this.#port?.kernelDrops ?? null;
  }

  /** Takes a user in. Returns whom it replaces: an earlier one of the same sender. */
  replace(user: User): User | null {
    const before = this.#users.find((other) => other.sourceHost === user.sourceHost) ?? null;
    this.#users = [...this.#users.filter((other) => other !== before), user];
    return before;
  }

  /** True if that was the last user and the socket is closed now; false too if it never was open: then it is somebody else's. */
  async leave(user: User): Promise<boolean> {
    if (!this.#users.includes(user)) return false;
    this.#users = this.#users.filter((other) => other !== user);
    if (this.#users.length > 0) return false;
    this.#onClosing();
    await this.opened;
    await this.#port?.close();
    return this.#port !== null;
  }

  send(octets: Uint8Array, host: string, port: number): void {
    this.#port?.send(octets, host, port);
  }

  #deliver(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    const user = this.#userOf(source.host);
    if (user === null) return;
    if (user.sink) user.sink.datagram(buffer, start, end, source, arrivalMs);
    else user.early.keep(buffer, start, end, source, arrivalMs);
  }

  /** The user who expects this sender; else the only user there is, since a sender's texts may name another of his addresses. */
  #userOf(host: string): User | null {
    for (const user of this.#users) if (user.sourceHost === host) return user;
    return this.#users.length === 1 ? this.#users[0]! : null;
  }
}
