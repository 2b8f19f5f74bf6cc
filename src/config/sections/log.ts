import { z } from 'zod';

export const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity that is logged.'),
});
