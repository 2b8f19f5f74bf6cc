import { z } from 'zod';
import { hostPort, seconds } from './values.ts';

export const drachtio = z.strictObject({
  address: hostPort
    .nullable()
    .default(null)
    .describe('HOST:PORT of an external drachtio server. Null: the embedded SIP server is used.'),
  secret: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Its secret; better given as SIPREEL_DRACHTIO_SECRET in the environment.'),
  patienceSeconds: seconds(3_600)
    .default(30)
    .describe(
      'Seconds that a start waits for it to become reachable. A connection that is lost later is remade for ever.',
    ),
});
