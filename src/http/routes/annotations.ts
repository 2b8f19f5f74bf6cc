// What people do to finished recordings: tags, notes, legal hold, deletion. All of it is in the audit log.

import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AuditAction, AuditLog } from '../../recording/audit.ts';
import type { RecordingLibrary } from '../../recording/library.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { annotations, idParams, problems } from '../schemas.ts';
import { recordingFor } from './recordings.ts';

/** Of one recording. */
const MAX_NOTES = 500;

const words = (most: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(most)
    .regex(/^[^\x00-\x08\x0b-\x1f\x7f]*$/, 'has control characters');
const noteParams = idParams.extend({ noteId: z.string() });

export function annotationRoutes(server: Server, library: RecordingLibrary, audit: AuditLog): void {
  /** The recording must be the caller's to see. Told before it is done: an act without a line is not possible. */
  async function permit(request: FastifyRequest<{ Params: { id: string } }>, action: AuditAction, detail?: string) {
    const caller = callerOf(request);
    const recording = await recordingFor(caller, library, request.params.id);
    const recordingId = recording.document.id;
    const tell = (outcome?: string) =>
      audit.write({
        action,
        who: caller.who,
        from: request.ip,
        recordingId,
        detail: [detail, outcome].filter(Boolean).join(': '),
      });
    return { recordingId, recording, by: caller.who, tell };
  }

  const manage = { access: 'manage' } as const;
  const admin = { access: 'admin' } as const;
  const tags = ['annotations'];
  const response = { 200: annotations, ...problems };

  server.put(
    '/api/recordings/:id/tags',
    {
      config: manage,
      schema: {
        summary: 'Replace the tags',
        tags,
        params: idParams,
        body: z.strictObject({ tags: z.array(words(64)).max(50) }),
        response,
      },
    },
    async (request) => {
      const { recordingId, tell } = await permit(request, 'tag', request.body.tags.join(', '));
      await tell();
      return library.setTags(recordingId, request.body.tags);
    },
  );
  server.post(
    '/api/recordings/:id/notes',
    {
      config: manage,
      schema: {
        summary: 'Add a note',
        tags,
        params: idParams,
        body: z.strictObject({ text: words(4_000) }),
        response,
      },
    },
    async (request) => {
      const { recordingId, recording, by, tell } = await permit(request, 'note', 'added');
      if (recording.annotations.notes.length >= MAX_NOTES) {
        throw new HttpProblem(409, 'TOO_MANY_NOTES', `It has ${MAX_NOTES} notes: remove one first.`);
      }
      await tell();
      return library.addNote(recordingId, { text: request.body.text, by });
    },
  );
  server.delete(
    '/api/recordings/:id/notes/:noteId',
    { config: manage, schema: { summary: 'Remove a note', tags, params: noteParams, response } },
    async (request) => {
      const { recordingId, tell } = await permit(request, 'note', `removed ${request.params.noteId}`);
      await tell();
      return library.removeNote(recordingId, request.params.noteId);
    },
  );
  server.put(
    '/api/recordings/:id/hold',
    {
      config: manage,
      schema: {
        summary: 'Put on legal hold: it cannot be deleted',
        tags,
        params: idParams,
        body: z.strictObject({ reason: words(1_000).nullable().default(null) }),
        response,
      },
    },
    async (request) => {
      const { reason } = request.body;
      const { recordingId, by, tell } = await permit(request, 'hold', reason ?? undefined);
      await tell();
      return library.setHold(recordingId, { reason, by });
    },
  );
  server.delete(
    '/api/recordings/:id/hold',
    { config: admin, schema: { summary: 'Take the legal hold away', tags, params: idParams, response } },
    async (request) => {
      const { recordingId, tell } = await permit(request, 'release');
      await tell();
      return library.setHold(recordingId, null);
    },
  );
  server.delete(
    '/api/recordings/:id',
    {
      config: admin,
      schema: {
        summary: 'Delete with all its files',
        tags,
        params: idParams,
        response: { 204: z.null().describe('It is gone'), ...problems },
      },
    },
    async (request, reply) => {
      const { recordingId, tell } = await permit(request, 'delete');
      await tell('asked for');
      await library.delete(recordingId);
      await tell('done');
      return reply.status(204).send(null);
    },
  );
}
