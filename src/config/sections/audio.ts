import { z } from 'zod';
import { COPY_FORMATS } from '../../recording/audio-format.ts';

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
  formats: z
    .array(z.enum(COPY_FORMATS))
    .refine((formats) => new Set(formats).size === formats.length, 'names a format twice')
    .default([])
    .describe('Copies beside audio.wav, made by ffmpeg after the recording is filed: flac, opus, mp3.'),
  renderers: z.number().int().min(1).max(64).default(1).describe('Recordings rendered at the same time.'),
});
