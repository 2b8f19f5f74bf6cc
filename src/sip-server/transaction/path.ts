// The way that the messages of one transaction take: its flow and, when that is a lost connection, a new one (RFC 3261 §18.2.2).
import type { Flow } from '../transport/flow.ts';

export class Path {
  #flow: Flow;
  readonly #reopen: () => Promise<Flow>;
  #reopening: Promise<Flow> | null = null;
  /** Settles with the newest sending. */
  #newest: Promise<void> = Promise.resolve();
  /** Sendings that wait for a new flow; later ones must queue behind them. */
  #waiting = 0;

  /** `reopen` finds another flow to the same peer; it is only asked over reliable transports. */
  constructor(flow: Flow, reopen: () => Promise<Flow>) {
    this.#flow = flow;
    this.#reopen = reopen;
  }

  get flow(): Flow {
    return this.#flow;
  }

  get reliable(): boolean {
    return this.#flow.reliable;
  }

  /** Sends in the order of the calls. Over a lost connection it tries one new connection, then rejects. */
  send(bytes: Buffer): Promise<void> {
    const sending = this.#send(bytes, this.#newest);
    this.#newest = sending.catch(() => {});
    return sending;
  }

  async #send(bytes: Buffer, earlier: Promise<void>): Promise<void> {
    const flow = this.#flow;
    if (this.#waiting === 0 && !flow.closed) {
      try {
        await flow.send(bytes);
        return;
      } catch (error) {
        // A live flow's refusal (too long, no route) would only be repeated.
        if (!flow.reliable || !flow.closed) throw error;
      }
    }
    this.#waiting++;
    try {
      await earlier;
      const reopened = await this.#flowAfter(flow);
      await reopened.send(bytes);
    } finally {
      this.#waiting--;
    }
  }

  /** Callers at the same time share one attempt. */
  async #flowAfter(lost: Flow): Promise<Flow> {
    if (this.#flow !== lost) return this.#flow;
    this.#reopening ??= this.#reopen().then(
      (flow) => {
        this.#flow = flow;
        this.#reopening = null;
        return flow;
      },
      (error) => {
        this.#reopening = null;
        throw error;
      },
    );
    return this.#reopening;
  }
}
