// Who a request comes from (a bearer token, or the cookie of a session) and whether its route is for them.
import type { FastifyRequest } from 'fastify';
import { type Access, type Caller, LOCAL_CALLER, may } from './caller.ts';
import { hostIsOurs } from './host-check.ts';
import type { LocalAccess } from './local-access.ts';
import { HttpProblem } from './problem.ts';
import { digest, sameDigest } from './secrets.ts';
import type { Sessions } from './sessions.ts';
import type { TokenEntry, TokenStore } from './tokens.ts';

export const CSRF_HEADER = 'x-csrf-token';
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const CHALLENGE = { 'www-authenticate': 'Bearer realm="sipreel"' };

export interface Doormen {
  tokens: TokenStore;
  sessions: Sessions;
  local: LocalAccess;
}

/** The session's cookie. Over https its name makes browsers refuse one that plain http or a sibling domain has set. */
export function cookieName(request: FastifyRequest): string {
  return request.protocol === 'https' ? '__Host-sipreel' : 'sipreel';
}

/** Throws 421 for a host that is not ours. */
export function checkHost(request: FastifyRequest, hosts: readonly string[]): void {
  if (hostIsOurs(request.headers.host, request.socket.localAddress ?? '', hosts)) return;
  throw new HttpProblem(421, 'WRONG_HOST', 'This name is not one of ours: add it to http.hosts if it is to be.');
}

/** Null if nothing valid is shown; what is shown and wrong is the same as nothing. */
export async function identify(request: FastifyRequest, { tokens, sessions, local }: Doormen): Promise<Caller | null> {
  const bearer = tokenShown(request);
  if (bearer !== undefined) {
    if (local.isOurs(bearer)) return LOCAL_CALLER;
    const token = await tokens.verify(bearer);
    return token && callerWith(token, 'token', null);
  }
  const cookie = request.cookies[cookieName(request)];
  const session = cookie === undefined ? null : sessions.find(cookie);
  if (!session) return null;
  if (session.tokenName === null) return { ...LOCAL_CALLER, who: 'page:local', csrfToken: session.csrfToken };
  const token = (await tokens.valid()).find(({ sha256 }) => sha256 === session.tokenSha256);
  return token ? callerWith(token, 'page', session.csrfToken) : null;
}

/** PBXs that know no other way show the token as a password (RFC 7617), under any name, and for imports alone: browsers repeat one by themselves. */
function tokenShown({ headers, routeOptions }: FastifyRequest): string | undefined {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S{1,600})$/i.exec(headers.authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return value.length <= 256 ? value : undefined;
  if (scheme === '' || routeOptions.config.access !== 'import') return undefined;
  return /^[^:]*:(\S{1,256})$/.exec(Buffer.from(value, 'base64').toString('utf8'))?.[1];
}

/** Throws 401 or 403 if the request may not use the route. */
export function authorise(request: FastifyRequest, access: Access): void {
  const { caller } = request;
  if (access !== 'public') {
    if (!caller) throw new HttpProblem(401, 'NOT_LOGGED_IN', 'Log in, or send a token.', CHALLENGE);
    if (!may(caller.role, access)) {
      throw new HttpProblem(403, 'ROLE_TOO_LOW', `This needs the role ${access}; ${caller.name} has ${caller.role}.`);
    }
  }
  if (SAFE_METHODS.has(request.method) || /^Bearer /i.test(request.headers.authorization ?? '')) return;
  // What a browser sends by itself: it must come from our own page, and, once logged in, prove that the page made it.
  if (!originIsOurs(request)) throw new HttpProblem(403, 'FOREIGN_ORIGIN', 'Another site has sent this request.');
  if (access === 'public' || !caller?.csrfToken) return;
  const shown = request.headers[CSRF_HEADER];
  if (typeof shown !== 'string' || !sameDigest(digest(shown), digest(caller.csrfToken))) {
    throw new HttpProblem(
      403,
      'CSRF',
      `Changes from the page need the header ${CSRF_HEADER} with the session's token.`,
    );
  }
}

function originIsOurs({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

function callerWith({ name, role, scope }: TokenEntry, by: 'token' | 'page', csrfToken: string | null): Caller {
  return { who: `${by}:${name}`, name, role, scope, csrfToken };
}
