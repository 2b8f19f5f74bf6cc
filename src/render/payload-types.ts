// What each payload type of a stream means in this job (RFC 3551 §6, RFC 3264 §6.1).

import { formatAt } from '../recording/declared-formats.ts';
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
 * numbers of the far side's SDP, which may be in the other m-line only), then the static table. A number that was given
 * another meaning during the call means what it meant when the packet came. Each stream has its own decoders.
 */
export class PayloadTypes {
  readonly #stream: RenderStream;
  readonly #others: readonly RenderStream[];
  readonly #meanings: (PayloadMeaning | undefined)[] = new Array(128).fill(undefined);
  /** Of the numbers that had more than one: what was looked up, by declaration. */
  readonly #changing = new Map<number, Map<MediaFormat | null, PayloadMeaning>>();

  constructor(stream: RenderStream, all: readonly RenderStream[]) {
    this.#stream = stream;
    this.#others = all.filter((other) => other !== stream);
    for (const { payloadType, untilMs } of all.flatMap(({ formats }) => formats))
      if (untilMs !== undefined) this.#changing.set(payloadType, new Map());
  }

  /** `payloadType` is 0–127; `unixMs` is when the packet came. */
  of(payloadType: number, unixMs = Number.POSITIVE_INFINITY): PayloadMeaning {
    const known = this.#meanings[payloadType];
    if (known !== undefined) return known;
    const changing = this.#changing.get(payloadType);
    if (changing) return this.#changed(payloadType, unixMs, changing);
    const meaning = this.#find(payloadType, this.#declared(payloadType, unixMs));
    this.#meanings[payloadType] = meaning;
    return meaning;
  }

  /** All that the number was taken for in what has been looked up. */
  allOf(payloadType: number): PayloadMeaning[] {
    const changing = [...(this.#changing.get(payloadType)?.values() ?? [])];
    return changing.length > 0 ? changing : [this.of(payloadType)];
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

  #changed(payloadType: number, unixMs: number, meanings: Map<MediaFormat | null, PayloadMeaning>): PayloadMeaning {
    const format = this.#declared(payloadType, unixMs);
    const known = meanings.get(format);
    if (known !== undefined) return known;
    const meaning = this.#find(payloadType, format);
    meanings.set(format, meaning);
    return meaning;
  }

  #find(payloadType: number, format: MediaFormat | null): PayloadMeaning {
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

  #declared(payloadType: number, unixMs = Number.POSITIVE_INFINITY): MediaFormat | null {
    for (const { formats } of [this.#stream, ...this.#others]) {
      const found = formatAt(formats, payloadType, unixMs);
      if (found !== null) return found;
    }
    const fixed = STATIC_PAYLOAD_TYPES.get(payloadType);
    return fixed === undefined ? null : { ...fixed, fmtp: null };
  }
}
