// The finished audio put into an object store. What a killed process had sent of it is not sent again; what is there in the end was
// verified.
import { isRecorderError } from '../lib/errors.ts';
import type { OpenRecordingFile } from '../recording/library.ts';
import { DeliveryFailure, type DeliveryTarget } from './target.ts';
import { fillTemplate } from './template.ts';
import { finishedDocument, openAudioOf } from './upload.ts';

export interface StoreUploadOptions {
  name: string;
  /** Of the object; may hold fields: see template.ts. */
  key: string;
  openAudio: (recordingId: string) => Promise<OpenRecordingFile | null>;
  /** Resolves with the SHA-256 of what is there now. Rejects with STORE_FAILED and DeliveryFailure. */
  put: (key: string, audio: OpenRecordingFile, signal: AbortSignal) => Promise<{ sha256: string }>;
  /** Takes it back. */
  remove: (key: string) => Promise<void>;
}

/** Told of finished recordings only; those without audio count as delivered. */
export function createStoreUpload(options: StoreUploadOptions): DeliveryTarget {
  return {
    name: options.name,
    events: ['recording.finished'],
    async deliver(event, signal) {
      const audio = await openAudioOf(options, event.recordingId);
      if (!audio) return;
      const key = fillTemplate(options.key, finishedDocument(event));
      try {
        const { sha256 } = await options.put(key, audio, signal);
        if (sha256 === audio.file.sha256) return;
        await options.remove(key);
        throw new DeliveryFailure('hopeless', 'the audio on disk is not what recording.json says: run sipreel verify');
      } catch (error) {
        if (isRecorderError(error, 'STORE_FAILED')) throw new DeliveryFailure('unreachable', error.message);
        throw error;
      } finally {
        await audio.close();
      }
    },
  };
}
