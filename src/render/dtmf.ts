// Key presses out of telephone-event packets: many packets, one event per key (RFC 4733 §2.5).
import { dtmfDigit, readTelephoneEvent, TelephoneEvent } from '../rtp/telephone-event.ts';

/** A press that could be heard at the same time as another: so many are kept apart to recognise late packets. */
const REMEMBERED = 8;

interface RecentPress {
  press: KeyPress;
  event: number;
  /** RTP time and length of the current segment, and the length of those before it. */
  segmentTime: number;
  segmentTicks: number;
  beforeTicks: number;
  ended: boolean;
}

export interface KeyPress {
  digit: string;
  ssrc: number;
  clockRateHz: number;
  /** RTP time of its beginning. */
  rtpTime: number;
  /** When its first packet arrived, ms on the line of the arrival times. */
  arrivalMs: number;
  /** In RTP time units, by the last word of the sender; may exceed 16 bits for a press of several segments. */
  durationTicks: number;
}

/** Of one stream. Presses are collected up to a limit; further ones are only counted. */
export class KeyPresses {
  readonly presses: KeyPress[] = [];
  ignored = 0;
  readonly #limit: number;
  readonly #event = new TelephoneEvent();
  readonly #recent: RecentPress[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Reads the payload `buffer[start, end)`; events that are no DTMF digit, and what is too short, are left out. */
  observe(
    buffer: Uint8Array,
    start: number,
    end: number,
    header: { ssrc: number; rtpTime: number },
    clockRateHz: number,
    arrivalMs: number,
  ): void {
    const event = this.#event;
    if (!readTelephoneEvent(buffer, start, end, event)) return;
    const digit = dtmfDigit(event.event);
    if (digit === null) return;
    const { ssrc, rtpTime } = header;
    for (const recent of this.#recent) {
      if (recent.event === event.event && recent.press.ssrc === ssrc && this.#continues(recent, rtpTime)) return;
    }
    if (this.presses.length >= this.#limit) {
      this.ignored++;
      return;
    }
    const press = { digit, ssrc, clockRateHz, rtpTime, arrivalMs, durationTicks: event.duration };
    this.presses.push(press);
    const recent = { press, event: event.event, segmentTime: rtpTime, segmentTicks: event.duration, beforeTicks: 0 };
    this.#recent.unshift({ ...recent, ended: event.end });
    if (this.#recent.length > REMEMBERED) this.#recent.pop();
  }

  #continues(recent: RecentPress, rtpTime: number): boolean {
    const { duration, end } = this.#event;
    if (recent.segmentTime === rtpTime) {
      // Repeated, retransmitted or late: the longest word counts.
      recent.segmentTicks = Math.max(recent.segmentTicks, duration);
    } else if (!recent.ended && (recent.segmentTime + recent.segmentTicks) >>> 0 === rtpTime) {
      // An event longer than the duration field goes on in a new segment (§2.5.1.3).
      recent.beforeTicks += recent.segmentTicks;
      recent.segmentTime = rtpTime;
      recent.segmentTicks = duration;
    } else {
      return false;
    }
    recent.ended ||= end;
    recent.press.durationTicks = recent.beforeTicks + recent.segmentTicks;
    return true;
  }
}
