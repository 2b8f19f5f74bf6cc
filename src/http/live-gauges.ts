// Figures that are read when Prometheus asks: load, queues, delays, disk, and what keeps new calls out.
import { readFile, statfs } from 'node:fs/promises';
import { Counter, Gauge, Registry } from 'prom-client';
import type { CaptureHealth } from '../capture/capture-engine.ts';
import type { DeliveryQueue } from '../delivery/outbox.ts';
import type { Clock } from '../lib/clock.ts';
import type { QueueFigures } from '../lib/waiting-times.ts';
import type { Readiness } from '../recording/admission.ts';
import type { RecordingControl } from '../recording/control.ts';

/** SIP requests of strangers since the start, by what became of them. */
export type RefusedRequests = Record<string, number>;

/** What is done to recordings in the background, by name: `finish`, `store`, `formats`. */
export type WorkQueues = Record<string, QueueFigures>;

export interface GaugeSources {
  dataDirectory: string;
  readiness: () => Readiness;
  captureHealth: () => CaptureHealth;
  refusedRequests: () => RefusedRequests;
  control: RecordingControl | null;
  /** May reject: the figures are left out then. */
  deliveryQueues: () => Promise<DeliveryQueue[]>;
  workQueues: () => WorkQueues;
  clock: Clock;
}

/** A running recording counts as silent when nothing has come for so long, as well at its start as later. */
const SILENT_AFTER_MS = 10_000;

export class LiveGauges {
  readonly registry = new Registry();
  readonly #sources: GaugeSources;

  readonly #ready = this.#gauge('sipreel_ready', '1 while new calls are taken, 0 while they are refused');
  readonly #refusing = this.#gauge('sipreel_refusing', '1 for each reason for which new calls are refused', ['code']);
  readonly #admission = this.#gauge(
    'sipreel_admission_gauge',
    'What decides whether calls are taken; unit in the name',
    ['gauge'],
  );
  readonly #active = this.#gauge('sipreel_recordings_active', 'Running recordings');
  readonly #unfinished = this.#gauge(
    'sipreel_recordings_unfinished',
    'Ended recordings that wait to be rendered and filed',
  );
  readonly #withoutMedia = this.#gauge(
    'sipreel_recordings_without_media',
    'Running recordings, not held and not paused, that have received no RTP for 10 seconds',
  );
  readonly #workerLag = this.#gauge('sipreel_capture_worker_lag_seconds', 'How late the worker is with its work', [
    'worker',
  ]);
  readonly #handOverLag = this.#gauge('sipreel_capture_socket_lag_seconds', 'How late sockets were read at worst', [
    'worker',
  ]);
  readonly #writeLag = this.#gauge('sipreel_capture_write_lag_seconds', 'How long the oldest journal write waits', [
    'worker',
  ]);
  readonly #waiting = this.#gauge('sipreel_capture_waiting_bytes', 'Journal data that waits to be written', ['worker']);
  readonly #rate = this.#gauge('sipreel_capture_packets_per_second', 'RTP packets recorded', ['worker']);
  readonly #streams = this.#gauge('sipreel_capture_streams', 'Open media streams', ['worker']);
  readonly #failing = this.#gauge('sipreel_capture_failing_journals', 'Journals whose last write failed', ['worker']);
  readonly #ports = this.#gauge('sipreel_rtp_port_pairs', 'RTP and RTCP port pairs', ['state']);
  readonly #disk = this.#gauge('sipreel_disk_bytes', 'The file system of the data directory', ['state']);
  readonly #delivery = this.#gauge('sipreel_delivery_events', 'Events that stand for a receiver', ['target', 'state']);
  readonly #deliveryAge = this.#gauge('sipreel_delivery_oldest_seconds', 'Age of the oldest event that waits', [
    'target',
  ]);
  readonly #queued = this.#gauge(
    'sipreel_queue_recordings',
    'Recordings that wait to be finished (rendered and filed), copied into the store, or given other formats',
    ['queue'],
  );
  readonly #queueAge = this.#gauge('sipreel_queue_oldest_seconds', 'How long the first of them has waited', ['queue']);
  readonly #refused: Counter<'reason'>;
  readonly #deaths: Counter;
  readonly #kernelDrops: Counter;
  #deathsTold = 0;
  #kernelDropsTold: number | null = null;

  constructor(sources: GaugeSources) {
    this.#sources = sources;
    this.#refused = new Counter({
      name: 'sipreel_sip_requests_refused_total',
      help: 'SIP requests that access control refused or dropped, by reason',
      labelNames: ['reason'],
      registers: [this.registry],
    });
    this.#deaths = new Counter({
      name: 'sipreel_capture_worker_deaths_total',
      help: 'Capture workers that died and were replaced',
      registers: [this.registry],
    });
    this.#kernelDrops = new Counter({
      name: 'sipreel_kernel_udp_drops_total',
      help: 'Datagrams that the kernel dropped for full receive buffers since the start, of all programs in this network namespace',
      registers: [this.registry],
    });
  }

  async refresh(): Promise<void> {
    this.#refreshAdmission();
    this.#refreshRefused();
    this.#refreshQueues();
    this.#refreshCapture();
    this.#refreshSilence();
    await Promise.all([this.#refreshDisk(), this.#refreshKernel(), this.#refreshDelivery()]);
  }

  #refreshAdmission(): void {
    const { ready, reasons, gauges } = this.#sources.readiness();
    this.#ready.set(ready ? 1 : 0);
    this.#refusing.reset();
    for (const { code } of reasons) this.#refusing.set({ code }, 1);
    for (const { name, value } of gauges) {
      if (value === null) continue;
      if (name === 'recordings') this.#active.set(value);
      else if (name === 'unfinishedRecordings') this.#unfinished.set(value);
      else this.#admission.set({ gauge: name }, value);
    }
  }

  #refreshRefused(): void {
    // The sources count on; so what they say now is set anew.
    this.#refused.reset();
    for (const [reason, count] of Object.entries(this.#sources.refusedRequests())) this.#refused.inc({ reason }, count);
  }

  #refreshQueues(): void {
    for (const [queue, { count, oldestMs }] of Object.entries(this.#sources.workQueues())) {
      this.#queued.set({ queue }, count);
      this.#queueAge.set({ queue }, oldestMs / 1_000);
    }
  }

  #refreshCapture(): void {
    const { workers, deaths, ports } = this.#sources.captureHealth();
    for (const worker of workers) {
      const label = { worker: String(worker.id) };
      this.#workerLag.set(label, worker.lagMs / 1_000);
      this.#handOverLag.set(label, worker.handOverLagMs / 1_000);
      this.#writeLag.set(label, worker.writeLagMs / 1_000);
      this.#waiting.set(label, worker.waitingOctets);
      this.#rate.set(label, worker.packetsPerSecond);
      this.#streams.set(label, worker.streams);
      this.#failing.set(label, worker.failingJournals);
    }
    this.#ports.set({ state: 'used' }, ports.used);
    this.#ports.set({ state: 'resting' }, ports.resting);
    this.#ports.set({ state: 'free' }, ports.pairs - ports.used - ports.resting);
    this.#deaths.inc(Math.max(0, deaths - this.#deathsTold));
    this.#deathsTold = deaths;
  }

  #refreshSilence(): void {
    const { control, clock } = this.#sources;
    const sinceMs = clock.nowMs() - SILENT_AFTER_MS;
    const silent = (control?.live() ?? []).filter(({ startMs, streams }) => {
      const expected = streams.filter(({ receiving, paused }) => receiving && !paused);
      return (
        startMs < sinceMs && expected.length > 0 && expected.every(({ lastPacketMs }) => (lastPacketMs ?? 0) < sinceMs)
      );
    });
    this.#withoutMedia.set(silent.length);
  }

  async #refreshDisk(): Promise<void> {
    const disk = await statfs(this.#sources.dataDirectory).catch(() => null);
    if (!disk) return this.#disk.reset();
    this.#disk.set({ state: 'free' }, disk.bavail * disk.bsize);
    this.#disk.set({ state: 'total' }, disk.blocks * disk.bsize);
  }

  async #refreshDelivery(): Promise<void> {
    const { deliveryQueues, clock } = this.#sources;
    this.#delivery.reset();
    this.#deliveryAge.reset();
    for (const { target, waiting, oldestMs, dead } of await deliveryQueues().catch(() => [])) {
      this.#delivery.set({ target, state: 'waiting' }, waiting);
      this.#delivery.set({ target, state: 'given-up' }, dead);
      this.#deliveryAge.set({ target }, oldestMs === null ? 0 : Math.max(0, clock.wallMs() - oldestMs) / 1_000);
    }
  }

  async #refreshKernel(): Promise<void> {
    const [v4, v6] = await Promise.all([
      readFile('/proc/net/snmp', 'utf8').catch(() => ''),
      readFile('/proc/net/snmp6', 'utf8').catch(() => ''),
    ]);
    const drops = receiveBufferErrors(v4, v6);
    if (drops === null) return;
    this.#kernelDrops.inc(Math.max(0, drops - (this.#kernelDropsTold ?? drops)));
    this.#kernelDropsTold = drops;
  }

  #gauge<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}

/** RcvbufErrors of both UDP versions, from /proc/net/snmp and /proc/net/snmp6. Null where there is none. */
export function receiveBufferErrors(snmp: string, snmp6: string): number | null {
  const [names, values] = [...snmp.matchAll(/^Udp: (.*)$/gm)].map(([, rest = '']) => rest.split(' '));
  const at = names?.indexOf('RcvbufErrors') ?? -1;
  const v4 = at < 0 ? null : Number(values?.[at]);
  const v6 = /^Udp6RcvbufErrors\s+(\d+)$/m.exec(snmp6)?.[1];
  return v4 === null && v6 === undefined ? null : (v4 ?? 0) + Number(v6 ?? 0);
}
