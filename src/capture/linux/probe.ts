// Proves a receiver by a datagram to itself: what the kernel writes is where we read it. And tells whether it stamps what comes.
import type { Clock } from '../../lib/clock.ts';
import type { LinuxReceiver } from './linux-receiver.ts';

const PROBE = Buffer.from('sipreel probes its receiver');
const MAX_WAIT_MS = 250;
/** However long they take on a busy machine. */
const MIN_ATTEMPTS = 3;
/** Between sending and reading; a stamp is from the first half. */
const PAUSE_MS = 2;

export interface Proof {
  /** What is wrong, in words; null if nothing. */
  fault: string | null;
  /** The kernel says when a datagram came. If not, that is when it was read, as with `node:dgram`. */
  stamps: boolean;
}

/**
 * Linux begins to stamp datagrams some time after the first socket of the whole system asked for it; until then the time
 * is that of reading. So this waits until it does, milliseconds as a rule. On a machine that is short of time it may take
 * longer than anybody should wait for a recorder: no stamps are no fault, they may come yet. Leaves no port open.
 */
export function probe(receiver: LinuxReceiver, clock: Clock): Proof {
  const proof: Proof = { fault: 'a datagram to itself on 127.0.0.1 did not come', stamps: false };
  let sentMs = 0;
  let readMs = 0;
  const port = receiver.openNow('127.0.0.1', 0, {
    datagram(buffer, start, end, source, arrivalMs) {
      if (!PROBE.equals(buffer.subarray(start, end))) proof.fault = 'a datagram to itself came with other content';
      else if (source.host !== '127.0.0.1' || source.port !== port.port)
        proof.fault = `a datagram to itself came from ${source.host}:${source.port}`;
      else if (arrivalMs < sentMs - PAUSE_MS / 2) proof.fault = 'a datagram to itself came before it was sent';
      else {
        proof.fault = null;
        proof.stamps = arrivalMs <= readMs - PAUSE_MS / 2;
      }
    },
  });
  const untilMs = performance.now() + MAX_WAIT_MS;
  for (let attempt = 0; !proof.stamps && (attempt < MIN_ATTEMPTS || performance.now() < untilMs); attempt++) {
    sentMs = clock.nowMs();
    port.send(PROBE, '127.0.0.1', port.port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    readMs = clock.nowMs();
    receiver.handOver();
  }
  void port.close();
  return proof;
}
