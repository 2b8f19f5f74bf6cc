// Audio in a format that is not stored: made of the WAV while it is sent. It has no length beforehand, and no ranges.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Encoder } from '../../archive/formats/encoder.ts';
import { closeOnce } from '../../lib/close.ts';
import { RecorderError } from '../../lib/errors.ts';
import { AUDIO_MEDIA_TYPES, audioName, type CopyFormat } from '../../recording/audio-format.ts';
import type { AuditLog } from '../../recording/audit.ts';
import type { RecordingDocument } from '../../recording/document.ts';
import type { RecordingLibrary } from '../../recording/library.ts';
import type { Caller } from '../caller.ts';
import { HttpProblem } from '../problem.ts';
import { sendStream } from '../send-stream.ts';

/** Each takes a core for as long as it runs, behind everything else. */
const MAX_AT_WORK = 2;

export interface MadeAudio {
  document: RecordingDocument;
  format: CopyFormat;
  download: boolean;
  caller: Caller;
}

export class AudioMaker {
  readonly #library: RecordingLibrary;
  readonly #encoder: () => Promise<Encoder | null>;
  readonly #audit: AuditLog;
  #atWork = 0;

  constructor(library: RecordingLibrary, encoder: () => Promise<Encoder | null>, audit: AuditLog) {
    this.#library = library;
    this.#encoder = encoder;
    this.#audit = audit;
  }

  /** Throws NOT_FOUND, ENCODER_MISSING, or 503. */
  async send(request: FastifyRequest, reply: FastifyReply, { document, format, download, caller }: MadeAudio) {
    const { id, audio, times } = document;
    if (!audio) throw new RecorderError('NOT_FOUND', 'It has no audio.');
    const encoder = await this.#encoder();
    if (!encoder?.can(format, audio.channels)) {
      throw new RecorderError('ENCODER_MISSING', `Wanted: ${format}, ${audio.channels} channels.`);
    }
    reply.type(AUDIO_MEDIA_TYPES[format]).header('accept-ranges', 'none').header('cache-control', 'private, no-store');
    if (download) reply.header('content-disposition', `attachment; filename="${id}.${format}"`);
    if (request.method === 'HEAD') return reply.send();
    if (this.#atWork >= MAX_AT_WORK)
      throw new HttpProblem(503, 'BUSY', 'Too much audio is being converted: try again.');
    this.#atWork++;
    const wav = await this.#library.openFile(id, 'wav').catch((error) => {
      this.#atWork--;
      throw error;
    });
    const close = closeOnce(async () => {
      this.#atWork--;
      await wav?.close();
    });
    try {
      if (!wav) throw new RecorderError('NOT_FOUND', 'It has no audio.');
      await this.#audit.write({
        action: download ? 'download' : 'play',
        who: caller.who,
        from: request.ip,
        recordingId: id,
        detail: `${audioName(format)}, made for this`,
      });
      const content = wav.read(0, wav.file.octets - 1);
      const order = { format, channels: audio.channels, durationMs: times.durationMs, wav: content };
      const stream = encoder.toStream(order);
      return sendStream(reply, stream, close);
    } catch (error) {
      await close();
      throw error;
    }
  }
}
