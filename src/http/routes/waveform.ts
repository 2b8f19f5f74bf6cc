// How loud each channel is along its length. Worked out from the WAV when first asked for, then kept in memory for a while.
import { z } from 'zod';
import { RecorderError } from '../../lib/errors.ts';
import type { OpenRecordingFile, RecordingLibrary } from '../../recording/library.ts';
import { wavPeaks } from '../../render/wav-peaks.ts';
import { HttpProblem } from '../problem.ts';
import { callerOf, type Server } from '../route-types.ts';
import { idParams, problems } from '../schemas.ts';
import { recordingFor } from './recordings.ts';

/** Some 16 KiB of JSON each. */
const MAX_KEPT = 256;
/** Waveforms worked out at the same time; each reads its whole WAV. */
const MAX_AT_WORK = 4;

const waveform = z.object({
  sampleRateHz: z.number(),
  durationMs: z.number(),
  peaks: z.array(z.array(z.number())).describe('Per channel: the largest sample of each stretch, 0 to 1'),
});

export function waveformRoutes(server: Server, library: RecordingLibrary): void {
  /** By the digest of the file and the number of points; the least recently asked for first. */
  const kept = new Map<string, Promise<z.infer<typeof waveform>>>();
  let atWork = 0;

  function peaksOf(file: OpenRecordingFile, points: number) {
    const key = `${file.file.sha256} ${points}`;
    const known = kept.get(key);
    if (!known && atWork >= MAX_AT_WORK) throw new HttpProblem(503, 'BUSY', 'Too many waveforms at once: try again.');
    const result = known ?? workOut(file, points);
    kept.delete(key);
    kept.set(key, result);
    result.catch(() => kept.delete(key));
    if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value!);
    return result;
  }

  async function workOut(file: OpenRecordingFile, points: number) {
    atWork++;
    try {
      return await wavPeaks({ octets: file.file.octets, read: file.read }, points);
    } finally {
      atWork--;
    }
  }

  server.get(
    '/api/recordings/:id/waveform',
    {
      config: { access: 'listen' },
      schema: {
        summary: 'Levels along the audio, for drawing',
        tags: ['recordings'],
        params: idParams,
        querystring: z.strictObject({ points: z.coerce.number().int().min(10).max(8_000).default(1_600) }),
        response: { 200: waveform, ...problems },
      },
    },
    async (request) => {
      const { document } = await recordingFor(callerOf(request), library, request.params.id);
      if (document.warnings.some(({ code }) => code === 'not-decodable')) {
        throw new HttpProblem(409, 'NOT_DECODABLE', 'Its audio is kept as it came: nothing here can decode it.');
      }
      const file = await library.openFile(document.id, 'audio');
      if (!file) throw new RecorderError('NOT_FOUND', 'It has no audio.');
      try {
        return await peaksOf(file, request.query.points);
      } finally {
        await file.close();
      }
    },
  );
}
