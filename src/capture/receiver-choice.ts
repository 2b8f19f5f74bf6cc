// Which receiver takes the datagrams: the Linux one where it works, else the portable one.
import { RecorderError } from '../lib/errors.ts';
import { type Availability, linuxReceiverAvailable } from './linux/availability.ts';
import type { ReceiverKind } from './protocol.ts';

/** `auto`: whichever is best here. */
export type ReceiverChoice = 'auto' | ReceiverKind;

/** @throws RecorderError CAPTURE_FAILED if a certain one is wanted that does not work here */
export function chooseReceiver(
  wanted: ReceiverChoice,
  linux: () => Availability = linuxReceiverAvailable,
): ReceiverKind {
  if (wanted === 'dgram') return 'dgram';
  const availability = linux();
  if (availability.available) return 'linux';
  if (wanted === 'auto') return 'dgram';
  throw new RecorderError(
    'CAPTURE_FAILED',
    `rtp.receiver linux does not work here: ${availability.reason}. Set it to auto or dgram.`,
  );
}
