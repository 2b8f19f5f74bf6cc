// Recordings that a PBX made itself, handed in. The audit log has it before the archive.
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Importer } from '../../archive/importer.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Readiness } from '../../recording/admission.ts';
import type { AuditLog } from '../../recording/audit.ts';
import { importDocument } from '../../recording/import-document.ts';
import type { RecordingLibrary } from '../../recording/library.ts';
import { documentInScope } from '../../recording/scope.ts';
import { readBody } from '../import/body.ts';
import { describeCall, ImportFields } from '../import/fields.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { problems } from '../schemas.ts';

/** Uploads at the same time, of all clients together. */
const MAX_UPLOADS = 16;
const UPLOAD_LIMIT_MS = 3_600_000;
/** While one of these is why calls are refused, there is no room for other people's recordings either. */
const NO_ROOM: readonly string[] = ['STORAGE_LOW', 'STORAGE_FAILED', 'DRAINING'];

export interface ImportParts {
  importer: Importer;
  maxOctets: number;
  library: RecordingLibrary;
  audit: AuditLog;
  readiness: () => Readiness;
  clock: Clock;
}

const answer = z.object({
  id: z.string().describe('Id of the recording'),
  url: z.string().describe('Where it is described'),
});
const query = z
  .record(z.string(), z.union([z.string(), z.array(z.string())]))
  .describe(
    'caller, callee, callerName, calleeName, start, callId, uniqueid, group, direction, tags (with commas), channels (caller-left or callee-left), X-…; also as fields of a form',
  );

export function importRoutes(server: Server, parts: ImportParts): void {
  const { importer, maxOctets, library, audit, readiness, clock } = parts;
  let uploads = 0;

  async function take(request: FastifyRequest, name: string | null) {
    checkRoom(request);
    const fields = new ImportFields();
    for (const [key, value] of Object.entries(request.query as z.infer<typeof query>)) {
      for (const one of [value].flat()) fields.add(key, one);
    }
    const upload = importer.begin();
    uploads++;
    try {
      const { taken, fileName } = await readBody(request.raw, fields, (content) => upload.receive(content, maxOctets));
      const call = describeCall(fields, name ?? fileName);
      const document = importDocument(call, taken, { arrivedMs: clock.wallMs(), peer: request.ip });
      const { who, scope } = callerOf(request);
      if (!documentInScope(document, scope)) {
        throw new HttpProblem(403, 'OUT_OF_SCOPE', 'This token may not hand in recordings of these parties.');
      }
      const detail = `${call.vendor.fileName ?? 'audio.wav'}, ${taken.octets} octets`;
      const filed = await upload.file(document, () =>
        audit.write({ action: 'import', who, from: request.ip, recordingId: document.id, detail }),
      );
      if (filed.isNew && call.tags.length > 0) await library.setTags(document.id, call.tags);
      return filed;
    } finally {
      uploads--;
      await upload.discard();
    }
  }

  function checkRoom(request: FastifyRequest): void {
    const full = readiness().reasons.find(({ code }) => NO_ROOM.includes(code));
    const later = { 'retry-after': '60' };
    if (full) throw new HttpProblem(503, full.code, full.message, later);
    if (uploads >= MAX_UPLOADS) throw new HttpProblem(503, 'TOO_MANY_UPLOADS', 'Too many uploads at once.', later);
    if (Number(request.headers['content-length'] ?? 0) > maxOctets + (1 << 20)) {
      throw new HttpProblem(413, 'IMPORT_TOO_LARGE', `${maxOctets} octets are taken: see http.importMaxMiB.`);
    }
  }

  const config = { access: 'import', bodyLimitMs: UPLOAD_LIMIT_MS } as const;
  const response = { 200: answer.describe('It was here already'), 201: answer.describe('It is new'), ...problems };
  const schema = { tags: ['import'], querystring: query, response, consumes: ['audio/wav', 'multipart/form-data'] };
  server.register(async (scope: Server) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _body, done) => done(null));
    for (const method of ['PUT', 'POST'] as const) {
      scope.route({
        method,
        url: '/api/import',
        config,
        schema: { ...schema, summary: 'Hand in a WAV, as the body or in a form' },
        handler: async (request, reply) => {
          const { document, isNew } = await take(request, null);
          return reply.status(isNew ? 201 : 200).send(answerOf(document.id));
        },
      });
      scope.route({
        method,
        url: '/api/import/:name',
        config,
        schema: {
          ...schema,
          summary: 'The same under the name that the file has, as curl -T sends it',
          params: z.object({ name: z.string() }),
        },
        handler: async (request, reply) => {
          const { document, isNew } = await take(request, request.params.name);
          return reply.status(isNew ? 201 : 200).send(answerOf(document.id));
        },
      });
    }
  });
}

const answerOf = (id: string) => ({ id, url: `/api/recordings/${id}` });
