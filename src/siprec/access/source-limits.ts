// How many calls one source may have, and how fast it may bring them. What is remembered of sources is bounded.
import type { Clock } from '../../lib/clock.ts';
import { plainAddress } from '../../lib/networks.ts';

export interface SourceLimit {
  /** Running at the same time; null for any number. */
  calls: number | null;
  /** On average; twice as many may come at once. Null for any number. */
  callsPerSecond: number | null;
}

export type LimitVerdict = { admitted: true; release(): void } | { admitted: false; retryAfterS: number };

interface Source {
  running: number;
  tokens: number;
  refilledMs: number;
}

const MAX_SOURCES = 10_000;
/** A call that runs has no known end. */
const RUNNING_RETRY_S = 10;

export class SourceLimits {
  readonly #limit: SourceLimit;
  readonly #clock: Clock;
  /** The one that came last is last. */
  readonly #sources = new Map<string, Source>();

  constructor(limit: SourceLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#sources.size;
  }

  /** Counts a new call. `release` is to be called when it is over; a second time does nothing. */
  admit(host: string): LimitVerdict {
    const { calls, callsPerSecond } = this.#limit;
    if (calls === null && callsPerSecond === null) return { admitted: true, release() {} };
    const source = this.#take(sourceKey(host));
    if (calls !== null && source.running >= calls) return { admitted: false, retryAfterS: RUNNING_RETRY_S };
    if (callsPerSecond !== null) {
      if (source.tokens < 1)
        return { admitted: false, retryAfterS: Math.max(1, Math.ceil((1 - source.tokens) / callsPerSecond)) };
      source.tokens--;
    }
    source.running++;
    let released = false;
    return {
      admitted: true,
      release: () => {
        if (!released) source.running--;
        released = true;
      },
    };
  }

  #take(key: string): Source {
    const nowMs = this.#clock.nowMs();
    const perSecond = this.#limit.callsPerSecond ?? 0;
    const burst = Math.max(1, 2 * perSecond);
    const known = this.#sources.get(key);
    const source = known ?? { running: 0, tokens: burst, refilledMs: nowMs };
    source.tokens = Math.min(burst, source.tokens + ((nowMs - source.refilledMs) * perSecond) / 1000);
    source.refilledMs = nowMs;
    this.#sources.delete(key);
    this.#sources.set(key, source);
    if (this.#sources.size > MAX_SOURCES) this.#forgetOne();
    return source;
  }

  /** The longest silent source without a running call; those with calls are as many as calls can be, no more. */
  #forgetOne(): void {
    for (const [key, { running }] of this.#sources) {
      if (running > 0) continue;
      this.#sources.delete(key);
      return;
    }
  }
}

/** An IPv6 host has as many addresses as it likes in its /64. */
export function sourceKey(host: string): string {
  const address = plainAddress(host);
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail ? tail.split(':') : [];
  const groups =
    tail === undefined ? front : [...front, ...Array(Math.max(0, 8 - front.length - back.length)).fill('0'), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
