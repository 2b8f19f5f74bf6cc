// Finished recordings: search, one of them, and what all of them come to.
import { z } from 'zod';
import { RecorderError } from '../../lib/errors.ts';
import { type RecordingDocument, recordingDocument } from '../../recording/document.ts';
import type { LibraryRecording, RecordingLibrary, SearchHit } from '../../recording/library.ts';
import { hasSilentSide, worstLossPercent } from '../../recording/matches-query.ts';
import { documentInScope } from '../../recording/scope.ts';
import type { Caller } from '../caller.ts';
import { callerOf, type Server } from '../route-types.ts';
import { annotations, idParams, pageQuery, problems, readQuery, recordingSummary, searchQuery } from '../schemas.ts';

const page = z.object({
  items: z.array(recordingSummary).describe('Newest first'),
  next: z.string().nullable().describe('Cursor for `after`; null on the last page'),
});
const oneRecording = z.object({ document: recordingDocument.describe('recording.json'), annotations });
const statistics = z.object({
  recordings: z.number().int(),
  durationMs: z.number(),
  octets: z.number(),
  byState: z.record(z.string(), z.number().int()),
  bySource: z.record(z.string(), z.number().int()),
});

export function recordingRoutes(server: Server, library: RecordingLibrary): void {
  const config = { access: 'listen' } as const;
  const tags = ['recordings'];
  server.get(
    '/api/recordings',
    { config, schema: { summary: 'Search', tags, querystring: pageQuery, response: { 200: page, ...problems } } },
    async (request) => {
      const { limit, after, ...asked } = request.query;
      const query = readQuery(asked, callerOf(request).scope);
      const { items, next } = await library.search(query, { limit, after: after ?? null });
      return { items: items.map(summaryOf), next };
    },
  );
  server.get(
    '/api/recordings/:id',
    {
      config,
      schema: { summary: 'One recording', tags, params: idParams, response: { 200: oneRecording, ...problems } },
    },
    async (request) => {
      const { document, annotations } = await recordingFor(callerOf(request), library, request.params.id);
      return { document, annotations };
    },
  );
  server.get(
    '/api/statistics',
    {
      config,
      schema: {
        summary: 'What the recordings that answer a search come to',
        tags,
        querystring: searchQuery,
        response: { 200: statistics, ...problems },
      },
    },
    async (request) => library.statistics(readQuery(request.query, callerOf(request).scope)),
  );
}

/** Throws NOT_FOUND, also for what is outside the caller's scope: nobody learns that it exists. */
export async function recordingFor(
  { scope }: Caller,
  library: RecordingLibrary,
  recordingId: string,
): Promise<LibraryRecording> {
  const recording = await library.get(recordingId);
  if (!recording || !documentInScope(recording.document, scope)) throw new RecorderError('NOT_FOUND');
  return recording;
}

function summaryOf({ document, annotations: { tags, hold } }: SearchHit): z.infer<typeof recordingSummary> {
  const { id, source, state, endReason, times, call, participants, audio, warnings } = document;
  return {
    id,
    source,
    state,
    endReason,
    times,
    call,
    participants,
    audio,
    lossPercent: Math.round(worstLossPercent(document) * 100) / 100,
    silentSide: hasSilentSide(document),
    warnings: warnings.length,
    octets: octetsOf(document),
    tags,
    held: hold !== null,
  };
}

const octetsOf = ({ files }: Pick<RecordingDocument, 'files'>) =>
  files.reduce((octets, file) => octets + file.octets, 0);
