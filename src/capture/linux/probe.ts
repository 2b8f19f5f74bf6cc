// Proves a receiver by a datagram to itself: what the kernel writes is where we read it, and it stamps what comes at once.
import type { Clock } from '../../lib/clock.ts';
import type { LinuxReceiver } from './linux-receiver.ts';

const PROBE = Buffer.from('sipreel probes its receiver');
const MAX_WAIT_MS = 250;
/** However long they take on a busy machine. */
const MIN_ATTEMPTS = 3;
/** Between sending and reading; the stamp must be from the first half. */
const PAUSE_MS = 2;

/**
 * Linux begins to stamp datagrams some time after the first socket of the whole system asked for it; until then the time
 * is that of reading. So this waits until it does, milliseconds at most as a rule.
 * @returns what is wrong in words, null if nothing. Leaves no port open.
 */
export function probe(receiver: LinuxReceiver, clock: Clock): string | null {
  let fault: string | null = 'a datagram to itself on 127.0.0.1 did not come';
  let sentMs = 0;
  let readMs = 0;
  const port = receiver.openNow('127.0.0.1', 0, {
    datagram(buffer, start, end, source, arrivalMs) {
      if (!PROBE.equals(buffer.subarray(start, end))) fault = 'a datagram to itself came with other content';
      else if (source.host !== '127.0.0.1' || source.port !== port.port)
        fault = `a datagram to itself came from ${source.host}:${source.port}`;
      else if (arrivalMs < sentMs - PAUSE_MS / 2 || arrivalMs > readMs - PAUSE_MS / 2)
        fault = 'the kernel does not say when a datagram came, only when it was read';
      else fault = null;
    },
  });
  const untilMs = performance.now() + MAX_WAIT_MS;
  for (let attempt = 0; fault !== null && (attempt < MIN_ATTEMPTS || performance.now() < untilMs); attempt++) {
    sentMs = clock.nowMs();
    port.send(PROBE, '127.0.0.1', port.port);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    readMs = clock.nowMs();
    receiver.handOver();
  }
  void port.close();
  return fault;
}
