// Interarrival jitter (RFC 3550 §6.4.1, A.8), in units of the clock rate until it is read as ms.

export class InterarrivalJitter {
  #jitter = 0;
  #clockRateHz = 0;
  #lastArrivalMs = 0;
  #lastRtpTime = 0;
  #hasLast = false;

  /**
   * Takes note of a packet. A clock rate of 0 means unknown: the packet is left out.
   * With another clock rate than before the estimate starts again (the RFC says nothing; the units differ).
   */
  update(arrivalMs: number, rtpTime: number, clockRateHz: number): void {
    if (clockRateHz === 0) return;
    if (clockRateHz !== this.#clockRateHz) {
      this.#clockRateHz = clockRateHz;
      this.#jitter = 0;
      this.#hasLast = false;
    }
    if (this.#hasLast) {
      // Differences of neighbours, so that neither the size of Unix time nor a wrap of RTP time costs precision.
      const arrivalUnits = ((arrivalMs - this.#lastArrivalMs) * clockRateHz) / 1000;
      const difference = Math.abs(arrivalUnits - ((rtpTime - this.#lastRtpTime) | 0));
      this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#lastArrivalMs = arrivalMs;
    // As a signed number: an unsigned one beyond 2^31 would cost an object.
    this.#lastRtpTime = rtpTime | 0;
    this.#hasLast = true;
  }

  /** The next packet is not compared with the last one: a pause or a restart lies between. */
  breakOff(): void {
    this.#hasLast = false;
  }

  /** Forgets everything, for another SSRC. */
  reset(): void {
    this.#jitter = 0;
    this.#clockRateHz = 0;
    this.#hasLast = false;
  }

  /** As a receiver report carries it: whole timestamp units. */
  get timestampUnits(): number {
    return Math.floor(this.#jitter);
  }

  get ms(): number {
    return this.#clockRateHz === 0 ? 0 : (this.#jitter * 1000) / this.#clockRateHz;
  }
}
