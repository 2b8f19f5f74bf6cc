// A stretch: packets of one SSRC whose RTP timestamps run on without a break (RFC 3550 §5.1), and how late each was.

/** One point of the lower envelope per so much time: 8 hours make 2,880. */
export const ENVELOPE_WINDOW_MS = 10_000;

/**
 * What pass 1 knows of a stretch. Ticks are RTP time units since the stretch's base, unwrapped. A packet leaves its
 * sender when its last sample is spoken, so "spoken" is its arrival less its length: packets of 20 ms on one side and
 * of 60 ms on the other then stand side by side. A packet's delay is that time minus its RTP time, both since the base;
 * only differences of delays mean something.
 */
export interface Stretch {
  readonly ssrc: number;
  /** The stretch holds the packets from this one on, counted among the stream's audio packets, of its SSRC. */
  readonly firstPacket: number;
  readonly clockRateHz: number;
  readonly baseRtpTime: number;
  readonly baseSpokenMs: number;
  /** Length of the packet that set the base, ms. */
  readonly baseLengthMs: number;
  /** RTP time of the first sample, and behind the last one. */
  readonly firstTick: number;
  readonly endTick: number;
  /** The packets that were least late in their window: ticks rise strictly. */
  readonly envelopeTicks: readonly number[];
  readonly envelopeDelaysMs: readonly number[];
}

/** Unwraps an RTP timestamp to the tick nearest to what the time lets expect; right if within ±2^31 ticks. */
export function unwrapTick(
  rtpTime: number,
  baseRtpTime: number,
  elapsedMs: number,
  delayMs: number,
  clockRateHz: number,
): number {
  const expected = Math.round(((elapsedMs - delayMs) * clockRateHz) / 1000);
  return expected + ((rtpTime - baseRtpTime - expected) | 0);
}

/** A stretch while its packets come in. Refilled for every attempt; `add` allocates nothing between windows. */
export class GrowingStretch implements Stretch {
  ssrc = 0;
  firstPacket = 0;
  clockRateHz = 8000;
  baseRtpTime = 0;
  baseSpokenMs = 0;
  baseLengthMs = 0;
  firstTick = 0;
  endTick = 0;
  envelopeTicks: number[] = [];
  envelopeDelaysMs: number[] = [];
  packets = 0;
  /** Least delay of this window and the one before: what a packet's delay is compared with. */
  floorMs = 0;

  #latestMs = 0;
  #window = 0;
  #windowTick = 0;
  #windowDelayMs = 0;
  #previousDelayMs = Number.POSITIVE_INFINITY;

  /** Starts anew with the packet that sets the base. */
  begin(ssrc: number, firstPacket: number, clockRateHz: number, rtpTime: number, ticks: number, spokenMs: number) {
    this.ssrc = ssrc;
    this.firstPacket = firstPacket;
    this.clockRateHz = clockRateHz;
    this.baseRtpTime = rtpTime;
    this.baseSpokenMs = spokenMs;
    this.baseLengthMs = (ticks * 1000) / clockRateHz;
    this.firstTick = 0;
    this.endTick = ticks;
    if (this.envelopeTicks.length > 0) {
      this.envelopeTicks = [];
      this.envelopeDelaysMs = [];
    }
    this.packets = 1;
    this.floorMs = 0;
    this.#latestMs = 0;
    this.#window = 0;
    this.#windowTick = 0;
    this.#windowDelayMs = 0;
    this.#previousDelayMs = Number.POSITIVE_INFINITY;
  }

  tickOf(rtpTime: number, spokenMs: number): number {
    return unwrapTick(rtpTime, this.baseRtpTime, spokenMs - this.baseSpokenMs, this.floorMs, this.clockRateHz);
  }

  delayMs(tick: number, spokenMs: number): number {
    return spokenMs - this.baseSpokenMs - (tick * 1000) / this.clockRateHz;
  }

  /** Takes in a packet of `ticks` length. */
  add(tick: number, ticks: number, delayMs: number, spokenMs: number): void {
    this.packets++;
    if (tick < this.firstTick) this.firstTick = tick;
    if (tick + ticks > this.endTick) this.endTick = tick + ticks;
    const elapsedMs = spokenMs - this.baseSpokenMs;
    if (elapsedMs > this.#latestMs) this.#latestMs = elapsedMs;
    const window = Math.floor(elapsedMs / ENVELOPE_WINDOW_MS);
    if (window > this.#window) {
      this.#closeWindow();
      this.#previousDelayMs = this.#windowDelayMs;
      this.#window = window;
      this.#windowTick = tick;
      this.#windowDelayMs = delayMs;
    } else if (delayMs < this.#windowDelayMs) {
      this.#windowTick = tick;
      this.#windowDelayMs = delayMs;
    }
    this.floorMs = Math.min(this.#windowDelayMs, this.#previousDelayMs);
  }

  /** Its packets came in less than half the time that they hold. */
  get cameAtOnce(): boolean {
    const heldMs = ((this.endTick - this.firstTick) * 1000) / this.clockRateHz;
    return this.packets >= 2 && this.#latestMs < heldMs / 2;
  }

  /** Packets of its own that were taken for another stretch: they lie behind its end, and say nothing of its clock. */
  extendBy(other: GrowingStretch): void {
    const tick = this.tickOf(other.baseRtpTime, other.baseSpokenMs);
    this.endTick = Math.max(this.endTick, tick + other.endTick);
  }

  /**
   * Ends the stretch: the envelope is complete. A last window of few packets may have had no fast one among them, so
   * it may lower the envelope but not raise it.
   */
  finish(): Stretch {
    const openMs = this.#latestMs - this.#window * ENVELOPE_WINDOW_MS;
    const before = this.envelopeDelaysMs.at(-1);
    const tooShort = before !== undefined && openMs < ENVELOPE_WINDOW_MS / 2;
    if (!tooShort || this.#windowDelayMs < before) this.#closeWindow();
    return this;
  }

  #closeWindow(): void {
    const last = this.envelopeTicks.length - 1;
    if (last >= 0 && this.#windowTick <= this.envelopeTicks[last]!) {
      // Only after heavy reordering: keep ticks rising, and the lower of the two.
      if (this.#windowDelayMs < this.envelopeDelaysMs[last]!) this.envelopeDelaysMs[last] = this.#windowDelayMs;
      return;
    }
    this.envelopeTicks.push(this.#windowTick);
    this.envelopeDelaysMs.push(this.#windowDelayMs);
  }
}
