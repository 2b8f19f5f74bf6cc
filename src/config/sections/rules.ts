// Which calls are recorded. The rules are judged in recording/rules.ts.
import { z } from 'zod';
import { unknownNameFields } from '../../archive/names.ts';
import { parseNetwork } from '../../lib/networks.ts';

const MAX_RULES = 1_000;
const MAX_PATTERNS = 1_000;

const text = z.string().trim().min(1).max(1_024);
/** One, or a list of which one has to fit. */
const oneOrMore = <Value extends z.ZodType<string>>(value: Value) =>
  z.preprocess(
    (given) => (Array.isArray(given) || given === undefined ? given : [given]),
    z.array(value).min(1).max(MAX_PATTERNS),
  );

/** YAML reads a bare number as one. */
const pattern = z.preprocess((given) => (typeof given === 'number' ? String(given) : given), text);
const network = text.refine(
  (value) => parseNetwork(value) !== null,
  'must be an IP address or a network like 10.0.0.0/8',
);
const header = z.strictObject({ name: text, value: pattern.default('*') });

const nameTemplate = text.refine((value) => unknownNameFields(value).length === 0, {
  error: (issue) => `has unknown fields: ${unknownNameFields(String(issue.input)).join(', ')}`,
});

const conditions = z.strictObject({
  caller: oneOrMore(pattern).optional(),
  callee: oneOrMore(pattern).optional(),
  participant: oneOrMore(pattern).optional(),
  group: oneOrMore(pattern).optional(),
  header: z
    .preprocess(
      (given) => (Array.isArray(given) || given === undefined ? given : [given]),
      z.array(header).min(1).max(32),
    )
    .optional(),
  source: z.enum(['siprec', 'oreka']).optional(),
  peer: oneOrMore(network).optional(),
  direction: z.enum(['inbound', 'outbound', 'internal']).optional(),
  preference: z.enum(['on', 'off', 'pause', 'nopreference']).optional(),
});

/** 401 and 407 would have the client come back with credentials, 422 with another session timer. */
const ASKING_AGAIN = new Set([401, 407, 422, 491, 494]);

const rule = z
  .strictObject({
    when: conditions.prefault({}),
    do: z.enum(['record', 'decline', 'discard']),
    status: z
      .number()
      .int()
      .min(400)
      .max(699)
      .refine((status) => !ASKING_AGAIN.has(status), 'would have the client ask again')
      .nullable()
      .default(null),
    keepDays: z.number().int().min(1).max(36_500).nullable().default(null),
    name: nameTemplate.nullable().default(null),
    tags: z.array(z.string().trim().min(1).max(64)).max(32).default([]),
    because: z.string().trim().min(1).max(200).nullable().default(null),
  })
  .superRefine((given, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (given.do !== 'decline' && given.status !== null) refuse('status', `has no meaning with ${given.do}`);
    if (given.do === 'record') return;
    for (const setting of ['keepDays', 'name'] as const)
      if (given[setting] !== null) refuse(setting, `has no meaning with ${given.do}`);
    if (given.tags.length > 0) refuse('tags', `has no meaning with ${given.do}`);
  })
  .transform((given) => (given.do === 'decline' ? { ...given, status: given.status ?? 603 } : given));

export const rules = z
  .strictObject({
    ours: z
      .array(pattern)
      .max(MAX_PATTERNS)
      .prefault([])
      .describe(
        'Patterns for the addresses of our own people (`1*`, `*@example.com`): they tell inbound from outbound.',
      ),
    list: z
      .array(rule)
      .max(MAX_RULES)
      .prefault([])
      .describe('Which calls are recorded, the first rule that fits decides; see Rules. Without any, all are.'),
  })
  .superRefine(({ ours, list }, context) => {
    for (const [index, { when }] of list.entries()) {
      const refuse = (path: string[], message: string) =>
        context.addIssue({ code: 'custom', path: ['list', index, ...path], message });
      if (Object.keys(when).length === 0 && index < list.length - 1)
        refuse(['when'], 'has no condition and fits every call: the rules after it would never be reached');
      if (when.direction !== undefined && ours.length === 0)
        refuse(['when', 'direction'], 'cannot be told without rules.ours');
    }
  });
