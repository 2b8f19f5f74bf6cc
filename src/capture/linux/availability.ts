// Whether the Linux receiver works here.
import { systemClock } from '../../lib/clock.ts';
import { createLinuxReceiver } from './linux-receiver.ts';

/** `receiveBufferOctets`: what the kernel grants one socket. `stamps`: it says when a datagram came, or did so when it was asked. */
export type Availability =
  | { available: true; receiveBufferOctets: number; stamps: boolean }
  | { available: false; reason: string };

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
    const { receiveBufferOctets, stamps } = receiver;
    return { available: true, receiveBufferOctets, stamps };
  } catch (error) {
    return { available: false, reason: (error as Error).message };
  }
}
