// One stream of a running call: its packets are decoded and put where they belong, a few seconds are kept.
import type { RenderStream } from '../../recording/engines.ts';
import type { RtpHeader } from '../../rtp/packet.ts';
import type { PayloadTypes } from '../payload-types.ts';

/** How much audio is kept; what is not taken by then is overwritten. */
const KEPT_MS = 4_000;
/** A packet stands so much behind its arrival, against jitter. */
const CUSHION_MS = 60;
/** Where the sender's clock and the arrival differ by more, the place is taken from the arrival anew. */
const TOLERANCE_MS = 200;
const MAX_PACKET_SAMPLES = 9_600;

/** Positions are samples of the output since Unix time 0. */
export class LiveTrack {
  readonly channel: number;
  /** How many formats its stream had. */
  readonly formatCount: number;
  readonly #types: PayloadTypes;
  readonly #byArrival: boolean;
  readonly #rateHz: number;
  readonly #kept: Int16Array;
  readonly #decoded = new Int16Array(MAX_PACKET_SAMPLES);
  #ssrc = -1;
  #payloadType = -1;
  /** Where the RTP time `#anchorTime` stands. */
  #anchorAt = 0;
  #anchorTime = 0;
  /** Behind the last packet. */
  #end = 0;
  /** What comes for before that is too late. */
  #takenTo: number;

  constructor({ channel, placement, formats }: RenderStream, types: PayloadTypes, rateHz: number, takenTo: number) {
    this.#takenTo = takenTo;
    this.channel = channel;
    this.formatCount = formats.length;
    this.#types = types;
    this.#byArrival = placement === 'arrival';
    this.#rateHz = rateHz;
    this.#kept = new Int16Array((rateHz * KEPT_MS) / 1000);
  }

  /** Duplicates overwrite themselves; whatever is no decodable audio leaves silence. */
  add(buffer: Uint8Array, header: RtpHeader, arrivalMs: number): void {
    const meaning = this.#types.of(header.payloadType, arrivalMs);
    if (meaning.kind !== 'audio') return;
    const { decoder, ticksPerSample } = meaning;
    const samples = decoder.samplesIn(header.payloadEnd - header.payloadStart);
    if (samples === 0 || samples > MAX_PACKET_SAMPLES) return;
    decoder.decode(buffer, header.payloadStart, header.payloadEnd, this.#decoded, 0);

    const step = this.#rateHz / decoder.sampleRateHz;
    const due = ((arrivalMs + CUSHION_MS) * this.#rateHz) / 1000;
    const ticks = (header.rtpTime - this.#anchorTime) | 0;
    let at = this.#byArrival ? this.#end : this.#anchorAt + (ticks / ticksPerSample) * step;
    const sameSource = header.ssrc === this.#ssrc && header.payloadType === this.#payloadType;
    if (!sameSource || Math.abs(at - due) > (TOLERANCE_MS * this.#rateHz) / 1000) {
      this.#ssrc = header.ssrc;
      this.#payloadType = header.payloadType;
      this.#anchorAt = Math.round(due);
      this.#anchorTime = header.rtpTime;
      at = this.#anchorAt;
    }
    this.#write(Math.round(at), samples, step);
  }

  /** Adds `frames` samples from `at` on to every `stride`th of `into`, and forgets them. */
  takeInto(into: Int32Array, offset: number, stride: number, at: number, frames: number): void {
    const kept = this.#kept;
    // What nobody took, because the recorder was busy for long, is too old now.
    for (let i = Math.max(this.#takenTo, at - kept.length, this.#end - kept.length); i < at; i++)
      kept[i % kept.length] = 0;
    this.#takenTo = at + frames;
    for (let i = 0; i < frames; i++) {
      const place = (at + i) % kept.length;
      into[offset + i * stride]! += kept[place]!;
      kept[place] = 0;
    }
  }

  /** Straight lines between samples: good enough to listen in; the recording itself is made with more care. */
  #write(at: number, samples: number, step: number): void {
    const frames = Math.round(samples * step);
    const [kept, decoded] = [this.#kept, this.#decoded];
    // In a place that has been taken it would be heard when the ring comes round again.
    for (let i = Math.max(0, this.#takenTo - at); i < frames; i++) {
      const exact = i / step;
      const before = Math.floor(exact);
      const left = decoded[before]!;
      const right = before + 1 < samples ? decoded[before + 1]! : left;
      kept[(at + i) % kept.length] = left + (right - left) * (exact - before);
    }
    this.#end = at + frames;
  }
}
