// The shapes of requests and answers that several routes share. OpenAPI is made from them.
import { z } from 'zod';
import { recordingDocument } from '../recording/document.ts';
import type { Annotations } from '../recording/library.ts';
import { MAX_PAGE, type RecordingQuery } from '../recording/library.ts';
import type { RecordingScope } from '../recording/scope.ts';
import { HttpProblem } from './problem.ts';

const text = z.string().min(1).max(200);
const moment = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()])
  .describe('ISO 8601: a moment with its zone, or a day (UTC)');
const flag = z.enum(['true', 'false']);

export const searchQuery = z.strictObject({
  text: z
    .string()
    .max(200)
    .optional()
    .describe('Words, all of which are in names, addresses, group, notes or tags, or are whole identifiers'),
  number: text.optional().describe("A party's whole number, however it is written, user part or address"),
  party: text.optional().describe("Part of a party's address or name"),
  from: moment.optional().describe('Started then or later'),
  to: moment.optional().describe('Started before that'),
  minDurationMs: z.coerce.number().min(0).optional(),
  maxDurationMs: z.coerce.number().min(0).optional(),
  state: recordingDocument.shape.state.optional(),
  source: recordingDocument.shape.source.optional(),
  callId: text.optional().describe('SIP Call-ID, communication session id or sipSessionID, whole'),
  group: text.optional().describe('Group id, whole'),
  tag: text.optional(),
  header: z
    .string()
    .max(400)
    .regex(/^[^:]+:./, 'must be NAME:VALUE')
    .optional()
    .describe('NAME:VALUE, a header field of the call'),
  minLossPercent: z.coerce.number().min(0).max(100).optional().describe('Packets lost, of the worst stream'),
  silentSide: flag.optional().describe('One side was heard and another was not'),
  held: flag.optional().describe('On legal hold'),
});

export const pageQuery = searchQuery.extend({
  limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  after: z.string().max(400).optional().describe('`next` of the page before'),
});

export function readQuery(asked: z.infer<typeof searchQuery>, scope: RecordingScope): RecordingQuery {
  const { from, to, header, silentSide, held, ...others } = asked;
  const query: RecordingQuery = { ...definedOf(others), scope };
  if (from !== undefined) query.fromMs = Date.parse(from);
  if (to !== undefined) query.toMs = Date.parse(to);
  if (silentSide !== undefined) query.silentSide = silentSide === 'true';
  if (held !== undefined) query.held = held === 'true';
  if (header !== undefined) {
    const colon = header.indexOf(':');
    query.header = { name: header.slice(0, colon).trim(), value: header.slice(colon + 1).trim() };
  }
  if (Object.values(query).some((value) => typeof value === 'string' && value.includes('\0'))) {
    throw new HttpProblem(400, 'INVALID_REQUEST', 'There is a NUL in the question.');
  }
  return query;
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function definedOf<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** Any text: what is no id of a recording is answered with 404, not explained. */
export const idParams = z.object({ id: z.string().describe('Id of the recording') });

export const annotations = z.object({
  tags: z.array(z.string()),
  notes: z.array(z.object({ noteId: z.string(), text: z.string(), by: z.string(), atMs: z.number() })),
  hold: z.object({ reason: z.string().nullable(), by: z.string(), sinceMs: z.number() }).nullable(),
}) satisfies z.ZodType<Annotations>;

export const recordingSummary = recordingDocument
  .pick({
    id: true,
    source: true,
    state: true,
    endReason: true,
    times: true,
    call: true,
    participants: true,
    audio: true,
  })
  .extend({
    lossPercent: z.number().describe('Packets lost, of the worst stream'),
    silentSide: z.boolean(),
    warnings: z.number().int().describe('How many'),
    octets: z.number().int().describe('Of all files'),
    tags: z.array(z.string()),
    held: z.boolean(),
  });

export const problemDetails = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string().describe('What to do, in words'),
  code: z.string().describe('For programs'),
  errors: z.array(z.object({ where: z.string(), message: z.string() })).optional(),
});

/** For `schema.response`: what can go wrong everywhere. */
export const problems = {
  '4XX': problemDetails.describe('application/problem+json (RFC 9457)'),
  '5XX': problemDetails,
};
