// Pass 2: decodes every packet into its place and lets finished seconds go to the file.
import type { RenderJob } from '../recording/engines.ts';
import type { Analysis, StreamAnalysis } from './analyse.ts';
import { Covered } from './covered.ts';
import { JournalWalk } from './journal-walk.ts';
import { Locator, type MappedStretch } from './locator.ts';
import type { Mixer } from './mixer.ts';
import { RatedPayloads } from './rated-payloads.ts';
import { type Track, WINDOW_MS } from './track.ts';

/** A packet cannot hold what was spoken so long after its arrival: its timestamp is wrong. */
const LARGEST_LEAD_MS = 1000;

/** Of one stream. */
export interface PlacedStream {
  analysis: StreamAnalysis;
  stretches: readonly MappedStretch[];
  track: Track;
}

/** @param streams by position in the job; null for streams without audio. Throws RenderAborted and file errors. */
export function placePackets(
  job: RenderJob,
  analysis: Analysis,
  streams: readonly (PlacedStream | null)[],
  originMs: number,
  mixer: Mixer,
  isAborted: () => boolean,
): void {
  const streamIds = job.streams.map((stream) => stream.streamId);
  const placers = streams.map((stream, i) => stream && new Placer(stream, job.streams[i]!.placement));
  using walk = new JournalWalk(job.journalPath, streamIds, isAborted);
  let newestMs = 0;
  const covered = job.streams.map(({ standIns = [] }) => new Covered(standIns, analysis));
  while (walk.next()) {
    // A journal that grew since pass 1 must not make the audio longer than its header says.
    if (walk.arrivalMs > analysis.lastArrivalMs) continue;
    if (walk.arrivalMs > newestMs) {
      newestMs = walk.arrivalMs;
      mixer.advanceTo(newestMs - originMs - WINDOW_MS);
    }
    placers[walk.stream]?.place(walk, covered[walk.stream]!.at(walk.unixMs));
  }
  mixer.finish();
}

class Placer {
  readonly #stream: PlacedStream;
  readonly #locator: Locator;
  readonly #payloads: RatedPayloads;
  #ssrc = -1;
  #sequenceNumber = 0;
  #missing = 0;

  constructor(stream: PlacedStream, placement: 'rtp-time' | 'arrival') {
    this.#stream = stream;
    this.#payloads = new RatedPayloads(stream.analysis.payloads, stream.analysis.rates.parts);
    this.#locator = new Locator(stream.analysis, stream.stretches, placement);
  }

  /** `covered`: its place is another stream's. */
  place(walk: JournalWalk, covered: boolean): void {
    const { header } = walk;
    this.#countMissing(header.ssrc, header.sequenceNumber);
    const meaning = this.#payloads.next(header, walk.unixMs);
    if (meaning.kind !== 'audio') return;
    const { decoder } = meaning;
    const samples = decoder.samplesIn(header.payloadEnd - header.payloadStart);
    const { track } = this.#stream;
    if (samples === 0 || !track.takesRate(decoder.sampleRateHz)) return;
    const locator = this.#locator;
    const found = locator.locate(header, samples * meaning.ticksPerSample, meaning.clockRateHz, walk.arrivalMs);
    if (covered) return;
    if (!found || locator.endMs > walk.arrivalMs + LARGEST_LEAD_MS) {
      track.late++;
      return;
    }
    const placed = track.place(
      decoder,
      walk.buffer,
      header.payloadStart,
      header.payloadEnd,
      locator.startMs,
      locator.endMs,
      locator.tag,
      this.#missing,
    );
    if (placed === 'placed') this.#missing = 0;
  }

  /** Counts all packets, so that telephone events and comfort noise are not taken for loss. */
  #countMissing(ssrc: number, sequenceNumber: number): void {
    const step = ((sequenceNumber - this.#sequenceNumber) << 16) >> 16;
    if (ssrc === this.#ssrc) {
      if (step <= 0) return;
      this.#missing += step - 1;
    } else {
      this.#ssrc = ssrc;
      this.#missing = 0;
    }
    this.#sequenceNumber = sequenceNumber;
  }
}
