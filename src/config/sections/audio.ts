import { z } from 'zod';

export const audio = z.strictObject({
  layout: z
    .enum(['stereo', 'per-party'])
    .default('stereo')
    .describe('stereo: caller left, everybody else right. per-party: a channel for each party.'),
  sampleRateHz: z
    .number()
    .int()
    .min(8_000)
    .max(48_000)
    .nullable()
    .default(null)
    .describe("Sample rate of the WAV. Null: the highest rate among the call's streams."),
  renderers: z.number().int().min(1).max(64).default(1).describe('Recordings rendered at the same time.'),
});
