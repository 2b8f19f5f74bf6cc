// Pass 1: reads the whole journal once and learns everything but the samples: figures, stretches, events.
import { currentFormats } from '../recording/declared-formats.ts';
import type { RenderedStream, RenderJob } from '../recording/engines.ts';
import { RtpStatisticsCounter } from '../rtp/statistics.ts';
import { ArrivalChain } from './arrival-chain.ts';
import { KeyPresses } from './dtmf.ts';
import { type EventLog, MAX_EVENTS } from './event-log.ts';
import { JournalWalk } from './journal-walk.ts';
import { Pauses } from './pauses.ts';
import { PayloadTypes } from './payload-types.ts';
import { type PayloadRates, surveyRates } from './rate-survey.ts';
import { RatedPayloads } from './rated-payloads.ts';
import { SequenceClock } from './sequence-clock.ts';
import { SourceWatch } from './sources.ts';
import type { Stretch } from './stretch.ts';
import { StretchFinder } from './stretch-finder.ts';

/**
 * With `arrival` the whole time line hangs on breaks being seen; with `rtp-time` a network's delay may well rise by some
 * ten ms for a while without anything being lost.
 */
const LIMITS = {
  'rtp-time': { lateMs: 80, aheadMs: 3000, heldUpMs: 25_000 },
  arrival: { lateMs: 40, aheadMs: 500, heldUpMs: 0 },
} as const;
/** Sample rates that one stream may use in turn: every one costs a window of samples. */
const MAX_SAMPLE_RATES = 4;

/** From the first sample to behind the last one, ms on the line of the arrival times. */
export interface Extent {
  startMs: number;
  endMs: number;
  /** From the first sample to the arrival of its packet: the packet's length. */
  leadMs: number;
}

export interface StreamAnalysis {
  payloads: PayloadTypes;
  rates: PayloadRates;
  stretches: Stretch[];
  /** From this audio packet on packets are chained by arrival; null when the timestamps are good to the end. */
  chainedFrom: number | null;
  /** Extent of the chained part; ends before it starts when there is none. */
  chained: Extent;
  /** Sample rates of the decodable packets. More are undecodable. */
  sampleRates: number[];
  keyPresses: KeyPresses;
  /** Without what only pass 2 knows: `late`, `rendered`, `driftPpm` are filled in there. */
  figures: RenderedStream;
}

export interface Analysis {
  epochMs: number;
  streams: StreamAnalysis[];
  lastArrivalMs: number;
  truncated: boolean;
  skippedOctets: number;
  clockSteps: number;
}

/** Throws RenderAborted, or what opening and reading the journal throws. */
export function analyse(job: RenderJob, events: EventLog, isAborted: () => boolean): Analysis {
  const rates = surveyRates(job, isAborted);
  const streamIds = job.streams.map((stream) => stream.streamId);
  using walk = new JournalWalk(job.journalPath, streamIds, isAborted);
  const streams: StreamAnalyser[] = job.streams.map(
    (_, index) => new StreamAnalyser(job, index, rates[index]!, events),
  );
  let lastArrivalMs = 0;
  while (walk.next()) {
    if (walk.arrivalMs > lastArrivalMs) lastArrivalMs = walk.arrivalMs;
    streams[walk.stream]!.observe(walk);
  }
  return {
    epochMs: walk.epochMs ?? 0,
    streams: streams.map((stream, index) => stream.finish(walk, index)),
    lastArrivalMs,
    truncated: walk.truncated,
    skippedOctets: walk.skippedOctets,
    clockSteps: walk.clockSteps,
  };
}

class StreamAnalyser {
  readonly #job: RenderJob;
  readonly #streamId: string;
  readonly #payloads: PayloadTypes;
  readonly #rates: PayloadRates;
  readonly #ratedPayloads: RatedPayloads;
  readonly #statistics: RtpStatisticsCounter;
  readonly #finder: StretchFinder;
  readonly #sequenceClock: SequenceClock | null;
  readonly #chain = new ArrivalChain();
  readonly #sources: SourceWatch;
  readonly #keyPresses = new KeyPresses(MAX_EVENTS);
  readonly #sampleRates: number[] = [];
  #pauses: Pauses | null = null;
  #separated = false;
  #lastArrivalMs = Number.POSITIVE_INFINITY;
  #audioPackets = 0;
  readonly #chained: Extent = { startMs: Number.POSITIVE_INFINITY, endMs: Number.NEGATIVE_INFINITY, leadMs: 0 };
  #undecodable = 0;

  constructor(job: RenderJob, index: number, rates: PayloadRates, events: EventLog) {
    const stream = job.streams[index]!;
    this.#job = job;
    this.#streamId = stream.streamId;
    this.#payloads = new PayloadTypes(stream, job.streams);
    this.#rates = rates;
    this.#ratedPayloads = new RatedPayloads(this.#payloads, rates.parts);
    this.#statistics = new RtpStatisticsCounter(currentFormats(stream.formats));
    this.#finder = new StretchFinder(LIMITS[stream.placement]);
    this.#sequenceClock = stream.placement === 'arrival' ? new SequenceClock() : null;
    this.#sources = new SourceWatch(stream.streamId, events);
  }

  observe(walk: JournalWalk): void {
    this.#pauses ??= new Pauses(this.#job.pauses, this.#streamId, walk.epochMs!);
    if (this.#pauses.begunBy(walk.arrivalMs) && this.#statistics.packets > 0) this.#separated = true;
    // Not only at its beginning: the last packets that were taken come a little after the moment that the pause is noted with,
    // and what was dropped on purpose behind them is no loss.
    if (this.#pauses.overlaps(this.#lastArrivalMs, walk.arrivalMs)) this.#statistics.resynchronise();
    this.#lastArrivalMs = walk.arrivalMs;
    this.#sources.observe(walk);
    const { header } = walk;
    const isNew = this.#statistics.observe(header, walk.unixMs) !== 'duplicate';
    const meaning = this.#ratedPayloads.next(header, walk.unixMs);
    switch (meaning.kind) {
      case 'audio': {
        const samples = meaning.decoder.samplesIn(header.payloadEnd - header.payloadStart);
        if (!this.#takesRate(meaning.decoder.sampleRateHz)) {
          if (isNew) this.#undecodable++;
        } else if (samples > 0) {
          this.#placeAudio(walk, samples * meaning.ticksPerSample, meaning.clockRateHz);
        }
        break;
      }
      case 'telephone-event':
        this.#keyPresses.observe(
          walk.buffer,
          header.payloadStart,
          header.payloadEnd,
          header,
          meaning.clockRateHz,
          walk.arrivalMs,
        );
        break;
      case 'undecodable':
        if (isNew) this.#undecodable++;
        break;
      case 'comfort-noise':
        break;
    }
  }

  finish(walk: JournalWalk, index: number): StreamAnalysis {
    const undecrypted = walk.undecrypted[index]!;
    const statistics = this.#statistics.summary();
    return {
      payloads: this.#payloads,
      rates: this.#rates,
      stretches: this.#finder.finish(),
      chainedFrom: this.#finder.lostAt,
      chained: this.#chained,
      sampleRates: this.#sampleRates,
      keyPresses: this.#keyPresses,
      figures: {
        streamId: this.#streamId,
        ...statistics,
        rtcpPackets: walk.rtcpPackets[index]!,
        sources: this.#sources.sources,
        ...(undecrypted > 0 && { undecrypted }),
        drops: walk.unreadable[index]!,
        codecs: this.#codecs(statistics.payloadTypes),
        late: 0,
        undecodable: this.#undecodable,
        rendered: false,
        driftPpm: null,
      },
    };
  }

  #codecs(payloadTypes: Record<number, number>): string[] {
    const packetsByName = new Map<string, number>();
    for (const [payloadType, packets] of Object.entries(payloadTypes)) {
      for (const { name } of this.#payloads.allOf(Number(payloadType)))
        packetsByName.set(name, (packetsByName.get(name) ?? 0) + packets);
    }
    return [...packetsByName].sort((a, b) => b[1] - a[1]).map(([name]) => name);
  }

  #placeAudio(walk: JournalWalk, ticks: number, clockRateHz: number): void {
    const { ssrc, sequenceNumber, rtpTime } = walk.header;
    const time = this.#sequenceClock?.read(ssrc, sequenceNumber, ticks) ?? rtpTime;
    const durationMs = (ticks * 1000) / clockRateHz;
    const spokenMs = walk.arrivalMs - durationMs;
    this.#finder.observe(ssrc, time, ticks, clockRateHz, spokenMs, this.#separated);
    this.#separated = false;
    const packet = this.#audioPackets++;
    if (this.#finder.lostAt === null || packet < this.#finder.lostAt) return;
    const startMs = this.#chain.place(spokenMs, durationMs);
    if (startMs < this.#chained.startMs) {
      this.#chained.startMs = startMs;
      this.#chained.leadMs = durationMs;
    }
    if (startMs + durationMs > this.#chained.endMs) this.#chained.endMs = startMs + durationMs;
  }

  /** False for a sample rate beyond the limit. */
  #takesRate(sampleRateHz: number): boolean {
    if (this.#sampleRates.includes(sampleRateHz)) return true;
    if (this.#sampleRates.length >= MAX_SAMPLE_RATES) return false;
    this.#sampleRates.push(sampleRateHz);
    return true;
  }
}
