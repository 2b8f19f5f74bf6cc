import { z } from 'zod';
import { EVENT_TYPES } from '../../delivery/event.ts';
import { webhookKey } from '../../delivery/signature.ts';
import { unknownFields } from '../../delivery/template.ts';

const name = z.string().regex(/^[a-z0-9-]{1,40}$/, 'must be small letters, digits and dashes');
const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' });
const template = (text: z.ZodString) =>
  text.refine((value) => unknownFields(value).length === 0, {
    error: (issue) => `has unknown fields: ${unknownFields(String(issue.input)).join(', ')}`,
  });
const headers = z.record(z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be a header name'), z.string().max(2_000));
const filledHeaders = z.record(
  z.string().regex(/^[A-Za-z0-9-]{1,100}$/, 'must be a header name'),
  template(z.string().max(2_000)),
);
const events = z.array(z.enum(EVENT_TYPES)).min(1);
const timeoutSeconds = z.number().min(1).max(3_600);

const webhook = z.strictObject({
  kind: z.literal('webhook'),
  name,
  url,
  events: events.default([...EVENT_TYPES]),
  /** `whsec_` and base64 of 24 to 64 octets; null: not signed. */
  secret: z
    .string()
    .refine((secret) => webhookKey(secret) !== null, 'must be whsec_ and base64 of 24 to 64 octets')
    .nullable()
    .default(null),
  headers: headers.default({}),
  allowInternal: z.boolean().default(false),
  timeoutSeconds: timeoutSeconds.default(15),
});

const upload = z.strictObject({
  kind: z.literal('upload'),
  name,
  /** May hold fields. */
  url: template(z.string().regex(/^https?:\/\/[^{}/]+\//, 'must be an http or https URL whose host holds no fields')),
  method: z.enum(['PUT', 'POST']).default('PUT'),
  form: z.enum(['raw', 'multipart']).default('raw'),
  fileName: template(z.string().min(1).max(200)).default('{start}_{caller}_{callee}_{id}.wav'),
  headers: filledHeaders.default({}),
  allowInternal: z.boolean().default(false),
  timeoutSeconds: timeoutSeconds.default(60),
});

const command = z.strictObject({
  kind: z.literal('command'),
  name,
  command: z.array(z.string().min(1).max(1_000)).min(1).max(50),
  events: events.default(['recording.finished']),
  timeoutSeconds: timeoutSeconds.default(300),
});

const credential = z.string().min(1).nullable().default(null);

const s3 = z
  .strictObject({
    kind: z.literal('s3'),
    name,
    bucket: z.string().min(1),
    /** Null: Amazon S3. */
    endpoint: url.nullable().default(null),
    region: z.string().min(1).default('us-east-1'),
    /** May hold fields. */
    key: template(z.string().min(1).max(500).regex(/^[^/]/, 'must not begin with /')).default(
      '{year}/{month}/{day}/{start}_{caller}_{callee}_{id}.wav',
    ),
    /** Null, both: those that the AWS SDK finds. */
    accessKeyId: credential,
    secretAccessKey: credential,
    allowInternal: z.boolean().default(false),
  })
  .refine(({ accessKeyId, secretAccessKey }) => (accessKeyId === null) === (secretAccessKey === null), {
    path: ['secretAccessKey'],
    message: 'and accessKeyId are needed together',
  });

export const deliveryTarget = z.discriminatedUnion('kind', [webhook, upload, s3, command]);
export type DeliveryTargetConfig = z.infer<typeof deliveryTarget>;

export const delivery = z.strictObject({
  targets: z
    .array(deliveryTarget)
    .max(50)
    .refine((targets) => new Set(targets.map((target) => target.name)).size === targets.length, 'name a target twice')
    .default([])
    .describe('Who is told of recordings: webhooks, uploads, programs. See "Telling others".'),
  publicUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .nullable()
    .default(null)
    .describe('Under which the HTTP API is reached from outside, for the links in webhooks. Null: links are paths.'),
  giveUpDays: z
    .number()
    .min(0.01)
    .max(60)
    .default(3)
    .describe('Days after which an event that nobody takes is given up.'),
});
