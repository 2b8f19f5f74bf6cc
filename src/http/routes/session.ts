// Logging in from a browser: a token or a login code is exchanged for a cookie that scripts cannot read.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AuditLog } from '../../recording/audit.ts';
import { type Caller, LOCAL_CALLER, ROLES } from '../caller.ts';
import { cookieName, type Doormen } from '../identify.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { problems } from '../schemas.ts';

const LOGINS_PER_MINUTE = 10;

const session = z.object({
  name: z.string(),
  role: z.enum(ROLES),
  scope: z.object({ parties: z.array(z.string()), groups: z.array(z.string()) }).describe('No pattern: everything'),
  csrfToken: z.string().nullable().describe('For the header X-CSRF-Token of every change made with the cookie'),
});
const secret = z.string().min(1).max(256);
const credentials = z.union([z.strictObject({ token: secret }), z.strictObject({ code: secret })]);

export function sessionRoutes(server: Server, doormen: Doormen, audit: AuditLog, sessionMs: number): void {
  const { tokens, sessions, local } = doormen;
  const tags = ['session'];
  const response = { 200: session, ...problems };

  server.post(
    '/api/session',
    {
      config: {
        access: 'public',
        rateLimit: { max: LOGINS_PER_MINUTE, timeWindow: 60_000, keyGenerator: ({ ip }) => `login:${ip}` },
      },
      schema: { summary: 'Log in with a token or a login code', tags, security: [], body: credentials, response },
    },
    async (request, reply) => {
      const opened = await open(request.body);
      if (!opened) {
        await audit.write({ action: 'login-failed', who: 'unknown', from: request.ip });
        throw new HttpProblem(401, 'LOGIN_FAILED', 'This token or link is not, or no longer, valid.');
      }
      const { caller, cookie } = opened;
      await audit.write({ action: 'login', who: caller.who, from: request.ip });
      reply.setCookie(cookieName(request), cookie, { ...cookieOptions(request), maxAge: Math.floor(sessionMs / 1000) });
      return shown(caller);
    },
  );
  server.get(
    '/api/session',
    { config: { access: 'listen' }, schema: { summary: 'Who I am', tags, response } },
    async (request) => shown(callerOf(request)),
  );
  server.delete(
    '/api/session',
    {
      config: { access: 'listen' },
      schema: { summary: 'Log out', tags, response: { 204: z.null().describe('Logged out'), ...problems } },
    },
    async (request, reply) => {
      const cookie = request.cookies[cookieName(request)];
      if (cookie !== undefined) sessions.close(cookie);
      await audit.write({ action: 'logout', who: callerOf(request).who, from: request.ip });
      clearCookie(request, reply);
      return reply.status(204).send(null);
    },
  );
  server.post(
    '/api/login-codes',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'A code that opens one session',
        description: "For this machine's command line only.",
        tags,
        response: { 200: z.object({ code: z.string() }), ...problems },
      },
    },
    async (request) => {
      if (callerOf(request) !== LOCAL_CALLER) {
        throw new HttpProblem(403, 'LOCAL_ONLY', "Only this machine's own command line may make login codes.");
      }
      return { code: local.newCode() };
    },
  );

  async function open(given: z.infer<typeof credentials>): Promise<{ caller: Caller; cookie: string } | null> {
    if ('code' in given) {
      if (!local.redeem(given.code)) return null;
      const {
        cookie,
        session: { csrfToken },
      } = sessions.open(null);
      return { caller: { ...LOCAL_CALLER, who: 'page:local', csrfToken }, cookie };
    }
    const token = await tokens.verify(given.token);
    if (!token) return null;
    const {
      cookie,
      session: { csrfToken },
    } = sessions.open(token);
    const { name, role, scope } = token;
    return { caller: { who: `page:${name}`, name, role, scope, csrfToken }, cookie };
  }
}

function cookieOptions(request: FastifyRequest) {
  return { path: '/', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' } as const;
}

function clearCookie(request: FastifyRequest, reply: FastifyReply): void {
  reply.clearCookie(cookieName(request), cookieOptions(request));
}

function shown({ name, role, scope, csrfToken }: Caller): z.infer<typeof session> {
  return { name, role, scope: { parties: [...scope.parties], groups: [...scope.groups] }, csrfToken };
}
