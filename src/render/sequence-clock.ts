// RTP time for senders whose timestamps lie: counted from what the packets hold (mod_oreka; placement 'arrival').

/** A jump of more numbers than this is a restart, not loss or reordering. */
const MAX_STEP = 100;

/**
 * A clock that ticks by payload: sequence numbers order neighbours and leave room for lost ones, and nothing else is
 * believed. Time in which the sender sent nothing is missing from it, and the stretch finder puts it back by arrival.
 */
export class SequenceClock {
  #ssrc = -1;
  #sequenceNumber = 0;
  #tick = 0;
  #ticks = 0;

  /** @param ticks length of the packet, samples. @returns its time on this clock; may be negative after reordering. */
  read(ssrc: number, sequenceNumber: number, ticks: number): number {
    const step = ssrc === this.#ssrc ? ((sequenceNumber - this.#sequenceNumber) << 16) >> 16 : MAX_STEP + 1;
    if (step <= 0 && step >= -MAX_STEP) return this.#tick + step * ticks;
    const lost = step > 0 && step <= MAX_STEP ? step - 1 : 0;
    this.#ssrc = ssrc;
    this.#sequenceNumber = sequenceNumber;
    this.#tick += this.#ticks + lost * ticks;
    this.#ticks = ticks;
    return this.#tick;
  }
}
