// One stream's way into the audio: its window of samples, its holes, and what came too late.
import type { AudioDecoder } from './codecs/registry.ts';
import type { GapFinder } from './gaps.ts';
import { fitSamples } from './resample.ts';
import { PlaceRing, SampleRing } from './window.ts';

/**
 * A packet may be so much later than its place in the audio: a stall of this length is healed, and so are the 20 s that
 * capture may keep the packets of a new sender before it writes them. With the room below, a power of two at 8 kHz.
 */
export const WINDOW_MS = 28_000;
/** Room ahead of the newest arrival, and history that resampling looks back on. */
const ROOM_MS = 4000;
/** Samples in the largest datagram, with some for stretching. */
const SCRATCH_SAMPLES = 70_000;

/** What became of a packet. `repeated`: all its places were taken by its own stretch, it is a duplicate. */
export type Placed = 'placed' | 'late' | 'repeated';

/** Samples of one rate. */
export interface Lane {
  rateHz: number;
  ring: SampleRing;
  /** Behind the last sample written. */
  endFrame: number;
}

/**
 * Where two stretches of one stream overlap, they do not add up: the earlier packet keeps its place. A packet that
 * finds half of its place or more taken is left out whole (two senders at once would otherwise be cut into each other).
 * Packets of different sample rates go to different lanes, but share the places.
 */
export class Track {
  readonly channel: number;
  readonly lanes: Lane[];
  /** True once a packet was placed. */
  rendered = false;
  late = 0;

  readonly #originMs: number;
  /** Places are counted at the highest of the lanes' rates. */
  readonly #gridRateHz: number;
  readonly #places: PlaceRing;
  readonly #gaps: GapFinder;
  readonly #holeFrames: number;
  #endPlace = 0;
  #doneSeconds = 0;
  readonly #decoded = new Int16Array(SCRATCH_SAMPLES);
  readonly #fitted = new Int16Array(SCRATCH_SAMPLES);

  /** @param originMs time of the first sample, ms on the line of the arrival times */
  constructor(channel: number, sampleRates: readonly number[], originMs: number, gaps: GapFinder) {
    this.channel = channel;
    this.#originMs = originMs;
    this.#gridRateHz = Math.max(...sampleRates);
    this.#gaps = gaps;
    const framesAt = (rateHz: number) => Math.ceil(((WINDOW_MS + ROOM_MS) * rateHz) / 1000);
    this.lanes = sampleRates.map((rateHz) => ({ rateHz, ring: new SampleRing(framesAt(rateHz)), endFrame: 0 }));
    this.#places = new PlaceRing(framesAt(this.#gridRateHz));
    this.#holeFrames = Math.floor(this.#gridRateHz / 20);
  }

  /** False for a sample rate that pass 1 refused. */
  takesRate(sampleRateHz: number): boolean {
    for (const lane of this.lanes) if (lane.rateHz === sampleRateHz) return true;
    return false;
  }

  /**
   * Decodes a packet into its place between two times on the line of the arrival times.
   * @param endMs at most 2 s behind the newest arrival, or it would reach round the window
   * @param missingPackets sequence numbers missing before it
   */
  place(
    decoder: AudioDecoder,
    buffer: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    startMs: number,
    endMs: number,
    tag: number,
    missingPackets: number,
  ): Placed {
    const from = frameAt(startMs - this.#originMs, this.#gridRateHz);
    const to = frameAt(endMs - this.#originMs, this.#gridRateHz);
    if (from < this.#doneSeconds * this.#gridRateHz) return this.#tooLate();
    if (to <= from) return 'repeated';
    const lane = this.#laneOf(decoder.sampleRateHz);
    if (from >= this.#endPlace) {
      if (from - this.#endPlace >= this.#holeFrames) this.#gaps.note(from, missingPackets);
      this.#places.mark(from, to - from, tag);
      this.#endPlace = to;
      this.#decodeInto(lane, decoder, buffer, payloadStart, payloadEnd, startMs, endMs);
    } else {
      const taken = this.#places.taken(from, to - from);
      if (taken * 2 >= to - from) return this.#places.at(from) === tag ? 'repeated' : this.#tooLate();
      if (taken === 0) this.#decodeInto(lane, decoder, buffer, payloadStart, payloadEnd, startMs, endMs);
      else this.#decodeAround(lane, decoder, buffer, payloadStart, payloadEnd, startMs, endMs, from, to);
      this.#places.markFree(from, to - from, tag);
      if (to > this.#endPlace) this.#endPlace = to;
    }
    this.rendered = true;
    return 'placed';
  }

  /** True if the second that begins at `second` holds anything that sounds, with `margin` frames around it. */
  soundsIn(lane: Lane, second: number, margin: number): boolean {
    return lane.endFrame > second * lane.rateHz - margin;
  }

  /** The next second has been written: its holes are told and its memory is given back, but for `margins` per lane. */
  finishSecond(margins: readonly number[]): void {
    const second = this.#doneSeconds++;
    const from = second * this.#gridRateHz;
    if (this.#endPlace > from) {
      this.#gaps.scan(this.#places, from, from + this.#gridRateHz);
      this.#places.mark(from, this.#gridRateHz, 0);
    } else {
      this.#gaps.skip(from);
    }
    this.lanes.forEach((lane, i) => {
      const laneFrom = second * lane.rateHz - margins[i]!;
      if (lane.endFrame > laneFrom) lane.ring.clear(laneFrom, lane.rateHz);
    });
  }

  #tooLate(): Placed {
    this.late++;
    return 'late';
  }

  #laneOf(rateHz: number): Lane {
    for (const lane of this.lanes) if (lane.rateHz === rateHz) return lane;
    return this.lanes[0]!;
  }

  #decodeInto(
    lane: Lane,
    decoder: AudioDecoder,
    buffer: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    startMs: number,
    endMs: number,
  ): void {
    const from = frameAt(startMs - this.#originMs, lane.rateHz);
    const count = frameAt(endMs - this.#originMs, lane.rateHz) - from;
    if (from + count > lane.endFrame) lane.endFrame = from + count;
    const samples = decoder.samplesIn(payloadEnd - payloadStart);
    const ring = lane.ring;
    const at = ring.indexOf(from);
    if (samples === count && at + count <= ring.frames) {
      decoder.decode(buffer, payloadStart, payloadEnd, ring.samples, at);
      return;
    }
    decoder.decode(buffer, payloadStart, payloadEnd, this.#decoded, 0);
    ring.write(from, this.#fit(samples, count), count);
  }

  /** Writes only where nobody has written. */
  #decodeAround(
    lane: Lane,
    decoder: AudioDecoder,
    buffer: Uint8Array,
    payloadStart: number,
    payloadEnd: number,
    startMs: number,
    endMs: number,
    fromPlace: number,
    toPlace: number,
  ): void {
    const from = frameAt(startMs - this.#originMs, lane.rateHz);
    const count = frameAt(endMs - this.#originMs, lane.rateHz) - from;
    if (count <= 0) return;
    if (from + count > lane.endFrame) lane.endFrame = from + count;
    decoder.decode(buffer, payloadStart, payloadEnd, this.#decoded, 0);
    const fitted = this.#fit(decoder.samplesIn(payloadEnd - payloadStart), count);
    const ring = lane.ring;
    const placesPerFrame = (toPlace - fromPlace) / count;
    for (let i = 0; i < count; i++) {
      if (this.#places.at(fromPlace + Math.floor(i * placesPerFrame)) === 0) {
        ring.samples[ring.indexOf(from + i)] = fitted[i]!;
      }
    }
  }

  /** The decoded samples in so many places. */
  #fit(samples: number, places: number): Int16Array {
    if (samples === places) return this.#decoded;
    fitSamples(this.#decoded, samples, this.#fitted, places);
    return this.#fitted;
  }
}

/**
 * Frame number of a time. The little extra keeps times that fall between two frames from tipping either way by the
 * rounding of their last binary digit.
 */
export function frameAt(timeMs: number, rateHz: number): number {
  return Math.floor((timeMs * rateHz) / 1000 + 0.50001);
}
