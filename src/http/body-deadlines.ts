// How long a request may take until all of its content is here: nobody holds a connection by sending an octet a minute.
import type { IncomingMessage } from 'node:http';

const LIMIT_MS = 30_000;

export class BodyDeadlines {
  readonly #timers = new WeakMap<IncomingMessage, NodeJS.Timeout>();

  readonly #limitMs: number;

  constructor(limitMs = LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  /** The limit for everybody; also for what is still to come when the answer has been given. */
  begin(request: IncomingMessage): void {
    this.set(request, this.#limitMs);
  }

  /** Replaces the limit of this request. When it is over, its connection is closed. */
  set(request: IncomingMessage, limitMs: number): void {
    clearTimeout(this.#timers.get(request));
    if (request.complete || request.destroyed) return;
    const timer = setTimeout(() => {
      if (!request.complete) request.socket.destroy();
    }, limitMs);
    timer.unref();
    if (!this.#timers.has(request)) request.once('close', () => clearTimeout(this.#timers.get(request)));
    this.#timers.set(request, timer);
  }
}
