// The recorder's figures for Prometheus. Counters cover the recordings filed since the start; gauges are read when asked for.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { RecordingDocument } from '../recording/document.ts';
import { hasSilentSide } from '../recording/matches-query.ts';
import { type GaugeSources, LiveGauges } from './live-gauges.ts';

export class Metrics {
  readonly #registry = new Registry();
  readonly #live: LiveGauges;

  readonly #filed = this.#counter('sipreel_recordings_filed_total', 'Finished recordings', ['source', 'state']);
  readonly #ends = this.#counter('sipreel_recording_ends_total', 'Why recordings ended', ['reason']);
  readonly #packets = this.#counter('sipreel_rtp_packets_total', 'RTP packets of filed recordings, by their fate', [
    'fate',
  ]);
  readonly #drops = this.#counter('sipreel_datagrams_dropped_total', 'Datagrams not recorded, by reason', ['reason']);
  readonly #silent = this.#counter(
    'sipreel_silent_sides_total',
    'Recordings in which one side was heard and another not',
  );
  readonly #duration = this.#histogram(
    'sipreel_recording_duration_seconds',
    'Length of the audio',
    [5, 15, 60, 180, 600, 1_800, 3_600, 14_400],
  );
  readonly #jitter = this.#histogram(
    'sipreel_stream_jitter_seconds',
    'Interarrival jitter at the end of each stream (RFC 3550)',
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
  );
  readonly #loss = this.#histogram(
    'sipreel_stream_loss_ratio',
    'Packets lost of those expected, per stream',
    [0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
  );

  constructor(sources: GaugeSources, version: string) {
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: 'sipreel_build_info',
      help: 'The version that runs',
      labelNames: ['version'],
      registers: [this.#registry],
    }).set({ version }, 1);
    this.#live = new LiveGauges(sources);
  }

  /** A recording has been filed. */
  filed(document: RecordingDocument): void {
    this.#filed.inc({ source: document.source, state: document.state });
    this.#ends.inc({ reason: document.endReason });
    if (document.audio) this.#duration.observe(document.times.durationMs / 1_000);
    if (hasSilentSide(document)) this.#silent.inc();
    for (const stream of document.streams) {
      this.#packets.inc({ fate: 'recorded' }, stream.packets);
      for (const fate of ['lost', 'duplicate', 'late', 'reordered', 'undecodable'] as const) {
        this.#packets.inc({ fate }, stream[fate]);
      }
      for (const [reason, count] of Object.entries(stream.drops)) this.#drops.inc({ reason }, count);
      if (stream.packets === 0) continue;
      this.#jitter.observe(stream.jitterMs / 1_000);
      this.#loss.observe(stream.lost / (stream.packets + stream.lost));
    }
  }

  async read(): Promise<{ contentType: string; text: string }> {
    await this.#live.refresh();
    const text = await Registry.merge([this.#registry, this.#live.registry]).metrics();
    return { contentType: this.#registry.contentType, text };
  }

  #counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.#registry] });
  }
}
