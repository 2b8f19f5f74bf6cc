// A thread with a Linux receiver: opens as many ports as it is told, tells them, and reads until it is ended one way or another.
import { parentPort, workerData } from 'node:worker_threads';
import { createLinuxReceiver } from '../../../src/capture/linux/linux-receiver.ts';
import { systemClock } from '../../../src/lib/clock.ts';

const { count } = workerData as { count: number };
const receiver = createLinuxReceiver(systemClock);
let datagrams = 0;
const sink = {
  datagram() {
    datagrams++;
    if (datagrams % 100 === 0) parentPort!.postMessage({ datagrams });
  },
};
const ports = Array.from({ length: count }, () => receiver.openNow('127.0.0.1', 0, sink).port);
parentPort!.postMessage({ ports });
const timer = setInterval(() => receiver.handOver(), 1);
parentPort!.on('message', (word: 'throw' | 'exit' | 'return') => {
  if (word === 'throw') throw new Error('asked for');
  if (word === 'exit') process.exit(3);
  clearInterval(timer);
  parentPort!.close();
});
