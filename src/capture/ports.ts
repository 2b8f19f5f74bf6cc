// Which port pairs are free: even RTP port and the odd RTCP port above it (RFC 3550 §11), round robin, with a rest after use.
import type { Clock } from '../lib/clock.ts';

export interface PortRange {
  first: number;
  last: number;
}

export interface PortPoolOptions {
  range: PortRange;
  /** How long a released pair stays out of use. */
  restMs: number;
  clock: Clock;
  /** Where in the range to begin, 0 ≤ x < 1; so that two recorders on one machine do not meet at every pair. */
  random?: () => number;
}

type PairState = typeof FREE | typeof USED | typeof RESTING;
const FREE = 0;
const USED = 1;
const RESTING = 2;

/**
 *   free ──take, reserve──▶ used ──release──▶ resting ──restMs──▶ free
 *                            └────giveBack (has rested elsewhere)──▲
 *
 * The pair that has been free longest is taken first. Taking and releasing cost the same however many are in use.
 */
export class PortPool {
  readonly #clock: Clock;
  readonly #restMs: number;
  readonly #firstRtpPort: number;
  readonly #states: Uint8Array;
  /** Whether a pair stands in #free; it may stand there after it was reserved, and is passed over then. */
  readonly #queued: Uint8Array;
  readonly #free: IndexQueue;
  readonly #resting: IndexQueue;
  readonly #restingUntilMs: Float64Array;
  #used = 0;

  constructor({ range, restMs, clock, random = Math.random }: PortPoolOptions) {
    this.#clock = clock;
    this.#restMs = restMs;
    this.#firstRtpPort = range.first + (range.first % 2);
    const pairs = Math.max(0, Math.floor((Math.min(range.last, 65_535) - this.#firstRtpPort + 1) / 2));
    this.#states = new Uint8Array(pairs);
    this.#queued = new Uint8Array(pairs);
    this.#restingUntilMs = new Float64Array(pairs);
    this.#free = new IndexQueue(pairs);
    this.#resting = new IndexQueue(pairs);
    const begin = Math.floor(random() * pairs);
    for (let i = 0; i < pairs; i++) this.#enqueue((begin + i) % pairs);
  }

  get pairs(): number {
    return this.#states.length;
  }

  get used(): number {
    return this.#used;
  }

  /** Pairs that cannot be taken yet because they rest. */
  get resting(): number {
    this.#endRests();
    return this.#resting.length;
  }

  /** @returns an even RTP port, null if none is free. */
  take(): number | null {
    this.#endRests();
    while (this.#free.length > 0) {
      const pair = this.#free.shift();
      this.#queued[pair] = 0;
      if (this.#states[pair] === FREE) return this.#use(pair);
    }
    return null;
  }

  /** Takes a certain pair, for a call that goes on after a restart. False if it is not free or not ours. */
  reserve(rtpPort: number): boolean {
    this.#endRests();
    const pair = this.#pairOf(rtpPort);
    if (pair < 0 || this.#states[pair] !== FREE) return false;
    this.#use(pair);
    return true;
  }

  /** The pair rests before it is taken again. */
  release(rtpPort: number): void {
    const pair = this.#leaveUse(rtpPort, RESTING);
    if (pair < 0) return;
    this.#restingUntilMs[pair] = this.#clock.nowMs() + this.#restMs;
    this.#resting.push(pair);
  }

  /** The pair's sockets have rested already, or were never open: it goes to the end of the queue at once. */
  giveBack(rtpPort: number): void {
    const pair = this.#leaveUse(rtpPort, FREE);
    if (pair >= 0) this.#enqueue(pair);
  }

  #use(pair: number): number {
    this.#states[pair] = USED;
    this.#used++;
    return this.#firstRtpPort + pair * 2;
  }

  #leaveUse(rtpPort: number, state: PairState): number {
    const pair = this.#pairOf(rtpPort);
    if (pair < 0 || this.#states[pair] !== USED) return -1;
    this.#states[pair] = state;
    this.#used--;
    return pair;
  }

  #pairOf(rtpPort: number): number {
    const pair = (rtpPort - this.#firstRtpPort) / 2;
    return Number.isInteger(pair) && pair >= 0 && pair < this.#states.length ? pair : -1;
  }

  #enqueue(pair: number): void {
    if (this.#queued[pair] === 1) return;
    this.#queued[pair] = 1;
    this.#free.push(pair);
  }

  // All rest equally long, so the queue is in order of time.
  #endRests(): void {
    const nowMs = this.#clock.nowMs();
    while (this.#resting.length > 0 && this.#restingUntilMs[this.#resting.first]! <= nowMs) {
      const pair = this.#resting.shift();
      this.#states[pair] = FREE;
      this.#enqueue(pair);
    }
  }
}

/** A queue of at most `capacity` numbers in a ring. */
class IndexQueue {
  readonly #ring: Int32Array;
  #head = 0;
  length = 0;

  constructor(capacity: number) {
    this.#ring = new Int32Array(capacity);
  }

  get first(): number {
    return this.#ring[this.#head]!;
  }

  push(index: number): void {
    this.#ring[(this.#head + this.length) % this.#ring.length] = index;
    this.length++;
  }

  shift(): number {
    const index = this.first;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.length--;
    return index;
  }
}
