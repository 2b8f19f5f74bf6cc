// How much a piece of work allocates, whatever the collector does meanwhile.
import v8 from 'node:v8';

const ROUND = 1000;

/**
 * Calls `work` so many times, after as many to warm up, and adds up how the heap grew within short rounds. A round in which
 * it shrank was interrupted by the collector and counts as nothing.
 * @returns octets; the measuring itself costs some hundred per round
 */
export function heapGrowth(times: number, work: (index: number) => void): number {
  for (let index = 0; index < times; index++) work(index);
  let grown = 0;
  for (let index = 0; index < times; index += ROUND) {
    const before = v8.getHeapStatistics().used_heap_size;
    for (let i = index; i < index + ROUND; i++) work(i);
    grown += Math.max(0, v8.getHeapStatistics().used_heap_size - before);
  }
  return grown;
}
