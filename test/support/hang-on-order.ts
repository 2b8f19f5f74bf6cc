// Loaded into a capture thread before its own code: hangs when capture-threads.ts says so.
import { closeSync, openSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

// Nobody sends a thread anything before it has said that it is ready, so its own code misses nothing by this.
parentPort?.on('message', ({ kind, fifo }: { kind: string; fifo: string | null }) => {
  if (kind !== 'hang') return;
  if (fifo === null) for (;;);
  closeSync(openSync(fifo, 'r'));
});
