// A recording as a vCon, to be handed on. The audit log has the act before the first octet leaves.
import { Readable } from 'node:stream';
import { z } from 'zod';
import { vconInline, vconWithUrl } from '../../archive/vcon-text.ts';
import { closeOnce } from '../../lib/close.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { RecordingLibrary } from '../../recording/library.ts';
import { VCON_MEDIA_TYPE } from '../../recording/vcon.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { idParams, problems } from '../schemas.ts';
import { sendStream } from '../send-stream.ts';
import { recordingFor } from './recordings.ts';

/** Each reads its whole WAV. */
const MAX_AT_WORK = 16;

const query = z.strictObject({
  dialog: z.enum(['url', 'inline']).default('url').describe('Whether the audio is referred to, or in the vCon itself'),
  base: z
    .url({ protocol: /^https$/ })
    .max(300)
    .optional()
    .describe('https://HOST[/PATH] under which this API is reached; absent: as asked, which has to be https then'),
});

export function vconRoutes(server: Server, library: RecordingLibrary, audit: AuditLog): void {
  let atWork = 0;
  server.get(
    '/api/recordings/:id/vcon',
    {
      config: { access: 'listen' },
      schema: {
        summary: 'As a vCon (draft-ietf-vcon-vcon-core)',
        tags: ['recordings'],
        params: idParams,
        querystring: query,
        response: { 200: z.any().describe(VCON_MEDIA_TYPE), ...problems },
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { dialog, base } = request.query;
      const { document } = await recordingFor(caller, library, request.params.id);
      const root = base ?? `${request.protocol}://${request.host}`;
      if (dialog === 'url' && !root.startsWith('https:')) {
        const words =
          'A vCon refers to files by https alone: ask through a proxy, give base=https://…, or dialog=inline.';
        throw new HttpProblem(409, 'NEEDS_HTTPS', words);
      }
      if (atWork >= MAX_AT_WORK) throw new HttpProblem(503, 'BUSY', 'Too many exports at once: try again.');
      const audio = await library.openFile(document.id, 'audio');
      if (!audio) throw new HttpProblem(409, 'NO_AUDIO', 'It has no audio: there is no conversation to hand on.');
      atWork++;
      const close = closeOnce(async () => {
        atWork--;
        await audio.close();
      });
      try {
        const url = `${root.replace(/\/$/, '')}/api/recordings/${document.id}/audio`;
        const text = dialog === 'url' ? await vconWithUrl(document, audio, url) : vconInline(document, audio);
        if (text === null) throw new HttpProblem(409, 'NO_AUDIO', 'It has no audio: nothing can be handed on.');
        await audit.write({
          action: 'export',
          who: caller.who,
          from: request.ip,
          recordingId: document.id,
          detail: `vcon, ${dialog}`,
        });
        reply.type(VCON_MEDIA_TYPE).header('content-disposition', `attachment; filename="${document.id}.vcon.json"`);
        if (typeof text === 'string') {
          await close();
          return reply.send(text);
        }
        const stream = Readable.from(text, { objectMode: false });
        return sendStream(reply, stream, close);
      } catch (error) {
        await close();
        throw error;
      }
    },
  );
}
