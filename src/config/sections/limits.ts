import { z } from 'zod';
import { seconds } from './values.ts';

export const limits = z.strictObject({
  recordings: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(3_000)
    .describe('Recordings at the same time; more are refused with 503.'),
  inactivitySeconds: seconds(86_400)
    .min(1)
    .default(300)
    .describe('Seconds without media and signalling after which a recording ends as abandoned.'),
  holdInactivitySeconds: seconds(604_800)
    .min(1)
    .default(7_200)
    .describe('The same while every stream of the call is on hold.'),
  maxDurationSeconds: seconds(604_800).min(1).default(43_200).describe('Longest recording in seconds.'),
});
