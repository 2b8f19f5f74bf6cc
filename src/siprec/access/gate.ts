// Who may record here: asked once for every new call and every other request outside a dialog, before anything is made
// for it. Requests inside a dialog are known by their tags and not asked again.
//
//   scanner? ──▶ dropped, or 403 where a SIP server stands between
//   source not in the listener's list ──▶ 403
//   INVITE without the right digest, where one is wanted ──▶ 401
//   INVITE beyond the source's limits ──▶ 503
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { LogLimiter } from '../../lib/log-limiter.ts';
import { headerAll, headerValue, type SipHeader } from '../sip-headers.ts';
import { refusalForCode, type SipRefusal } from '../sip-status.ts';
import { Digest } from './digest.ts';
import { type AccessRule, type ListenerAddress, ListenerRules } from './listener-rules.ts';
import { Nonces } from './nonces.ts';
import { scannerTest } from './scanners.ts';
import { type SourceLimit, SourceLimits } from './source-limits.ts';

export interface AccessOptions {
  general: AccessRule;
  listeners: readonly { listener: ListenerAddress; rule: AccessRule }[];
  limit: SourceLimit;
  realm: string;
  users: Readonly<Record<string, string>>;
  nonceLifeMs: number;
  /** Drop requests from sources that are not allowed, where that can be done. */
  silent: boolean;
  scanners: readonly string[];
  clock: Clock;
  log: Log;
}

/** What is known of a request before it means anything. */
export interface Arrival {
  transport: string | null;
  local: { host: string; port: number } | null;
  remote: { host: string };
}

export interface ArrivingRequest extends Arrival {
  method: string;
  headers: readonly SipHeader[];
}

export type Admission = { admitted: true; release(): void } | { admitted: false; refusal: SipRefusal };

/** Counted since the start. */
export interface AccessCounters {
  scanners: number;
  sources: number;
  challenges: number;
  wrongCredentials: number;
  limited: number;
}

const FREE: Admission = { admitted: true, release() {} };

export class AccessGate {
  readonly counters: AccessCounters = { scanners: 0, sources: 0, challenges: 0, wrongCredentials: 0, limited: 0 };
  readonly #rules: ListenerRules;
  readonly #digest: Digest;
  readonly #limits: SourceLimits;
  readonly #isScanner: ReturnType<typeof scannerTest>;
  readonly #silent: boolean;
  readonly #log: Log;
  readonly #limiter: LogLimiter;

  constructor(options: AccessOptions) {
    const { general, listeners, limit, realm, users, nonceLifeMs, clock } = options;
    this.#rules = new ListenerRules(general, listeners);
    this.#digest = new Digest({ realm, users, nonces: new Nonces({ clock, realm, lifeMs: nonceLifeMs }) });
    this.#limits = new SourceLimits(limit, clock);
    this.#isScanner = scannerTest(options.scanners);
    this.#silent = options.silent;
    this.#log = options.log;
    this.#limiter = new LogLimiter(clock);
  }

  /** Judges a request outside a dialog. Only an INVITE is asked for credentials and counted as a call. */
  judge(request: ArrivingRequest): Admission {
    if (this.isScanner(headerValue(request.headers, 'user-agent'), headerValue(request.headers, 'from')))
      return { admitted: false, refusal: { status: 403, reason: 'Forbidden', headers: {} } };
    const rule = this.#rules.for(request.transport, request.local);
    if (!rule.sources.has(request.remote.host)) {
      this.#countSource(request);
      return { admitted: false, refusal: refusalForCode('SOURCE_NOT_ALLOWED') };
    }
    if (request.method !== 'INVITE') return FREE;
    const challenge = rule.digest ? this.#challengeFor(request) : null;
    if (challenge) return { admitted: false, refusal: challenge };
    const verdict = this.#limits.admit(request.remote.host);
    if (verdict.admitted) return verdict;
    this.counters.limited++;
    this.#warn('limited', request, 'a source has reached its limit of calls and gets 503');
    const refusal = refusalForCode('SOURCE_TOO_BUSY');
    return {
      admitted: false,
      refusal: { ...refusal, headers: { ...refusal.headers, 'Retry-After': String(verdict.retryAfterS) } },
    };
  }

  /** For servers that can drop: false if the request, or the connection, is to be passed over in silence. */
  sees(arrival: Arrival): boolean {
    if (!this.#silent || this.#rules.for(arrival.transport, arrival.local).sources.has(arrival.remote.host))
      return true;
    this.#countSource(arrival);
    return false;
  }

  /** Counts it, if so. */
  isScanner(userAgent: string | null, from: string | null): boolean {
    const is = this.#isScanner(userAgent, from);
    if (is) this.counters.scanners++;
    return is;
  }

  #challengeFor(request: ArrivingRequest): SipRefusal | null {
    const verdict = this.#digest.verify(request.method, headerAll(request.headers, 'authorization'));
    if (verdict.right) return null;
    this.counters.challenges++;
    if (verdict.attempted && !verdict.stale) {
      this.counters.wrongCredentials++;
      this.#warn('credentials', request, 'a client has given a wrong name or secret and gets 401');
    }
    const refusal = refusalForCode('CREDENTIALS_NEEDED');
    return {
      ...refusal,
      headers: { ...refusal.headers, 'WWW-Authenticate': this.#digest.challenge(verdict.stale) },
    };
  }

  #countSource(arrival: Arrival): void {
    this.counters.sources++;
    this.#warn(
      'sources',
      arrival,
      this.#silent
        ? 'SIP from an address that is not allowed is dropped: if it is yours, add it to access.sources'
        : 'an address that is not allowed gets 403: if it is yours, add it to access.sources',
    );
  }

  /** At most one line a minute of each kind: an open port is knocked at all day. */
  #warn(kind: 'limited' | 'credentials' | 'sources', { transport, local, remote }: Arrival, message: string): void {
    const more = this.#limiter.pass(kind);
    if (more !== null) this.#log.warn({ source: remote.host, transport, port: local?.port, more }, message);
  }
}
