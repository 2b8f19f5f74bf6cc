// Nonces that need no memory until somebody has answered one rightly, and the defence against replays (RFC 7616 §3.3, §5.4).
//
//   <ms since 1970, base 36>.<random>.<HMAC over both and the realm>
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';

export interface NonceOptions {
  clock: Clock;
  realm: string;
  lifeMs: number;
}

/** `fresh`: may be used with this count. `stale`: was made here or not, but must be replaced; also for a count that was used. */
export type NonceVerdict = 'fresh' | 'stale';

interface Use {
  madeMs: number;
  highest: number;
  /** Bit n: the count `highest - n` has been used. Requests of one client may overtake each other. */
  window: number;
}

const MAX_USED = 10_000;
const WINDOW = 31;
const MAC_OCTETS = 16;

export class Nonces {
  readonly #options: NonceOptions;
  /** Gone with the process: clients are told `stale` after a restart and try again by themselves. */
  readonly #secret = randomBytes(32);
  /** Oldest use first. */
  readonly #used = new Map<string, Use>();
  /** Nonces from before have been forgotten, and count as used up. */
  #forgottenMs = Number.NEGATIVE_INFINITY;

  constructor(options: NonceOptions) {
    this.#options = options;
  }

  /** Nonces that have been used and are remembered. */
  get size(): number {
    return this.#used.size;
  }

  create(): string {
    const stem = `${Math.floor(this.#options.clock.nowMs()).toString(36)}.${randomBytes(9).toString('base64url')}`;
    return `${stem}.${this.#mac(stem)}`;
  }

  /** Only to be asked when the response that came with it is right: nobody else may fill the memory. */
  use(nonce: string, count: number): NonceVerdict {
    const madeMs = this.#madeMs(nonce);
    const nowMs = this.#options.clock.nowMs();
    if (madeMs === null || nowMs - madeMs > this.#options.lifeMs || madeMs <= this.#forgottenMs) return 'stale';
    const use = this.#used.get(nonce);
    if (use) return advance(use, count) ? 'fresh' : 'stale';
    this.#makeRoom(nowMs);
    this.#used.set(nonce, { madeMs, highest: count, window: 1 });
    return 'fresh';
  }

  /** Null if it was not made here. */
  #madeMs(nonce: string): number | null {
    const [time = '', random = '', mac = '', ...rest] = nonce.split('.');
    if (rest.length > 0 || !/^[0-9a-z]{1,12}$/.test(time)) return null;
    const wanted = Buffer.from(this.#mac(`${time}.${random}`));
    const given = Buffer.from(mac);
    return given.length === wanted.length && timingSafeEqual(given, wanted) ? Number.parseInt(time, 36) : null;
  }

  #mac(stem: string): string {
    const mac = createHmac('sha256', this.#secret).update(`${stem}:${this.#options.realm}`).digest();
    return mac.subarray(0, MAC_OCTETS).toString('base64url');
  }

  #makeRoom(nowMs: number): void {
    if (this.#used.size < MAX_USED) return;
    for (const [nonce, { madeMs }] of this.#used) {
      if (this.#used.size < MAX_USED && nowMs - madeMs <= this.#options.lifeMs) return;
      this.#used.delete(nonce);
      if (nowMs - madeMs <= this.#options.lifeMs) this.#forgottenMs = Math.max(this.#forgottenMs, madeMs);
    }
  }
}

/** False if the count was used before, or is too old to know. */
function advance(use: Use, count: number): boolean {
  const ahead = count - use.highest;
  if (ahead > 0) {
    use.window = ahead >= WINDOW ? 1 : ((use.window << ahead) | 1) & 0x7fffffff;
    use.highest = count;
    return true;
  }
  const bit = 1 << -ahead;
  if (-ahead >= WINDOW || use.window & bit) return false;
  use.window |= bit;
  return true;
}
