// Browsers that have logged in. In memory: a restart of the recorder asks for the login again.
//
//   (none) ──token or login code──▶ open ──logout, idle, too old, token revoked──▶ (none)
import type { Clock } from '../lib/clock.ts';
import { digest, newSecret } from './secrets.ts';

export interface Session {
  /** The token it was opened with; null for the machine's own administrator. */
  tokenName: string | null;
  /** Of that token: one that was revoked and made again under the same name does not keep the session. */
  tokenSha256: string | null;
  csrfToken: string;
  /** Clock.nowMs. */
  openedMs: number;
  seenMs: number;
}

const MAX_SESSIONS = 1_000;

export class Sessions {
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  readonly #maxIdleMs: number;
  /** By the digest of the cookie. Oldest first. */
  readonly #open = new Map<string, Session>();

  constructor(clock: Clock, limits: { maxAgeMs: number; maxIdleMs: number }) {
    this.#clock = clock;
    this.#maxAgeMs = limits.maxAgeMs;
    this.#maxIdleMs = limits.maxIdleMs;
  }

  /** The cookie's value is returned once and not kept. */
  open(token: { name: string; sha256: string } | null): { cookie: string; session: Session } {
    for (const [key, session] of this.#open) if (this.#isOver(session)) this.#open.delete(key);
    const oldest = this.#open.keys().next();
    if (this.#open.size >= MAX_SESSIONS && !oldest.done) this.#open.delete(oldest.value);
    const cookie = newSecret();
    const nowMs = this.#clock.nowMs();
    const session: Session = {
      tokenName: token?.name ?? null,
      tokenSha256: token?.sha256 ?? null,
      csrfToken: newSecret(),
      openedMs: nowMs,
      seenMs: nowMs,
    };
    this.#open.set(digest(cookie), session);
    return { cookie, session };
  }

  find(cookie: string): Session | null {
    const key = digest(cookie);
    const session = this.#open.get(key);
    if (!session) return null;
    if (this.#isOver(session)) {
      this.#open.delete(key);
      return null;
    }
    session.seenMs = this.#clock.nowMs();
    return session;
  }

  close(cookie: string): void {
    this.#open.delete(digest(cookie));
  }

  #isOver({ openedMs, seenMs }: Session): boolean {
    const nowMs = this.#clock.nowMs();
    return nowMs - openedMs >= this.#maxAgeMs || nowMs - seenMs >= this.#maxIdleMs;
  }
}
