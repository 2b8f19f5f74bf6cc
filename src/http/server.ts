// The fastify instance: every request goes through host check, identification, rate limit and authorisation, in this order.
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyRequest, type RouteOptions } from 'fastify';
import { jsonSchemaTransform, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { BodyDeadlines } from './body-deadlines.ts';
import type { Access } from './caller.ts';
import { authorise, checkHost, type Doormen, identify } from './identify.ts';
import type { HttpParts } from './parts.ts';
import { HttpProblem, PROBLEM_TYPE, problemOf } from './problem.ts';
import type { Server } from './route-types.ts';
import { VERSION } from './version.ts';

export interface RouteEntry {
  method: string;
  url: string;
  access: Access;
}

const MAX_BODY_OCTETS = 64 << 10;

/** In place of Fastify's own compilers of schemas, which would be loaded although ours are set: a good part of a start. */
const notAsked = (): never => {
  throw new Error('the compilers of schemas are set');
};

/** Without routes of its own; `routes` fills up as they are added. */
export async function createServer(
  parts: HttpParts,
  doormen: Doormen,
): Promise<{ server: Server; routes: RouteEntry[] }> {
  const { settings, log } = parts;
  const server = fastify({
    logger: false,
    bodyLimit: MAX_BODY_OCTETS,
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    // Closing is the listeners' business: they know their connections.
    forceCloseConnections: false,
    return503OnClosing: true,
    routerOptions: { maxParamLength: 128, ignoreTrailingSlash: false },
    schemaController: { compilersFactory: { buildValidator: notAsked, buildSerializer: notAsked } },
  }).withTypeProvider<ZodTypeProvider>();

  server.setValidatorCompiler(validatorCompiler);
  // Response schemas describe; they do not judge what is stored already.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  // Nothing but JSON is read, so that no form of another site can be.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'string' }, server.getDefaultJsonParser('error', 'error'));

  server.setErrorHandler((error, request, reply) => {
    const { problem, headers } = problemOf(error);
    if (problem.status >= 500)
      log.error({ err: error, method: request.method, route: request.routeOptions.url }, 'request failed');
    return reply.status(problem.status).headers(headers).type(PROBLEM_TYPE).send(JSON.stringify(problem));
  });

  server.decorateRequest('caller', null);
  const deadlines = new BodyDeadlines();
  const routes = listRoutes(server);
  await server.register(cookie);
  await server.register(helmet, securityHeaders);
  server.addHook('onRequest', async (request, reply) => {
    deadlines.begin(request.raw);
    // Recordings are nobody's business but the asker's; pages and scripts say otherwise where it is safe.
    reply.header('cache-control', 'no-store');
    checkHost(request, settings.hosts);
    request.caller = await identify(request, doormen);
  });
  await server.register(rateLimit, {
    max: settings.requestsPerMinute,
    timeWindow: 60_000,
    cache: 10_000,
    keyGenerator: rateKey,
    errorResponseBuilder: (_, { after }) => new HttpProblem(429, 'TOO_MANY_REQUESTS', `Try again in ${after}.`),
  });
  server.addHook('preParsing', async (request) => {
    const { access = 'admin', bodyLimitMs } = request.routeOptions.config;
    authorise(request, request.is404 ? 'public' : access);
    if (bodyLimitMs !== undefined) deadlines.set(request.raw, bodyLimitMs);
  });
  server.addHook('onResponse', async (request) => deadlines.begin(request.raw));
  server.setNotFoundHandler({ preHandler: server.rateLimit() }, async () => {
    throw new HttpProblem(404, 'NO_SUCH_ROUTE', 'There is nothing at this address: /api/docs shows what there is.');
  });

  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'sipreel', version: VERSION, description: 'Recorded calls: found, played, kept and let go.' },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'Made by `sipreel token create`.' },
          session: { type: 'apiKey', in: 'cookie', name: 'sipreel', description: 'Set by POST /api/session.' },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await server.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
      route.schema = { ...route.schema, hide: true };
    });
    await docs.register(swaggerUi, { routePrefix: '/api/docs' });
  });
  return { server, routes };
}

/** Filled when the server is ready. A route that does not say for whom it is, is a mistake that must not start. */
function listRoutes(server: Server): RouteEntry[] {
  const routes: RouteEntry[] = [];
  const registered: RouteOptions[] = [];
  server.addHook('onRoute', (options) => {
    registered.push(options);
  });
  server.addHook('onReady', async () => {
    for (const { method, url, config } of registered) {
      const access = config?.access;
      if (access === undefined) throw new Error(`${method} ${url} does not say who may use it`);
      for (const one of [method].flat()) routes.push({ method: one, url, access });
    }
  });
  return routes;
}

function rateKey(request: FastifyRequest): string {
  return request.caller?.who ?? `address:${request.ip}`;
}

const securityHeaders = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'"],
      mediaSrc: ["'self'", 'blob:'],
      connectSrc: ["'self'"],
      manifestSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  // The proxy that speaks https says it, if there is one.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' as const },
  xFrameOptions: { action: 'deny' as const },
};
