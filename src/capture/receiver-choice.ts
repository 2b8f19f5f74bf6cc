// Which receiver takes the datagrams: the portable one, unless the Linux one is asked for.
import { RecorderError } from '../lib/errors.ts';
import { type Availability, linuxReceiverAvailable } from './linux/availability.ts';
import type { ReceiverKind } from './protocol.ts';

/** `auto`: our choice, the portable one for now (see "Receivers and workers" in README.md). */
export type ReceiverChoice = 'auto' | ReceiverKind;

/** @throws RecorderError CAPTURE_FAILED if a certain one is wanted that does not work here */
export function chooseReceiver(
  wanted: ReceiverChoice,
  linux: () => Availability = linuxReceiverAvailable,
): ReceiverKind {
  if (wanted !== 'linux') return 'dgram';
  const availability = linux();
  if (availability.available) return 'linux';
  throw new RecorderError(
    'CAPTURE_FAILED',
    `rtp.receiver linux does not work here: ${availability.reason}. Set it to auto or dgram.`,
  );
}
