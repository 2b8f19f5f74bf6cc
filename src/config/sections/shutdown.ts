import { z } from 'zod';
import { seconds } from './values.ts';

export const shutdown = z.strictObject({
  drainSeconds: seconds(86_400)
    .default(30)
    .describe('Seconds that SIGTERM waits for running calls before it ends their recordings.'),
  finishSeconds: seconds(3_600)
    .default(20)
    .describe('Seconds for rendering what is left; the rest is done at the next start.'),
});
