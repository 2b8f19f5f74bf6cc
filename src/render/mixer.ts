// Tracks to interleaved output, second by second: resampled where rates differ, mixed with saturation.
import { Resampler } from './resample.ts';
import type { Lane, Track } from './track.ts';

/** Takes finished samples: interleaved, `frames` times the number of channels. Valid only until it returns. */
export type SampleSink = (samples: Int16Array) => void;

interface Voice {
  track: Track;
  lane: Lane;
  /** Null at the output rate. */
  resampler: Resampler | null;
  margin: number;
  /** A second of input with its margins; empty without resampling. */
  context: Int16Array;
}

export class Mixer {
  readonly #tracks: readonly Track[];
  readonly #channels: number;
  readonly #rateHz: number;
  readonly #sink: SampleSink;
  /** By channel. */
  readonly #voices: Voice[][];
  /** By track, for each of its lanes. */
  readonly #margins: number[][];
  readonly #block: Int16Array;
  readonly #sum: Float32Array;
  #blockDirty = false;
  #framesLeft: number;
  #second = 0;

  /** Exactly `totalFrames` frames go to the sink. */
  constructor(tracks: readonly Track[], channels: number, rateHz: number, totalFrames: number, sink: SampleSink) {
    this.#tracks = tracks;
    this.#channels = channels;
    this.#rateHz = rateHz;
    this.#framesLeft = totalFrames;
    this.#sink = sink;
    this.#block = new Int16Array(rateHz * channels);
    this.#sum = new Float32Array(rateHz);
    this.#voices = Array.from({ length: channels }, () => []);
    this.#margins = tracks.map((track) =>
      track.lanes.map((lane) => {
        const resampler = lane.rateHz === rateHz ? null : new Resampler(lane.rateHz, rateHz);
        const margin = resampler?.margin ?? 0;
        const context = new Int16Array(resampler ? lane.rateHz + 2 * margin + 1 : 0);
        this.#voices[track.channel]!.push({ track, lane, resampler, margin, context });
        return margin;
      }),
    );
  }

  /** Writes every second that ends before `timeMs`, in audio time. */
  advanceTo(timeMs: number): void {
    while ((this.#second + 1) * 1000 <= timeMs && this.#framesLeft > 0) this.#writeSecond();
  }

  finish(): void {
    while (this.#framesLeft > 0) this.#writeSecond();
  }

  #writeSecond(): void {
    const frames = Math.min(this.#rateHz, this.#framesLeft);
    for (let channel = 0; channel < this.#channels; channel++) this.#mixChannel(channel, frames);
    this.#sink(frames === this.#rateHz ? this.#block : this.#block.subarray(0, frames * this.#channels));
    if (this.#blockDirty) {
      this.#block.fill(0);
      this.#blockDirty = false;
    }
    this.#framesLeft -= frames;
    this.#second++;
    this.#tracks.forEach((track, i) => {
      track.finishSecond(this.#margins[i]!);
    });
  }

  #mixChannel(channel: number, frames: number): void {
    const voices = this.#voices[channel]!;
    let sounding = 0;
    let only: Voice | null = null;
    for (const voice of voices) {
      if (!voice.track.soundsIn(voice.lane, this.#second, voice.margin)) continue;
      sounding++;
      only = voice;
    }
    if (only === null) return;
    this.#blockDirty = true;
    if (sounding === 1 && only.resampler === null) {
      this.#copy(only.lane, channel, frames);
      return;
    }
    this.#sum.fill(0, 0, frames);
    for (const voice of voices) {
      if (voice.track.soundsIn(voice.lane, this.#second, voice.margin)) this.#add(voice, frames);
    }
    this.#saturate(channel, frames);
  }

  #copy(lane: Lane, channel: number, frames: number): void {
    const { samples, mask } = lane.ring;
    const block = this.#block;
    const channels = this.#channels;
    const start = lane.ring.indexOf(this.#second * this.#rateHz);
    let to = channel;
    if (start + frames <= samples.length) {
      for (let from = start; from < start + frames; from++, to += channels) block[to] = samples[from]!;
    } else {
      for (let i = 0; i < frames; i++, to += channels) block[to] = samples[(start + i) & mask]!;
    }
  }

  #add({ lane, resampler, margin, context }: Voice, frames: number): void {
    const sum = this.#sum;
    if (resampler === null) {
      const { samples, mask } = lane.ring;
      const start = lane.ring.indexOf(this.#second * lane.rateHz);
      for (let i = 0; i < frames; i++) sum[i] = sum[i]! + samples[(start + i) & mask]!;
    } else {
      lane.ring.read(this.#second * lane.rateHz - margin, context, context.length);
      resampler.addTo(sum, frames, context);
    }
  }

  #saturate(channel: number, frames: number): void {
    const block = this.#block;
    const channels = this.#channels;
    for (let i = 0, to = channel; i < frames; i++, to += channels) {
      const value = this.#sum[i]!;
      block[to] = value > 32767 ? 32767 : value < -32768 ? -32768 : Math.round(value);
    }
  }
}
