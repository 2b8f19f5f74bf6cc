// Loaded into a recorder before its own code (NODE_OPTIONS): of the writes of session.json only the first SESSION_WRITES reach the disk,
// all later ones hang. So what a kill at any moment in between leaves is found there whenever the kill comes.
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread, type Worker } from 'node:worker_threads';
import type { DiskOrder } from '../../src/archive/disk/disk-thread-protocol.ts';

const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Worker };
let left = Number(process.env.SESSION_WRITES);

class SpoolWatcher extends threads.Worker {
  readonly #isSpool: boolean;

  constructor(url: string | URL, options?: ConstructorParameters<typeof Worker>[1]) {
    super(url, options);
    this.#isSpool = options?.name === 'spool';
  }

  override postMessage(message: DiskOrder[]): void {
    super.postMessage(this.#isSpool ? message.filter(passes) : message);
  }
}

function passes({ calls }: DiskOrder): boolean {
  return !calls.some(([step]) => step === 'replaceFile') || left-- > 0;
}

if (isMainThread) {
  threads.Worker = SpoolWatcher;
  syncBuiltinESMExports();
}
