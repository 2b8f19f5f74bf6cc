// Audio and journal of a recording, whole or in one range. The audit log has the act before the first octet leaves.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Encoder } from '../../archive/formats/encoder.ts';
import { closeOnce } from '../../lib/close.ts';
import { RecorderError } from '../../lib/errors.ts';
import { AUDIO_MEDIA_TYPES, audioFormatOf, COPY_FORMATS } from '../../recording/audio-format.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { RecordedFile } from '../../recording/document.ts';
import type { OpenRecordingFile, RecordingLibrary, WantedFile } from '../../recording/library.ts';
import { HttpProblem } from '../problem.ts';
import { noneMatchFails, rangeOf } from '../range.ts';
import { callerOf, type Server } from '../route-types.ts';
import { idParams, problems } from '../schemas.ts';
import { sendStream } from '../send-stream.ts';
import { AudioMaker } from './made-audio.ts';
import { recordingFor } from './recordings.ts';

/** Files open at the same time, of all callers together. */
const MAX_OPEN_FILES = 256;

const octets = z.any().describe('The file, or the part of it that Range asks for');

export function fileRoutes(
  server: Server,
  library: RecordingLibrary,
  encoder: () => Promise<Encoder | null>,
  audit: AuditLog,
): void {
  let open = 0;
  const maker = new AudioMaker(library, encoder, audit);

  async function send(request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply, asked: Asked) {
    const caller = callerOf(request);
    const { document } = await recordingFor(caller, library, request.params.id);
    if (open >= MAX_OPEN_FILES)
      throw new HttpProblem(503, 'TOO_MANY_READERS', 'Too many files are being read: try again.');
    open++;
    let file: OpenRecordingFile | null = null;
    const close = closeOnce(async () => {
      open--;
      await file?.close();
    });
    try {
      file = await library.openFile(document.id, asked.wanted);
      const format = COPY_FORMATS.find((one) => one === asked.wanted);
      if (!file && format) {
        await close();
        return await maker.send(request, reply, { document, format, download: asked.download, caller });
      }
      if (!file) throw new RecorderError('NOT_FOUND', `It has no ${asked.wanted}.`);
      const part = describeAnswer(request, reply, file.file, { ...asked, recordingId: document.id });
      if (!part) {
        await close();
        return reply.send();
      }
      await audit.write({
        action: asked.download ? 'download' : 'play',
        who: caller.who,
        from: request.ip,
        recordingId: document.id,
        detail: `${file.file.name}, octets ${part.first}-${part.last} of ${file.file.octets}`,
      });
      const stream = file.read(part.first, part.last);
      return sendStream(reply, stream, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  const tags = ['recordings'];
  const audioQuery = z.strictObject({
    download: z.enum(['true', 'false']).optional().describe('To be saved, not played'),
    format: z
      .enum(['wav', ...COPY_FORMATS])
      .optional()
      .describe('Made while it is sent, without ranges, if there is no such copy. Absent: the WAV'),
  });
  const whole = { 200: octets, 206: octets, ...problems };
  for (const method of ['GET', 'HEAD'] as const) {
    server.route({
      method,
      url: '/api/recordings/:id/audio',
      exposeHeadRoute: false,
      config: { access: 'listen' },
      schema: { summary: 'The audio', tags, params: idParams, querystring: audioQuery, response: whole },
      handler: (request, reply) => {
        const { download, format = 'audio' } = request.query;
        return send(request, reply, { wanted: format, download: download === 'true' });
      },
    });
    server.route({
      method,
      url: '/api/recordings/:id/journal',
      exposeHeadRoute: false,
      config: { access: 'listen' },
      schema: { summary: 'Everything received, as pcapng', tags, params: idParams, response: whole },
      handler: (request, reply) => send(request, reply, { wanted: 'journal', download: true }),
    });
  }
}

interface Asked {
  wanted: WantedFile;
  download: boolean;
}

/** Sets status and headers. Null if no content is to follow. */
function describeAnswer(
  { method, headers }: FastifyRequest,
  reply: FastifyReply,
  { octets: length, sha256, role, name }: RecordedFile,
  { download, recordingId }: Asked & { recordingId: string },
): { first: number; last: number } | null {
  const etag = `"${sha256}"`;
  reply.header('etag', etag).header('accept-ranges', 'bytes').header('cache-control', 'private, no-cache');
  if (noneMatchFails(headers['if-none-match'], etag)) {
    reply.status(304);
    return null;
  }
  // Range means something for GET alone (RFC 9110 §14.2).
  const range = method === 'GET' ? headers.range : undefined;
  const answer = rangeOf(range, headers['if-range'] as string | undefined, { octets: length, etag });
  if (answer.kind === 'unsatisfiable') {
    const contentRange = { 'content-range': `bytes */${length}` };
    throw new HttpProblem(416, 'NO_SUCH_RANGE', `The file has ${length} octets.`, contentRange);
  }
  const { first, last } = answer.kind === 'part' ? answer : { first: 0, last: length - 1 };
  const format = audioFormatOf(name);
  const [type, extension] =
    role === 'journal' ? ['application/x-pcapng', 'pcapng'] : [AUDIO_MEDIA_TYPES[format], format];
  reply.type(type).header('content-length', last - first + 1);
  if (download) reply.header('content-disposition', `attachment; filename="${recordingId}.${extension}"`);
  if (answer.kind === 'part') reply.status(206).header('content-range', `bytes ${first}-${last}/${length}`);
  return method === 'HEAD' || length === 0 ? null : { first, last };
}
