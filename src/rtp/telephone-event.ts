// Payload of audio/telephone-event (RFC 4733 §2.3).

//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |     event     |E|R| volume    |          duration             |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
export const TELEPHONE_EVENT_OCTETS = 4;

/** Refilled for every event. */
export class TelephoneEvent {
  /** 0–15 are the DTMF digits (§3.2), 16 is a flash; others are tones and line signals. */
  event = 0;
  end = false;
  /** Power in dBm0 without the sign: 0 is loudest, 63 quietest. */
  volume = 0;
  /** Since the event's RTP timestamp, in timestamp units. */
  duration = 0;
}

/**
 * Reads one event at `start`. A packet may hold several contiguous events (§2.5.1.5): go on TELEPHONE_EVENT_OCTETS further.
 * @returns false if fewer than four octets are left.
 */
export function readTelephoneEvent(buffer: Uint8Array, start: number, end: number, into: TelephoneEvent): boolean {
  if (end - start < TELEPHONE_EVENT_OCTETS) return false;
  const flags = buffer[start + 1]!;
  into.event = buffer[start]!;
  into.end = (flags & 0x80) !== 0;
  into.volume = flags & 0x3f;
  into.duration = (buffer[start + 2]! << 8) | buffer[start + 3]!;
  return true;
}

const DIGITS = '0123456789*#ABCD';

/** The DTMF digit of an event code, null if it is none. */
export function dtmfDigit(event: number): string | null {
  return DIGITS[event] ?? null;
}
