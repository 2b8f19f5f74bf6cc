// OPTIONS to the recorder while it is under load.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { onTestFinished } from 'vitest';

/** Times from each OPTIONS to its answer in ms, by status. */
export type PingAnswers = Record<string, number[]>;

export class Pings {
  #worker: Worker | undefined;

  begin(port: number): void {
    this.#worker = new Worker(new URL('./ping-thread.ts', import.meta.url), { workerData: { port } });
    onTestFinished(async () => void (await this.#worker?.terminate()));
  }

  /** Until now. */
  async answers(): Promise<PingAnswers> {
    const answers = once(this.#worker!, 'message');
    this.#worker!.postMessage('answers');
    return (await answers)[0] as PingAnswers;
  }
}
