// recording.json: the contract with the outside. Versioned; the JSON Schema is generated from here.
import { z } from 'zod';

export const RECORDING_DOCUMENT_VERSION = 1;

const time = z.iso.datetime({ precision: 3 }).describe('ISO 8601, UTC, milliseconds');
const count = z.number().int().nonnegative();
const offsetMs = z.number().describe('Offset in the audio in ms; negative if it happened before the first sample');

const participant = z.object({
  id: z.string(),
  aor: z.string().nullable(),
  name: z.string().nullable(),
  role: z.enum(['caller', 'callee', 'other']),
  channel: z.number().int().nonnegative().nullable().describe('0 is left; null if this party sends no stream'),
  rule: z.string().describe('Why this role and channel: the rule that decided'),
  vendor: z.record(z.string(), z.string()).optional().describe('Extension data of the metadata about this party'),
});

const stream = z.object({
  id: z.string(),
  label: z.string().nullable(),
  participantId: z.string().nullable(),
  channel: z.number().int().nonnegative(),
  rule: z.string().describe('Why this participant: the rule that decided'),
  session: z.number().int().positive().optional().describe('Which of the sessions brings it, from 1'),
  senders: z
    .array(z.object({ participantId: z.string(), from: time, until: time.nullable() }))
    .optional()
    .describe('Who sent it when, as the metadata says'),
  codecs: z.array(z.string()).describe('By number of packets, e.g. PCMU/8000'),
  ssrcs: z.array(z.number().int()),
  sources: z.array(z.string()).describe('host:port of the senders'),
  rendered: z.boolean().describe('False if no audio of this stream stands in the WAV'),
  packets: count,
  octets: count,
  lost: count,
  duplicate: count,
  late: count,
  reordered: count,
  undecodable: count,
  jitterMs: z.number().nonnegative(),
  driftPpm: z.number().nullable(),
  rtcpPackets: count,
  firstPacket: time.nullable(),
  lastPacket: time.nullable(),
  srtp: z
    .object({
      suites: z.array(z.string()).describe('Of the keys that the stream was offered with'),
      undecrypted: count.describe('Packets that no key opened: kept encrypted in the journal, never rendered'),
    })
    .optional()
    .describe('Absent: nobody spoke of keys'),
  drops: z.record(z.string(), count).describe('Datagrams not recorded, or only encrypted, by reason'),
  kernelDrops: count
    .optional()
    .describe('Datagrams that the kernel dropped because they were not read in time; absent where it does not tell'),
});

const bringingSession = z.object({
  sipCallId: z.string(),
  peer: z.string(),
  start: time,
  end: time.nullable(),
  endReason: z.string().nullable(),
  joinedBy: z.string().describe('first, or the rule by which the session was found to bring this call'),
  reasons: z.array(z.string()).describe('Reason header fields of the request that ended it'),
});

const timelineEvent = z.object({
  type: z.enum([
    'started',
    'ended',
    'hold',
    'resume',
    'paused',
    'resumed',
    'stream-added',
    'stream-removed',
    'joined',
    'left',
    'identified',
    'party-changed',
    'sender',
    'stream-changed',
    'gap',
    'dtmf',
    'source-change',
    'interrupted',
    'recovered',
    'restart',
  ]),
  offsetMs,
  time,
  durationMs: z.number().nonnegative().optional(),
  streamId: z.string().optional(),
  participantId: z.string().optional(),
  channel: z.number().int().optional(),
  digit: z.string().optional(),
  by: z.string().optional().describe('Who paused or resumed: api:NAME, cli, rule:NUMBER'),
  reason: z.string().nullable().optional(),
  cause: z.string().optional(),
  detail: z.string().optional(),
  statedTime: time.optional().describe('When it happened, as the client states it'),
});

const file = z.object({
  name: z.string(),
  role: z.enum(['audio', 'journal']),
  octets: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

export const recordingDocument = z.object({
  version: z.literal(RECORDING_DOCUMENT_VERSION),
  id: z.string(),
  source: z.enum(['siprec', 'oreka', 'import']),
  state: z
    .enum(['finished', 'empty', 'not-renderable', 'failed'])
    .describe('empty: no media arrived; not-renderable: media is kept in the journal only'),
  endReason: z.enum(['ended', 'cancelled', 'abandoned', 'max-duration', 'stopped', 'interrupted', 'failed']),
  times: z.object({
    start: time.describe('The recording session was accepted'),
    end: time,
    audioStart: time.nullable().describe('Time of the first sample'),
    statedStart: time.nullable().describe('What the client says'),
    durationMs: z.number().nonnegative().describe('Length of the audio, 0 without'),
  }),
  call: z.object({
    sipCallId: z.string(),
    communicationSessionId: z.string().nullable(),
    sipSessionIds: z.array(z.string()),
    groupId: z.string().nullable(),
    continues: z.string().nullable().describe('Id of the earlier recording of the same call'),
    vendor: z.record(z.string(), z.string()),
    peer: z.string().nullable(),
  }),
  sessions: z.array(bringingSession).default([]).describe('The recording sessions (SIP dialogs) that brought the call'),
  participants: z.array(participant),
  streams: z.array(stream),
  audio: z
    .object({
      sampleRateHz: z.number(),
      channels: z.number().int(),
      layout: z.enum(['caller-callee', 'per-party', 'mono']),
    })
    .nullable(),
  timeline: z.array(timelineEvent),
  warnings: z.array(z.object({ code: z.string(), message: z.string() })),
  files: z.array(file),
  rule: z
    .object({
      number: z.number().int().positive().describe('Its place in rules.list at that time, from 1'),
      because: z.string().nullable(),
      name: z.string().nullable().describe("Template of the directory's name"),
    })
    .optional()
    .describe('The rule by which the call was recorded; absent if none decided'),
  retention: z
    .object({ keepDays: z.number().int().positive() })
    .optional()
    .describe('How long that rule wants the recording kept; absent: as configured for all'),
  tags: z.array(z.string()).optional().describe('Given by that rule, or with an import'),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  metadata: z.array(z.object({ received: time, contentType: z.string(), text: z.string() })),
});

export type RecordingDocument = z.infer<typeof recordingDocument>;
export type RecordedParticipant = z.infer<typeof participant>;
export type RecordedStream = z.infer<typeof stream>;
export type TimelineEvent = z.infer<typeof timelineEvent>;
export type RecordedFile = z.infer<typeof file>;

/** JSON Schema (draft 2020-12) of recording.json. */
export function recordingDocumentSchema(): object {
  return z.toJSONSchema(recordingDocument);
}
