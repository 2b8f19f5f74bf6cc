// The tone sender in a thread of its own: nothing that the test does beside it makes its packets late.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ToneTarget } from './tone-sender.ts';

export type ToneOrder =
  | { order: 'talk'; call: number; target: ToneTarget }
  | { order: 'whisper' | 'end'; call: number }
  | { order: 'report' };

/** When a sender did what it was told, Unix ms. */
export interface ToneEvent {
  call: number;
  what: 'talk' | 'pause';
  atMs: number;
}

export interface ToneReport {
  packetsSent: number;
  /** The longest time by which a tick came late, ms: beyond some tens the generator, not the recorder, is the limit. */
  worstLagMs: number;
  events: ToneEvent[];
}

export class DistantToneSender {
  readonly #worker = new Worker(new URL('./tone-thread.ts', import.meta.url));

  give(order: ToneOrder): void {
    this.#worker.postMessage(order);
  }

  async report(): Promise<ToneReport> {
    const answer = once(this.#worker, 'message');
    this.give({ order: 'report' });
    return (await answer)[0] as ToneReport;
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
