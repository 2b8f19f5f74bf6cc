// Recording sessions that we begin.
import { z } from 'zod';

export const outgoing = z.strictObject({
  clients: z
    .array(
      z.string().regex(/^[\w.:-]+(\/\d{1,3})?$/, 'must be an IP address, a network like 10.0.0.0/8 or a host name'),
    )
    .max(1_000)
    .default([])
    .describe(
      'Recording clients that `POST /api/record` may call: addresses, networks, host names as they stand in the URI. `sipreel record` on this machine may call any.',
    ),
});
