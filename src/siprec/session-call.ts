// The call side of one recording session: metadata in, the call as the recorder sees it out. Each warning is given once.
import type { CallDescription, RawMetadata, Warning } from '../recording/call.ts';
import { describeCall } from './call-description.ts';
import { mergeMetadata } from './metadata/merge.ts';
import type { RecordingMetadata } from './metadata/model.ts';
import { readMetadata } from './metadata/read.ts';
import type { RecordingBody } from './multipart.ts';
import type { IncomingRequest } from './srf.ts';

export class SessionCall {
  readonly #invite: IncomingRequest;
  readonly #told = new Set<string>();
  #metadata: RecordingMetadata | null = null;
  #latestText: string | null = null;

  constructor(invite: IncomingRequest) {
    this.#invite = invite;
  }

  /** Takes in metadata. `raw` is null if it is the same document as the last one, as in every OpenSIPS re-INVITE. */
  apply(
    metadata: NonNullable<RecordingBody['metadata']>,
    receivedMs: number,
  ): { raw: RawMetadata | null; warnings: Warning[] } {
    if (metadata.text === this.#latestText) return { raw: null, warnings: [] };
    this.#latestText = metadata.text;
    const read = readMetadata(metadata.text);
    // A document in which nothing could be found does not wipe out what is known.
    if (read.metadata.participants.length > 0 || !this.#metadata)
      this.#metadata = mergeMetadata(this.#metadata, read.metadata);
    return { raw: { receivedMs: Math.floor(receivedMs), ...metadata }, warnings: read.warnings };
  }

  describe(labels: readonly string[]): CallDescription {
    const { callId, requestUri, headers } = this.#invite;
    return describeCall({ sipCallId: callId, requestUri, headers, metadata: this.#metadata, labels });
  }

  /** Those of the warnings that were not given before. */
  news(warnings: readonly Warning[]): Warning[] {
    return warnings.filter(({ code, message }) => {
      const key = `${code} ${message}`;
      if (this.#told.has(key)) return false;
      return this.#told.add(key);
    });
  }
}
