import { z } from 'zod';
import { unknownNameFields } from '../../archive/names.ts';
import { file } from './values.ts';

const nameTemplate = z.string().refine((text) => text.length > 0 && unknownNameFields(text).length === 0, {
  error: (issue) => {
    const unknown = unknownNameFields(String(issue.input));
    return unknown.length > 0 ? `has unknown fields: ${unknown.join(', ')}` : 'must not be empty';
  },
});

export const storage = z.strictObject({
  spoolDirectory: file.describe(
    'Where running recordings are kept (in spool/), if on a disk of their own. Null: in data.',
  ),
  archiveDirectory: file.describe('Where finished ones are kept (in recordings/), likewise. Null: in data.'),
  name: nameTemplate
    .default('{start}_{caller}_{callee}_{id}')
    .describe(
      'Directory name of a recording; fields: start, caller, callee, callerName, calleeName, callId, group, source, id.',
    ),
  journal: z
    .enum(['always', 'when-needed'])
    .default('always')
    .describe('Keep capture.pcapng beside the audio always, or only when the audio does not hold everything.'),
  keepDays: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe("Days after its end until a recording is deleted, unless its rule's keepDays says so. Null: never."),
  journalKeepDays: z
    .number()
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe(
      'The same for its capture.pcapng alone, where the audio holds everything. Null: as long as the recording.',
    ),
  sync: z
    .enum(['none', 'recording', 'interval'])
    .default('recording')
    .describe(
      'When a journal is brought onto the disk, against power loss: never, when the recording ends, or every syncIntervalMs besides. The rest of a filed recording always is.',
    ),
  syncIntervalMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(1_000)
    .describe('With sync interval: milliseconds of a call that a power loss may cost, and 200 more.'),
  floorMiB: z
    .number()
    .nonnegative()
    .default(512)
    .describe('Free space in MiB below which new recordings are refused with 503; running ones go on.'),
  floorPercent: z
    .number()
    .min(0)
    .max(90)
    .default(1)
    .describe('The same as a part of the file system; the larger of the two counts.'),
  reservePerRecordingMiB: z
    .number()
    .nonnegative()
    .default(10)
    .describe('MiB kept free besides for each running recording: 10 are three minutes of G.711 and their WAV.'),
});
