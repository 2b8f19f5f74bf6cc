// The finished audio handed to an HTTP server: as the raw body, or as a form beside the metadata.
import { createHash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { isRecorderError } from '../lib/errors.ts';
import type { RecordingDocument } from '../recording/document.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import type { DeliveryEvent } from './event.ts';
import { callReceiver } from './http-call.ts';
import { DeliveryFailure, type DeliveryTarget } from './target.ts';
import { fillTemplate } from './template.ts';

export interface UploadOptions {
  name: string;
  method: 'POST' | 'PUT';
  /** May hold fields: see template.ts. */
  url: string;
  form: 'raw' | 'multipart';
  /** File name that a form gives; may hold fields. */
  fileName: string;
  /** Values may hold fields. */
  headers: Record<string, string>;
  internal: 'allowed' | 'refused';
  timeoutMs: number;
  userAgent: string;
  openAudio: (recordingId: string) => Promise<OpenRecordingFile | null>;
}

/** Told of finished recordings only; those without audio count as delivered. */
export function createUpload(options: UploadOptions): DeliveryTarget {
  return {
    name: options.name,
    events: ['recording.finished'],
    async deliver(event, signal) {
      const document = finishedDocument(event);
      const file = await openAudioOf(options, event.recordingId);
      if (!file) return;
      try {
        await upload(options, event, document, file, signal);
      } finally {
        await file.close();
      }
    },
  };
}

export function finishedDocument(event: DeliveryEvent): RecordingDocument {
  return (event.data as { recording: RecordingDocument }).recording;
}

export async function openAudioOf(
  { openAudio: open }: Pick<UploadOptions, 'openAudio'>,
  recordingId: string,
): Promise<OpenRecordingFile | null> {
  try {
    return await open(recordingId);
  } catch (error) {
    if (isRecorderError(error, 'STORAGE_FAILED')) throw new DeliveryFailure('refused', error.message);
    throw error;
  }
}

async function upload(
  options: UploadOptions,
  event: DeliveryEvent,
  document: RecordingDocument,
  { file, read }: OpenRecordingFile,
  signal: AbortSignal,
): Promise<void> {
  const { method, form, headers, internal, timeoutMs, userAgent } = options;
  const url = new URL(fillTemplate(options.url, document, encodeURIComponent));
  const filled = Object.entries(headers).map(([name, value]) => [name, fillTemplate(value, document)] as const);
  const audio = read(0, file.octets - 1).pipe(checked(file.sha256));
  const fileName = fillTemplate(options.fileName, document);
  const content =
    form === 'raw'
      ? { type: 'audio/wav', octets: file.octets, body: audio }
      : asForm({ recording: JSON.stringify(document) }, { name: fileName, octets: file.octets, body: audio });
  await callReceiver({
    method,
    url,
    headers: {
      ...Object.fromEntries(filled),
      'content-type': content.type,
      'content-length': String(content.octets),
      // RFC 9530: of the audio, whatever it is wrapped in.
      'repr-digest': `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`,
      'idempotency-key': event.eventId,
      'user-agent': userAgent,
    },
    body: content.body,
    internal,
    timeoutMs,
    signal,
  });
}

/** Passes the octets on and fails before the last of them if they are not those of recording.json. */
function checked(sha256: string): Transform {
  const hash = createHash('sha256');
  let held: Buffer | null = null;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      const ready = held;
      held = piece;
      done(null, ready);
    },
    flush(done) {
      if (hash.digest('hex') === sha256) done(null, held);
      else
        done(new DeliveryFailure('hopeless', 'the audio on disk is not what recording.json says: run sipreel verify'));
    },
  });
}

/** multipart/form-data (RFC 7578) with a known length, so that nothing is buffered. */
function asForm(fields: Record<string, string>, file: { name: string; octets: number; body: Readable }) {
  const boundary = `sipreel-${createHash('sha256').update(file.name).digest('hex').slice(0, 32)}`;
  const part = (disposition: string, type: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`;
  const texts = Object.entries(fields).map(
    ([name, value]) => `${part(`name="${name}"`, 'application/json')}${value}\r\n`,
  );
  const before = `${texts.join('')}${part(`name="file"; filename="${file.name}"`, 'audio/wav')}`;
  const after = `\r\n--${boundary}--\r\n`;
  async function* pieces() {
    yield before;
    yield* file.body;
    yield after;
  }
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    octets: Buffer.byteLength(before) + file.octets + Buffer.byteLength(after),
    body: Readable.from(pieces(), { objectMode: false }),
  };
}
