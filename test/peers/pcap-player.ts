// Plays captured datagrams again, at their original times and from one socket per original sender.
import { createSocket, type Socket } from 'node:dgram';
import type { CapturedDatagram } from '../support/pcap.ts';

export interface ReplayTarget {
  host: string;
  port: number;
}

/** What really left, and when: a replay follows the server's answers, so its pauses are not the capture's to the millisecond. */
export interface SentDatagram {
  /** Unix ms with a fraction. */
  atMs: number;
  payload: Buffer;
}

export class PcapPlayer {
  /** Everything sent so far, by original destination port. */
  readonly sent = new Map<number, SentDatagram[]>();
  readonly #sockets = new Map<string, Promise<Socket>>();
  readonly #localHost: string;
  readonly #stopped = new AbortController();

  constructor(localHost = '127.0.0.1') {
    this.#localHost = localHost;
  }

  /**
   * Sends those datagrams whose original destination port has a target. A datagram captured `n` ms after `originMs` leaves
   * `n` ms after the call. Resolves when the last one has left, or at stop(), with the counts by original port.
   */
  async play(
    datagrams: readonly CapturedDatagram[],
    originMs: number,
    targets: ReadonlyMap<number, ReplayTarget>,
  ): Promise<Map<number, number>> {
    const beganMs = performance.now();
    const sent = new Map<number, number>();
    for (const { timeMs, source, destination, payload } of datagrams) {
      const target = targets.get(destination.port);
      if (!target) continue;
      const socket = await this.#socketOf(`${source.host}:${source.port}`);
      const waitMs = beganMs + (timeMs - originMs) - performance.now();
      if (waitMs > 1) await this.#sleep(waitMs);
      if (this.#stopped.signal.aborted) break;
      await new Promise<void>((done) => socket.send(payload, target.port, target.host, () => done()));
      sent.set(destination.port, (sent.get(destination.port) ?? 0) + 1);
      const log = this.sent.get(destination.port) ?? [];
      this.sent.set(destination.port, log);
      log.push({ atMs: performance.timeOrigin + performance.now(), payload });
    }
    return sent;
  }

  /** Ends what is playing and closes all sockets. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const sockets = await Promise.all(this.#sockets.values());
    this.#sockets.clear();
    await Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.close(() => done()))));
  }

  #sleep(delayMs: number): Promise<void> {
    const { signal } = this.#stopped;
    return new Promise((resolve) => {
      const timer = setTimeout(done, delayMs);
      signal.addEventListener('abort', done, { once: true });
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }

  #socketOf(sender: string): Promise<Socket> {
    let socket = this.#sockets.get(sender);
    if (!socket) {
      socket = new Promise((resolve, reject) => {
        const opened = createSocket('udp4');
        opened.once('error', reject);
        opened.bind(0, this.#localHost, () => {
          opened.off('error', reject);
          // ICMP errors of a receiver that has gone are no concern of a sender.
          opened.on('error', () => {});
          resolve(opened);
        });
      });
      this.#sockets.set(sender, socket);
    }
    return socket;
  }
}
