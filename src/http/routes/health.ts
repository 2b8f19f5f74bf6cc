// For those who watch over the process: is it alive, does it take calls, and its figures.
import { z } from 'zod';
import { ERROR_CATALOGUE } from '../../lib/errors.ts';
import type { Readiness } from '../../recording/admission.ts';
import type { Metrics } from '../metrics.ts';
import type { Server } from '../route-types.ts';
import { problems } from '../schemas.ts';

const readinessAnswer = z.object({
  ready: z.boolean(),
  reasons: z.array(z.object({ code: z.string(), message: z.string() })).describe('Why new calls are refused'),
  gauges: z
    .array(
      z.object({
        name: z.string().describe('Ends with the unit'),
        value: z.number().nullable(),
        refuseAt: z.number().optional(),
        acceptAt: z.number().optional(),
        refusing: z.boolean(),
      }),
    )
    .optional()
    .describe('What is measured for it; only for those with a token'),
});

export function healthRoutes(
  server: Server,
  readiness: () => Readiness,
  metrics: Metrics,
  metricsAccess: 'public' | 'listen',
): void {
  const tags = ['health'];
  server.get(
    '/livez',
    {
      config: { access: 'public' },
      schema: {
        summary: 'The process answers',
        tags,
        security: [],
        response: { 200: z.object({ alive: z.literal(true) }) },
      },
    },
    async () => ({ alive: true as const }),
  );
  server.get(
    '/readyz',
    {
      config: { access: 'public' },
      schema: {
        summary: 'New calls are taken (200) or refused (503)',
        tags,
        security: [],
        response: { 200: readinessAnswer, 503: readinessAnswer },
      },
    },
    async ({ caller }, reply) => {
      const { ready, reasons, gauges } = readiness();
      // The words may name paths and figures: for those whom we know.
      const told = reasons.map(({ code, message }) => ({ code, message: caller ? message : ERROR_CATALOGUE[code] }));
      return reply.status(ready ? 200 : 503).send({ ready, reasons: told, ...(caller && { gauges }) });
    },
  );
  server.get(
    '/metrics',
    {
      config: { access: metricsAccess },
      schema: { summary: 'Figures for Prometheus', tags, response: { 200: z.string(), ...problems } },
    },
    async (_, reply) => {
      const { contentType, text } = await metrics.read();
      // As raw text: the serializer would quote it.
      return reply
        .type(contentType)
        .serializer((plain: unknown) => String(plain))
        .send(text);
    },
  );
}
