// A disk's thread that dies of the first thing it is asked for.
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', () => {
  throw new Error('out of memory, say');
});
