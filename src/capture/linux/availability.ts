// Whether the Linux receiver works here.
import { systemClock } from '../../lib/clock.ts';
import { createLinuxReceiver } from './linux-receiver.ts';

export type Availability = { available: true } | { available: false; reason: string };

let known: Availability | undefined;

/** Makes a receiver and closes it, once per thread. Takes milliseconds, a quarter of a second at most. Never throws. */
export function linuxReceiverAvailable(): Availability {
  known ??= look();
  return known;
}

function look(): Availability {
  try {
    void createLinuxReceiver(systemClock).close();
    return { available: true };
  } catch (error) {
    return { available: false, reason: (error as Error).message };
  }
}
