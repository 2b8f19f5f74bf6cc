import { z } from 'zod';

const text = z.string().min(1).nullable().default(null);

export const s3 = z.strictObject({
  bucket: text.describe('Bucket of an S3-compatible store that finished recordings are copied into. Null: none.'),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .nullable()
    .default(null)
    .describe("The store's URL, with the bucket in the path. Null: Amazon S3."),
  region: z.string().min(1).default('us-east-1').describe('Its region.'),
  prefix: z
    .string()
    .regex(/^([\w.-]+\/)*$/, 'must be names that each end with /')
    .default('')
    .describe('Before the key of each object, with / at its end.'),
  accessKeyId: text.describe(
    'Credentials; better given as SIPREEL_S3_ACCESS_KEY_ID in the environment. Null: those that the AWS SDK finds.',
  ),
  secretAccessKey: text.describe('Likewise, as SIPREEL_S3_SECRET_ACCESS_KEY.'),
  keepLocalHours: z
    .number()
    .nonnegative()
    .nullable()
    .default(null)
    .describe('Hours after which the local audio and journal go, once their copies are verified. Null: never.'),
});
