// What each payload type of a stream means in this job (RFC 3551 §6, RFC 3264 §6.1).
import type { RenderStream } from '../recording/engines.ts';
import type { MediaFormat } from '../recording/media.ts';
import { STATIC_PAYLOAD_TYPES } from '../rtp/static-payload-types.ts';
import { ALAW_TO_LINEAR, ULAW_TO_LINEAR } from './codecs/g711.ts';
import { type AudioDecoder, createDecoder } from './codecs/registry.ts';

export type PayloadMeaning =
  | { kind: 'audio'; name: string; clockRateHz: number; ticksPerSample: number; decoder: AudioDecoder }
  /** RFC 4733: becomes events, never audio. */
  | { kind: 'telephone-event'; name: string; clockRateHz: number }
  /** RFC 3389: rendered as silence. */
  | { kind: 'comfort-noise'; name: string }
  /** Kept in the journal only. */
  | { kind: 'undecodable'; name: string };

/**
 * Looks up payload types for one stream: its own formats, then those of the job's other streams (a sender uses the
 * numbers of the far side's SDP, which may be in the other m-line only), then the static table. Where one number was
 * declared twice during the call, the last declaration counts. Each stream has its own decoders.
 */
export class PayloadTypes {
  readonly #stream: RenderStream;
  readonly #others: readonly RenderStream[];
  readonly #meanings: (PayloadMeaning | undefined)[] = new Array(128).fill(undefined);

  constructor(stream: RenderStream, all: readonly RenderStream[]) {
    this.#stream = stream;
    this.#others = all.filter((other) => other !== stream);
  }

  /** `payloadType` is 0–127. */
  of(payloadType: number): PayloadMeaning {
    const known = this.#meanings[payloadType];
    if (known !== undefined) return known;
    const meaning = this.#find(payloadType);
    this.#meanings[payloadType] = meaning;
    return meaning;
  }

  /** What a G.711 payload type means at another rate or with interleaved channels; made anew with each call. */
  g711At(payloadType: number, clockRateHz: number, channels: number): PayloadMeaning {
    const usual = this.of(payloadType);
    const encoding = this.#declared(payloadType)?.encoding ?? '';
    const decoder = createDecoder({ payloadType, encoding, clockRateHz, channels, fmtp: null });
    if (usual.kind !== 'audio' || decoder === null) return usual;
    return { ...usual, clockRateHz, ticksPerSample: 1, decoder };
  }

  /** The code table of a G.711 payload type, null for others. */
  g711Table(payloadType: number): Int16Array | null {
    const { name } = this.of(payloadType);
    if (name.startsWith('PCMU/')) return ULAW_TO_LINEAR;
    return name.startsWith('PCMA/') ? ALAW_TO_LINEAR : null;
  }

  /** As the SDP has it, `PCMU/16000`. */
  labelOf(payloadType: number): string {
    const format = this.#declared(payloadType);
    return format === null ? `payload type ${payloadType}` : `${format.encoding.toUpperCase()}/${format.clockRateHz}`;
  }

  #find(payloadType: number): PayloadMeaning {
    const format = this.#declared(payloadType);
    if (format === null) return { kind: 'undecodable', name: `unknown-${payloadType}` };
    const encoding = format.encoding.toUpperCase();
    const clockRateHz = this.#trustedClockRate(encoding, format.clockRateHz);
    const name = `${encoding}/${clockRateHz}${format.channels > 1 ? `/${format.channels}` : ''}`;
    if (encoding === 'TELEPHONE-EVENT') return { kind: 'telephone-event', name, clockRateHz };
    if (encoding === 'CN') return { kind: 'comfort-noise', name };
    const decoder = createDecoder({ ...format, clockRateHz });
    if (decoder === null) return { kind: 'undecodable', name };
    return { kind: 'audio', name, clockRateHz, ticksPerSample: clockRateHz / decoder.sampleRateHz, decoder };
  }

  /** mod_oreka announces the rate of the channel's codec but always sends G.711 at 8 kHz. */
  #trustedClockRate(encoding: string, declaredHz: number): number {
    const isG711 = encoding === 'PCMU' || encoding === 'PCMA';
    return this.#stream.placement === 'arrival' && isG711 ? 8000 : declaredHz;
  }

  #declared(payloadType: number): MediaFormat | null {
    const isIt = (format: MediaFormat) => format.payloadType === payloadType;
    const own = this.#stream.formats.findLast(isIt);
    if (own !== undefined) return own;
    for (const other of this.#others) {
      const found = other.formats.findLast(isIt);
      if (found !== undefined) return found;
    }
    const fixed = STATIC_PAYLOAD_TYPES.get(payloadType);
    return fixed === undefined ? null : { ...fixed, fmtp: null };
  }
}
