// One render, from journal to WAV, synchronously: two passes over the journal in bounded memory.
import type { RenderJob, RenderResult } from '../recording/engines.ts';
import { type Analysis, analyse, type Extent, type StreamAnalysis } from './analyse.ts';
import { driftPpm } from './clock-map.ts';
import { Covered } from './covered.ts';
import type { KeyPress } from './dtmf.ts';
import { EventLog } from './event-log.ts';
import { GapFinder } from './gaps.ts';
import { type MappedStretch, mapStretches, tickIn } from './locator.ts';
import { Mixer } from './mixer.ts';
import { Pauses } from './pauses.ts';
import { type PlacedStream, placePackets } from './place.ts';
import { frameAt, Track } from './track.ts';
import { renderWarnings } from './warnings.ts';
import { WavFile } from './wav-file.ts';

/** How far a key press may lie beside its packet's arrival before its timestamp is not believed. */
const KEY_BEFORE_MS = 5000;
const KEY_BEHIND_MS = 500;

export interface RenderOptions {
  /** Asked now and then; when true the render stops with RenderAborted. */
  isAborted?: () => boolean;
  /** File size from which the header is RF64. */
  rf64FromOctets?: number;
}

/** Renders the job in the calling thread. Throws RenderAborted, and what reading or writing files throws. */
export function renderJob(job: RenderJob, options: RenderOptions = {}): RenderResult {
  const isAborted = options.isAborted ?? (() => false);
  const events = new EventLog();
  const analysis = analyse(job, events, isAborted);
  const stretches = analysis.streams.map((stream) => mapStretches(stream.stretches));
  const extent = audioExtent(analysis, stretches);
  analysis.streams.forEach((stream, i) => {
    const covered = new Covered(job.streams[i]!.standIns ?? [], analysis);
    tellKeyPresses(stream, stretches[i]!, extent?.leadMs ?? 0, events, (press) =>
      covered.at(analysis.epochMs + press.arrivalMs),
    );
    stream.figures.driftPpm = longestDrift(stream);
  });
  let audio: RenderResult['audio'] = null;
  if (extent !== null) {
    const sampleRateHz = job.sampleRateHz ?? Math.max(...analysis.streams.flatMap((stream) => stream.sampleRates));
    const { startMs, endMs } = extent;
    const frames = Math.max(1, frameAt(endMs - startMs, sampleRateHz));
    const streams = analysis.streams.map((stream, i) => {
      if (stream.sampleRates.length === 0) return null;
      const { streamId } = stream.figures;
      const pauses = new Pauses(job.pauses, streamId, analysis.epochMs);
      const gaps = new GapFinder(streamId, Math.max(...stream.sampleRates), startMs, pauses, events);
      const track = new Track(channelOf(job, i), stream.sampleRates, startMs, gaps);
      return { analysis: stream, stretches: stretches[i]!, track };
    });
    const file = new WavFile(
      job.audioPath,
      { sampleRateHz, channels: job.channels, frames, info: job.info },
      options.rf64FromOctets,
    );
    try {
      const tracks = streams.filter((stream) => stream !== null).map((stream) => stream.track);
      const mixer = new Mixer(tracks, job.channels, sampleRateHz, frames, (samples) => file.write(samples));
      placePackets(job, analysis, streams, startMs, mixer, isAborted);
      tellPlaced(streams);
      audio = {
        sampleRateHz,
        channels: job.channels,
        durationMs: (frames * 1000) / sampleRateHz,
        startMs: analysis.epochMs + startMs + extent.leadMs,
        ...file.finish(),
      };
    } catch (error) {
      file.discard();
      throw error;
    }
  }
  return {
    audio,
    streams: analysis.streams.map((stream) => stream.figures),
    events: events.finish(extent?.startMs ?? 0, extent?.leadMs ?? 0),
    warnings: [...renderWarnings(job, analysis, extent?.startMs ?? 0), ...events.warnings()],
  };
}

/** Over all streams; null without audio. */
function audioExtent(analysis: Analysis, stretches: MappedStretch[][]): Extent | null {
  const all: Extent = { startMs: Number.POSITIVE_INFINITY, endMs: Number.NEGATIVE_INFINITY, leadMs: 0 };
  for (const part of [...stretches.flat(), ...analysis.streams.map((stream) => stream.chained)]) {
    if (part.startMs < all.startMs) {
      all.startMs = part.startMs;
      all.leadMs = part.leadMs;
    }
    all.endMs = Math.max(all.endMs, part.endMs);
  }
  return all.startMs < all.endMs ? all : null;
}

/** A stream beyond the channels is heard on the last one rather than lost. */
function channelOf(job: RenderJob, index: number): number {
  return Math.min(Math.max(0, job.streams[index]!.channel), job.channels - 1);
}

function tellPlaced(streams: readonly (PlacedStream | null)[]): void {
  for (const stream of streams) {
    if (stream === null) continue;
    stream.analysis.figures.late = stream.track.late;
    stream.analysis.figures.rendered = stream.track.rendered;
  }
}

function longestDrift(stream: StreamAnalysis): number | null {
  let longest = null;
  for (const stretch of stream.stretches) {
    if (longest === null || stretch.envelopeTicks.length > longest.envelopeTicks.length) longest = stretch;
  }
  return longest && driftPpm(longest);
}

function tellKeyPresses(
  stream: StreamAnalysis,
  stretches: readonly MappedStretch[],
  leadMs: number,
  events: EventLog,
  isCovered: (press: KeyPress) => boolean,
): void {
  for (const press of stream.keyPresses.presses) {
    if (isCovered(press)) continue;
    const durationMs = (press.durationTicks * 1000) / press.clockRateHz;
    events.dtmf(stream.figures.streamId, keyTimeMs(press, stretches, leadMs), durationMs, press.digit);
  }
}

/** By its timestamp in the stretch around it; by arrival where there is none, or none that fits. */
function keyTimeMs(press: KeyPress, stretches: readonly MappedStretch[], leadMs: number): number {
  for (const mapped of stretches) {
    const { ssrc, clockRateHz } = mapped.stretch;
    if (ssrc !== press.ssrc || clockRateHz !== press.clockRateHz) continue;
    const timeMs = mapped.map.timeMs(tickIn(mapped, press.rtpTime, press.arrivalMs));
    if (timeMs > press.arrivalMs - KEY_BEFORE_MS && timeMs < press.arrivalMs + KEY_BEHIND_MS) return timeMs;
  }
  return press.arrivalMs - leadMs;
}
