// Whether the Linux receiver works here.
import { systemClock } from '../../lib/clock.ts';
import { createLinuxReceiver } from './linux-receiver.ts';

/** `receiveBufferOctets`: what the kernel grants one socket. */
export type Availability = { available: true; receiveBufferOctets: number } | { available: false; reason: string };

let known: Availability | undefined;

/** Makes a receiver and closes it, once per thread. Takes milliseconds, a quarter of a second at most. Never throws. */
export function linuxReceiverAvailable(): Availability {
  known ??= look();
  return known;
}

function look(): Availability {
  try {
    const receiver = createLinuxReceiver(systemClock);
    void receiver.close();
    return { available: true, receiveBufferOctets: receiver.receiveBufferOctets };
  } catch (error) {
    return { available: false, reason: (error as Error).message };
  }
}
