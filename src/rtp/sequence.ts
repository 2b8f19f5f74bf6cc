// Sequence numbers of one SSRC: extension to more than 16 bits, loss, duplicates, restarts (RFC 3550 A.1, A.3).

/** A forward jump of fewer numbers is loss, not a restart. */
export const MAX_DROPOUT = 3000;
/** A packet that is fewer numbers behind is reordered, not a restart. */
export const MAX_MISORDER = 100;
/** Consecutive packets after which a source is trusted. */
export const MIN_SEQUENTIAL = 2;

const RTP_SEQ_MOD = 1 << 16;
const WINDOW_BITS = 128;

export type SequenceVerdict =
  /** First packet, or the first after `resynchronise()`. */
  | 'first'
  /** The expected number. */
  | 'next'
  /** A later number than expected: what lies between is missing so far. */
  | 'gap'
  /** An earlier number that had not been seen. */
  | 'reordered'
  | 'duplicate'
  /** A number far away from the others: a restart if the next packet continues from it, otherwise a stray. */
  | 'jump'
  /** The second packet of a new run: the sender has restarted its numbering with the packet before. */
  | 'restart';

/**
 * The RFC's algorithm with one difference: no packet is thrown away for probation or after a jump. The RFC drops
 * them to protect a mixer from strays; a recorder that drops loses the first words of a call, which nobody can send
 * again. So every packet gets a verdict and an extended number, and `probation` only tells whether to trust the source.
 *
 * Loss is counted in runs of continuous numbering; a restart or `resynchronise()` closes one run and begins the next.
 */
export class SequenceTracker {
  /** Highest number seen, 16 bits. */
  maxSeq = 0;
  /** Wraps of the number, times 65536. */
  cycles = 0;
  /** Lowest extended number of this run. */
  baseSeq = 0;
  /** The number that would confirm a restart; RTP_SEQ_MOD + 1 when none is awaited. */
  badSeq = RTP_SEQ_MOD + 1;
  /** Packets in sequence until the source is trusted. */
  probation = MIN_SEQUENTIAL;
  /** Packets of this run, without duplicates. */
  received = 0;
  /** Packets of all runs and strays, without duplicates. */
  packets = 0;
  duplicates = 0;
  reordered = 0;
  restarts = 0;
  /** Extended number of the packet last looked at, comparable within a run; may be negative early in the first run. */
  extended = 0;

  #started = false;
  #lostBefore = 0;
  #expectedBefore = 0;
  /** One bit per extended number that is missing, 128 back from the highest; only packets out of order touch it. */
  readonly #missing = new Uint32Array(WINDOW_BITS / 32);
  /** Bits set. */
  #missingBits = 0;

  /** Takes note of a packet with this sequence number. Allocates nothing. */
  update(sequenceNumber: number): SequenceVerdict {
    if (!this.#started) {
      this.#begin(sequenceNumber);
      this.probation = MIN_SEQUENTIAL - 1;
      return 'first';
    }
    const delta = (sequenceNumber - this.maxSeq) & 0xffff;
    if (delta === 0) return this.#repeated(this.cycles + this.maxSeq);
    if (delta < MAX_DROPOUT) return this.#advance(sequenceNumber, delta);
    if (delta <= RTP_SEQ_MOD - MAX_MISORDER) return this.#farAway(sequenceNumber);
    return this.#behind(RTP_SEQ_MOD - delta);
  }

  /** The next packet begins a new run: after a pause the numbers in between were never sent to us. */
  resynchronise(): void {
    this.#closeRun();
    this.#started = false;
  }

  /** Forgets everything, for reuse with another SSRC. */
  reset(): void {
    this.#started = false;
    this.#lostBefore = this.#expectedBefore = 0;
    this.packets = this.received = this.duplicates = this.reordered = this.restarts = 0;
    this.probation = MIN_SEQUENTIAL;
    this.badSeq = RTP_SEQ_MOD + 1;
  }

  /** True once MIN_SEQUENTIAL packets came in sequence. */
  get trusted(): boolean {
    return this.probation === 0;
  }

  /** Highest extended number of this run, as a receiver report states it (modulo 2^32 there). */
  get extendedMax(): number {
    return this.cycles + this.maxSeq;
  }

  /** Packets that should have come, over all runs. */
  get expected(): number {
    return this.#expectedBefore + (this.#started ? this.extendedMax - this.baseSeq + 1 : 0);
  }

  /** Expected minus received (A.3), over all runs. Duplicates do not hide loss, so it never falls below 0. */
  get lost(): number {
    return this.#lostBefore + (this.#started ? Math.max(0, this.extendedMax - this.baseSeq + 1 - this.received) : 0);
  }

  #begin(sequenceNumber: number): void {
    this.#started = true;
    this.maxSeq = sequenceNumber;
    this.cycles = 0;
    this.baseSeq = sequenceNumber;
    this.badSeq = RTP_SEQ_MOD + 1;
    this.received = 1;
    this.packets++;
    this.extended = sequenceNumber;
    this.#forgetMissing();
  }

  #closeRun(): void {
    this.#lostBefore = this.lost;
    this.#expectedBefore = this.expected;
    this.received = 0;
  }

  #advance(sequenceNumber: number, delta: number): SequenceVerdict {
    if (sequenceNumber < this.maxSeq) this.cycles += RTP_SEQ_MOD;
    this.maxSeq = sequenceNumber;
    this.extended = this.cycles + sequenceNumber;
    this.badSeq = RTP_SEQ_MOD + 1;
    this.received++;
    this.packets++;
    if (delta !== 1) {
      this.#noteMissing(this.extended, delta - 1);
      if (this.probation > 0) this.probation = MIN_SEQUENTIAL - 1;
      return 'gap';
    }
    if (this.#missingBits > 0) this.#setMissing(this.extended, false);
    if (this.probation > 0) this.probation--;
    return 'next';
  }

  #farAway(sequenceNumber: number): SequenceVerdict {
    if (sequenceNumber === this.badSeq) {
      // The packet before was the first of the new run; it is in `packets` already.
      this.#closeRun();
      this.#begin((sequenceNumber - 1) & 0xffff);
      this.packets--;
      this.#advance(sequenceNumber, 1);
      this.restarts++;
      return 'restart';
    }
    if (sequenceNumber === ((this.badSeq - 1) & 0xffff) && this.badSeq < RTP_SEQ_MOD) {
      return this.#repeated(this.cycles + sequenceNumber);
    }
    this.badSeq = (sequenceNumber + 1) & 0xffff;
    this.extended = this.cycles + sequenceNumber;
    this.packets++;
    return 'jump';
  }

  #behind(by: number): SequenceVerdict {
    const extended = this.cycles + this.maxSeq - by;
    if (extended < this.baseSeq) {
      // Before the first packet of the run: what lies between is missing too.
      this.#noteMissing(this.baseSeq, this.baseSeq - extended - 1);
      this.baseSeq = extended;
    } else if (this.#isMissing(extended)) {
      this.#setMissing(extended, false);
    } else {
      return this.#repeated(extended);
    }
    this.extended = extended;
    this.received++;
    this.packets++;
    this.reordered++;
    return 'reordered';
  }

  #repeated(extended: number): SequenceVerdict {
    this.extended = extended;
    this.duplicates++;
    return 'duplicate';
  }

  /** Notes the `count` numbers before `extended` as missing. */
  #noteMissing(extended: number, count: number): void {
    if (count >= WINDOW_BITS) this.#forgetMissing();
    this.#setMissing(extended, false);
    for (let missing = extended - Math.min(count, WINDOW_BITS - 1); missing < extended; missing++) {
      this.#setMissing(missing, true);
    }
  }

  #setMissing(extended: number, missing: boolean): void {
    const bit = extended & (WINDOW_BITS - 1);
    const word = bit >>> 5;
    const mask = 1 << (bit & 31);
    const was = (this.#missing[word]! & mask) !== 0;
    if (was === missing) return;
    this.#missing[word] = this.#missing[word]! ^ mask;
    this.#missingBits += missing ? 1 : -1;
  }

  #isMissing(extended: number): boolean {
    const bit = extended & (WINDOW_BITS - 1);
    return (this.#missing[bit >>> 5]! & (1 << (bit & 31))) !== 0;
  }

  #forgetMissing(): void {
    this.#missing.fill(0);
    this.#missingBits = 0;
  }
}
