import { z } from 'zod';

export const index = z.strictObject({
  postgres: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'must be a URL like postgres://user@host/database')
    .nullable()
    .default(null)
    .describe(
      'PostgreSQL for the index of several recorders; better given as SIPREEL_INDEX_POSTGRES in the environment. Null: SQLite in the data directory.',
    ),
  recorder: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'must be letters, digits, dots, dashes and underscores')
    .nullable()
    .default(null)
    .describe("This recorder's name among those that share the index. Null: the machine's name."),
});
