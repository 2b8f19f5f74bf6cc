// The capture engine: port pairs, workers and sessions put together behind the interface that the heart declares.
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Clock, type ClockAnchor, processAnchor, systemClock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';
import { type Log, silentLog } from '../lib/log.ts';
import type { CaptureEngine, CaptureEvents, CaptureLoad, RestoredStream } from '../recording/engines.ts';
import type { AnnouncedAddress, AnnouncedPort } from '../recording/media.ts';
import { Announcements, isAnnouncement } from './announcements.ts';
import { WorkerCaptureSession } from './capture-session.ts';
import type { SyncPolicy } from './journal-file.ts';
import { type PoolWorker, WorkerPool } from './pool.ts';
import { PortPool, type PortRange } from './ports.ts';
import type { CaptureNews, ReceiverKind, WorkerSums } from './protocol.ts';
import { RECEIVE_BUFFER_OCTETS } from './receive-buffer.ts';
import { chooseReceiver, type ReceiverChoice } from './receiver-choice.ts';

const REST_MS = 5000;
const TAKEOVER_MS = 2000;
const FLUSH_MS = 200;
/** Workers report every second; twice that is no sign of trouble yet. */
const SILENCE_MS = 2000;
const REPORT_INTERVAL_MS = 5000;
const RECORDING_BUFFER_OCTETS = 8 << 20;
const WORKER_BUFFER_OCTETS = 512 << 20;

export interface CaptureOptions {
  /** How datagrams are received. Default `auto`. */
  receiver?: ReceiverChoice;
  /** Where RTP and RTCP are received, e.g. `0.0.0.0`. */
  bindAddress: string;
  portRange: PortRange;
  /** Our address as the journal shows it. Default: `bindAddress`. */
  localHost?: string;
  /** Threads that take calls; there is a spare one besides. Default: one less than cores, between 1 and 4. */
  workers?: number;
  /** A worker that says nothing for so long hangs, and is replaced. Default 5000. */
  silenceLimitMs?: number;
  /** How long after the start a spare thread is started. Default 10,000. */
  spareAfterMs?: number;
  clock?: Clock;
  /** The anchor that `clock` was made from; workers make theirs from it. */
  anchor?: ClockAnchor;
  log?: Log;
  /** How long ports stay bound, and out of use, after their stream. Default 5000. */
  restMs?: number;
  /** How long the held source must be silent before another may take over unannounced. Default 2000. */
  takeoverMs?: number;
  /** Receiver reports (RFC 3550 §6.4.2). Default: every 5000 ms; false sends none. */
  rtcpReports?: boolean | { intervalMs: number };
  /** Canonical name in them (§6.5.1). Default: `sipreel@` and the host's name. */
  cname?: string;
  /** When journals are brought onto the disk (fsync). Default `recording`: when they end. */
  sync?: SyncPolicy;
  /** Octets that may wait for the disk, per recording and per worker. Default 8 MiB and 512 MiB. */
  recordingBufferOctets?: number;
  workerBufferOctets?: number;
  /** Octets that the kernel is to keep per socket that is not read. Default: RECEIVE_BUFFER_OCTETS. */
  receiveBufferOctets?: number;
}

/** Gauges, as of about a second ago. */
export interface CaptureHealth {
  receiver: ReceiverKind;
  workers: ({ id: number } & WorkerSums)[];
  /** Loaded threads that would take a dead one's place at once. */
  spares: number;
  /** Deaths of workers that took calls since the start, of hanging ones too. */
  deaths: number;
  ports: { pairs: number; used: number; resting: number };
}

export interface Capture extends CaptureEngine {
  open(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    announced?: AnnouncedPort,
  ): Promise<WorkerCaptureSession>;
  reopen(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    streams: readonly RestoredStream[],
  ): Promise<WorkerCaptureSession>;
  /** Starts the workers; `open` does it too. */
  start(): Promise<void>;
  /** Ends the thread that has this recording, as a crash would: for tests and drills. */
  killWorkerOf(recordingId: string): Promise<void>;
  health(): CaptureHealth;
  /** Seals what is open, closes all sockets without a rest and ends the workers. Idempotent. */
  close(): Promise<void>;
}

export function createCapture(options: CaptureOptions): Capture {
  return new PooledCapture(options);
}

class PooledCapture implements Capture {
  readonly close: () => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #receiver: ReceiverKind;
  readonly #ports: PortPool;
  readonly #pool: WorkerPool;
  readonly #announcements: Announcements;
  readonly #workerBufferOctets: number;
  readonly #sessions = new Map<string, WorkerCaptureSession>();

  constructor(options: CaptureOptions) {
    if (isIP(options.bindAddress) === 0)
      throw new RecorderError('CONFIG_INVALID', `${options.bindAddress} is no IP address.`);
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log ?? silentLog;
    this.#receiver = chooseReceiver(options.receiver ?? 'auto');
    const restMs = options.restMs ?? REST_MS;
    this.#workerBufferOctets = options.workerBufferOctets ?? WORKER_BUFFER_OCTETS;
    this.#ports = new PortPool({ range: options.portRange, restMs, clock: this.#clock });
    if (this.#ports.pairs === 0) throw new RecorderError('CONFIG_INVALID', 'The RTP port range holds no pair.');
    this.#pool = new WorkerPool({
      workers: options.workers,
      silenceLimitMs: options.silenceLimitMs,
      spareAfterMs: options.spareAfterMs,
      clock: this.#clock,
      log: this.#log,
      settings: {
        anchor: options.anchor ?? processAnchor,
        receiver: this.#receiver,
        receiveBufferOctets: options.receiveBufferOctets ?? RECEIVE_BUFFER_OCTETS,
        bindAddress: options.bindAddress,
        localHost: options.localHost ?? options.bindAddress,
        restMs,
        takeoverMs: options.takeoverMs ?? TAKEOVER_MS,
        flushMs: FLUSH_MS,
        recordingBufferOctets: options.recordingBufferOctets ?? RECORDING_BUFFER_OCTETS,
        workerBufferOctets: this.#workerBufferOctets,
        sync: options.sync ?? 'recording',
        rtcp: reportSettings(options),
      },
      events: {
        news: (worker, news) => this.#news(worker, news),
        died: (worker, reason, lastMs) => this.#died(worker, reason, lastMs),
      },
    });
    this.#announcements = new Announcements(this.#pool, this.#ports);
    this.close = closeOnce(async () => {
      await Promise.all(Array.from(this.#sessions.values(), (session) => session.seal()));
      await this.#pool.close();
    });
  }

  async start(): Promise<void> {
    await this.#pool.start();
    await this.#warmUp();
  }

  /** The first announced port of a process would take some milliseconds longer than its client waits. */
  readonly #warmUp = closeOnce(async () => {
    const rehearsal = this.#announcements.announce({ host: '127.0.0.1', port: 0, sourceHost: null });
    await rehearsal.bound.catch(() => {});
    rehearsal.release();
  });

  announce(address: AnnouncedAddress): AnnouncedPort {
    return this.#announcements.announce(address);
  }

  async open(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    announced?: AnnouncedPort,
  ): Promise<WorkerCaptureSession> {
    return this.#open(
      recordingId,
      journalPath,
      events,
      announced && isAnnouncement(announced) ? announced.worker : null,
    );
  }

  async reopen(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    streams: readonly RestoredStream[],
  ): Promise<WorkerCaptureSession> {
    const own = streams.filter(({ announced }) => announced === null);
    // Before anybody else takes them. A range that was changed meanwhile does not matter: the senders know no other ports.
    for (const { address } of own) this.#ports.reserve(address.rtpPort);
    // Announced ports live in one worker.
    const beside = own.length < streams.length ? this.#pool.first() : null;
    try {
      const session = await this.#open(recordingId, journalPath, events, beside);
      await session.restoreStreams(streams);
      return session;
    } catch (error) {
      for (const { address } of own) this.#ports.giveBack(address.rtpPort);
      throw error;
    }
  }

  async #open(
    recordingId: string,
    journalPath: string,
    events: CaptureEvents,
    beside: Promise<PoolWorker> | null,
  ): Promise<WorkerCaptureSession> {
    if (this.#sessions.has(recordingId)) throw new RecorderError('CAPTURE_FAILED', 'The recording is open already.');
    await this.start();
    const worker = await this.#pool.place(beside);
    try {
      await worker.channel.call('open', { recordingId, journalPath });
    } catch (error) {
      worker.load--;
      throw error;
    }
    const session = new WorkerCaptureSession(recordingId, journalPath, events, worker, {
      pool: this.#pool,
      ports: this.#ports,
      announcements: this.#announcements,
      clock: this.#clock,
      log: this.#log,
      flushMs: FLUSH_MS,
      onSealed: () => this.#sessions.delete(recordingId),
    });
    this.#sessions.set(recordingId, session);
    return session;
  }

  health(): CaptureHealth {
    return {
      receiver: this.#receiver,
      workers: this.#pool.workers.map(({ id, sums }) => ({ id, ...sums })),
      spares: this.#pool.spares.length,
      deaths: this.#pool.deaths,
      ports: { pairs: this.#ports.pairs, used: this.#ports.used, resting: this.#ports.resting },
    };
  }

  load(): CaptureLoad {
    const { workers } = this.#pool;
    const { pairs, used, resting } = this.#ports;
    const nowMs = this.#clock.nowMs();
    // A worker that has said nothing for longer than it should is late by at least that.
    const lags = workers.map(({ sums, heardMs }) => Math.max(sums.lagMs, nowMs - heardMs - SILENCE_MS));
    return {
      portPairs: pairs,
      freePortPairs: pairs - used - resting,
      lagMs: lags.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...lags),
      queueShare: Math.max(0, ...workers.map(({ sums }) => sums.waitingOctets / this.#workerBufferOctets)),
      failingJournals: workers.reduce((sum, { sums }) => sum + sums.failingJournals, 0),
      hangingWorkers: this.#pool.hanging,
      writeLagMs: Math.max(0, ...workers.map(({ sums }) => sums.writeLagMs)),
    };
  }

  async killWorkerOf(recordingId: string): Promise<void> {
    const worker = this.#sessions.get(recordingId)?.worker;
    if (worker) await this.#pool.kill(worker);
  }

  #news(worker: PoolWorker, news: CaptureNews): void {
    switch (news.type) {
      case 'ready':
        break;
      case 'activity':
        worker.sums = news.sums;
        worker.placedSince = 0;
        worker.heardMs = this.#clock.nowMs();
        news.recordingIds.forEach((recordingId, i) => {
          const session = this.#sessions.get(recordingId);
          if (session) session.lastPacketMs = Math.max(session.lastPacketMs ?? 0, news.lastPacketMs[i]!);
        });
        break;
      case 'storageFailed':
        this.#sessions.get(news.recordingId)?.storageFailed(news.reason);
        break;
      case 'journalFull':
        this.#sessions.get(news.recordingId)?.journalFull(news.state, news.atMs);
        break;
      case 'rested':
        for (const rtpPort of news.rtpPorts) {
          worker.restingPorts.delete(rtpPort);
          this.#ports.giveBack(rtpPort);
        }
        break;
      default:
        news satisfies never;
    }
  }

  #died(worker: PoolWorker, reason: string, lastMs: number): void {
    for (const rtpPort of worker.restingPorts) this.#ports.release(rtpPort);
    worker.restingPorts.clear();
    for (const session of this.#sessions.values()) session.workerDied(worker, reason, lastMs);
  }
}

function reportSettings({ rtcpReports = true, cname }: CaptureOptions): { intervalMs: number; cname: string } | null {
  if (rtcpReports === false) return null;
  const intervalMs = rtcpReports === true ? REPORT_INTERVAL_MS : rtcpReports.intervalMs;
  return { intervalMs, cname: cname ?? `sipreel@${hostname()}` };
}
