// Entry of a file writer thread: writes batches for a capture worker with blocking calls, which cost a fraction of libuv's.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { END, FIELDS, type FileWriterMemory, RESULT } from './file-writer-memory.ts';

const memory = workerData as FileWriterMemory;
const table = new Float64Array(memory.table);
const octets = new Uint8Array(memory.octets);

// File descriptors belong to the process, so those that the capture worker opened are good here.
parentPort!.on('message', (count: number) => {
  if (count === END) {
    parentPort!.close();
    return;
  }
  for (let entry = 0; entry < count; entry++) {
    const at = entry * FIELDS;
    try {
      table[at + RESULT] = writeSync(table[at]!, octets, table[at + 1]!, table[at + 2]!, table[at + 3]!);
    } catch (error) {
      table[at + RESULT] = (error as NodeJS.ErrnoException).errno ?? -5;
    }
  }
  parentPort!.postMessage(count);
});
