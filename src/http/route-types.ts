// What fastify is told about our requests and routes.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Access, Caller } from './caller.ts';
import { HttpProblem } from './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Null for somebody whom we do not know. */
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** Who may use the route. A route without it is not taken. */
    access?: Access;
    /** How long a request with all its content may take; absent: as any. */
    bodyLimitMs?: number;
  }
}

/** Schemas of routes are zod's. */
export type Server = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;
export type Reply = FastifyReply;

/** For routes that are not public. */
export function callerOf(request: FastifyRequest): Caller {
  if (!request.caller) throw new HttpProblem(401, 'NOT_LOGGED_IN', 'Log in, or send a token.');
  return request.caller;
}
