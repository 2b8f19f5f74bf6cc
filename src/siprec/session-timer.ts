// Session timers (RFC 4028), as the server of the INVITE: a client that asks for one is told who refreshes, and a client
// that has vanished is noticed. Nobody gets a timer who did not ask.
//
//            ┌──INVITE or UPDATE of the client, without Session-Expires────────────────┐
//   off ─────┤                                                                         ├──▶ off
//            └──with Session-Expires──▶ watching    the client refreshes               │
//                                   └─▶ refreshing  we do, at half the interval ───────┘
//
//   watching, refreshing ──no refresh a third (at most 32 s) before the end, or 408, 481 to ours──▶ expired
import type { Clock } from '../lib/clock.ts';
import { Timers } from '../lib/timers.ts';
import { headerList, headerValue, readSipHeaders, type SipHeader } from './sip-headers.ts';
import { refusalForCode, type SipRefusal } from './sip-status.ts';
import type { InDialogResult } from './srf.ts';

/** Plain data, from which a timer can go on after a restart. */
export interface SessionTimerState {
  intervalS: number;
  refresher: 'client' | 'us';
  /** How we refresh: UPDATE without body where the client takes it, else a re-INVITE with our last SDP. */
  method: 'UPDATE' | 'INVITE';
}

export interface SessionTimerParts {
  clock: Clock;
  /** Sends a request inside the dialog. */
  refresh(method: 'UPDATE' | 'INVITE', headers: Record<string, string>): Promise<InDialogResult>;
  /** The client is gone. Called once. */
  onExpired(why: string): void;
}

/** RFC 4028 §4: the least that may be asked of anybody. */
const MIN_INTERVAL_S = 90;
/** Longer ones are cut to a day: a timer that fires next month notices nothing. */
const MAX_INTERVAL_S = 86_400;
/** §10: the BYE leaves so long before the end, or a third of the interval if that is less. */
const EARLY_S = 32;
const RETRY_MS = 2_000;

/** 422 for an INVITE that wants to be refreshed more often than we allow; null if it may be answered (§9). */
export function refuseInterval(headers: readonly SipHeader[]): SipRefusal | null {
  const asked = intervalOf(headers);
  if (asked === null || asked.seconds >= MIN_INTERVAL_S || !supportsTimer(headers)) return null;
  const refusal = refusalForCode('SESSION_INTERVAL_TOO_SMALL');
  return { ...refusal, headers: { ...refusal.headers, 'Min-SE': String(MIN_INTERVAL_S) } };
}

export class SessionTimer {
  readonly #parts: SessionTimerParts;
  readonly #timers: Timers<'refresh' | 'expiry'>;
  #state: SessionTimerState | null = null;

  constructor(parts: SessionTimerParts) {
    this.#parts = parts;
    this.#timers = new Timers(parts.clock);
  }

  get state(): SessionTimerState | null {
    return this.#state && { ...this.#state };
  }

  /** Goes on after a restart, with a whole interval: nobody knows when the last refresh was. */
  restore(state: SessionTimerState | null): void {
    this.#state = state && { ...state };
    this.#run();
  }

  /** Takes up what an INVITE or UPDATE says, and returns the headers that its 2xx needs (§9). */
  answer(headers: readonly SipHeader[]): Record<string, string> {
    const asked = intervalOf(headers);
    if (asked === null || asked.seconds === 0) {
      this.stop();
      return {};
    }
    const supported = supportsTimer(headers);
    // A proxy may have asked for a client that knows nothing of timers; then nobody but us can refresh.
    const refresher = supported && asked.refresher !== 'uas' ? 'client' : 'us';
    const least = Number(/^\d{1,9}/.exec(headerValue(headers, 'min-se') ?? '')?.[0] ?? MIN_INTERVAL_S);
    const intervalS = Math.min(asked.seconds, Math.max(MAX_INTERVAL_S, least));
    const takesUpdate = headerList(headers, 'allow').some((method) => method.toUpperCase() === 'UPDATE');
    this.#state = { intervalS, refresher, method: takesUpdate ? 'UPDATE' : 'INVITE' };
    this.#run();
    return {
      'Session-Expires': `${intervalS};refresher=${refresher === 'client' ? 'uac' : 'uas'}`,
      ...(refresher === 'client' ? { Require: 'timer' } : {}),
    };
  }

  stop(): void {
    this.#state = null;
    this.#timers.clearAll();
  }

  #run(): void {
    this.#timers.clearAll();
    if (!this.#state) return;
    const { intervalS, refresher } = this.#state;
    const graceS = Math.min(EARLY_S, intervalS / 3);
    this.#timers.set('expiry', (intervalS - graceS) * 1000, () =>
      this.#expire(refresher === 'client' ? 'the client has not refreshed the session' : 'our refreshes had no answer'),
    );
    if (refresher === 'us') this.#timers.set('refresh', (intervalS * 1000) / 2, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    const before = this.#state;
    if (!before) return;
    // In our own request it is us who are the client.
    const headers = {
      'Session-Expires': `${before.intervalS};refresher=uac`,
      ...(before.intervalS < MIN_INTERVAL_S ? {} : { 'Min-SE': String(MIN_INTERVAL_S) }),
    };
    const { status, receivedRaw } = await this.#parts.refresh(before.method, headers);
    // Stopped, or refreshed by the client meanwhile.
    if (this.#state !== before) return;
    const answer = readSipHeaders(receivedRaw ?? '');
    if (status >= 200 && status < 300) this.#refreshed(before, intervalOf(answer));
    else if (status === 408 || status === 481) this.#expire(`${status} to our refresh`);
    else if ((status === 405 || status === 501) && before.method === 'UPDATE')
      this.#again({ ...before, method: 'INVITE' });
    else if (status === 422) this.#again({ ...before, intervalS: Math.max(before.intervalS, leastOf(answer)) });
    // Any other answer shows that somebody is there: the interval begins anew, without what the client refuses.
    else if (status >= 300 && status !== 491) this.#run();
    else this.#timers.set('refresh', RETRY_MS, () => void this.#refresh());
  }

  /** The 2xx may cut the interval, or hand the refreshing to the client (§7.2). */
  #refreshed(before: SessionTimerState, agreed: ReturnType<typeof intervalOf>): void {
    const intervalS = agreed && agreed.seconds > 0 ? Math.min(before.intervalS, agreed.seconds) : before.intervalS;
    this.#state = { ...before, intervalS, refresher: agreed?.refresher === 'uas' ? 'client' : 'us' };
    this.#run();
  }

  /** Our expiry stands until a refresh has been taken. */
  #again(state: SessionTimerState): void {
    this.#state = state;
    this.#timers.set('refresh', 0, () => void this.#refresh());
  }

  #expire(why: string): void {
    this.stop();
    this.#parts.onExpired(why);
  }
}

/** Null without a Session-Expires that can be read. */
function intervalOf(headers: readonly SipHeader[]): { seconds: number; refresher: 'uac' | 'uas' | null } | null {
  const match = /^(\d{1,9})\s*(?:;|$)/.exec(headerValue(headers, 'session-expires') ?? '');
  if (!match) return null;
  const refresher = /;\s*refresher\s*=\s*"?(uac|uas)\b/i.exec(match.input)?.[1]?.toLowerCase();
  return { seconds: Number(match[1]), refresher: refresher === 'uac' || refresher === 'uas' ? refresher : null };
}

function leastOf(headers: readonly SipHeader[]): number {
  return Number(/^\d{1,9}/.exec(headerValue(headers, 'min-se') ?? '')?.[0] ?? 0);
}

function supportsTimer(headers: readonly SipHeader[]): boolean {
  return [...headerList(headers, 'supported'), ...headerList(headers, 'require')].some(
    (tag) => tag.toLowerCase() === 'timer',
  );
}
