// Whether a new recording is taken: every reason to refuse one is a gauge, read when a client asks and once a second.
// Recordings that run are never touched by it.
import type { Clock } from '../lib/clock.ts';
import { ERROR_CATALOGUE, RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import type { CaptureLoad, StorageSpace } from './engines.ts';
import { Gauge, type GaugeReading } from './gauge.ts';

/** In the order in which they are told when several hold. */
const REFUSALS = [
  'DRAINING',
  'STORAGE_FAILED',
  'STORAGE_LOW',
  'TOO_MANY_RECORDINGS',
  'NO_PORTS',
  'CAPTURE_BEHIND',
  'OVERLOADED',
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

/** A new recording was not begun. The log has said so when it started to be so: no line for each. */
export class NotAdmitted extends RecorderError {
  declare readonly code: RefusalCode;
}

export interface Readiness {
  ready: boolean;
  /** Why not, in words, the most important first. */
  reasons: { code: RefusalCode; message: string }[];
  /** Also those that never refuse, which have no thresholds. */
  gauges: GaugeReading[];
}

export interface AdmissionLimits {
  maxRecordings: number;
  /** Free space below which nothing new is taken, on the spool's and the archive's file system: the larger of the two. */
  floorMiB: number;
  floorPercent: number;
  /** Free space that each running recording keeps for itself besides. */
  reservePerRecordingMiB: number;
}

export interface AdmissionParts {
  limits: AdmissionLimits;
  /** Running and starting ones. */
  activeRecordings: () => number;
  /** Sealed, not filed yet. Shown only: a late WAV is no reason to lose a call, and what it needs is space, which has its own gauge. */
  unfinishedRecordings: () => number;
  captureLoad: () => CaptureLoad;
  /** Asked once a second. */
  space: () => Promise<{ spool: StorageSpace; archive: StorageSpace }>;
  clock: Clock;
  log: Log;
}

/** Where a recording's media ports come from: from our range, or chosen by the client (mod_oreka). */
export type PortOrigin = 'ours' | 'announced';

// The thresholds below are explained in the repository's README ("When it refuses").
const TICK_MS = 100;
const SAMPLE_MS = 1_000;
/** The main thread counts as late by what even the promptest of so many ticks in a row was late: a single pause is none. */
const LAG_TICKS = 5;
const OCTETS_PER_MIB = 2 ** 20;
/** A directory, three files and the one that is being replaced, with one to spare. */
const INODES_PER_RECORDING = 6;

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #gauges: Gauge<RefusalCode>[];
  readonly #timers: Timers<'tick'>;
  readonly #lags: number[] = new Array(LAG_TICKS).fill(0);
  #ticks = 0;
  #sampledMs = 0;
  #draining = false;
  #space: { spool: StorageSpace; archive: StorageSpace } | null = null;
  #spaceError: string | null = null;
  /** When the file system was asked and has not answered yet. */
  #askedMs: number | null = null;
  #refused = 0;
  #told = '';

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#timers = new Timers(parts.clock);
    this.#gauges = this.#makeGauges();
  }

  /** Begins to watch disk and delays. Resolves when the disk has been measured once. */
  async start(): Promise<void> {
    await this.#measureSpace();
    this.#sampledMs = this.#parts.clock.nowMs();
    this.#tickLater();
  }

  close(): void {
    this.#timers.clearAll();
  }

  /** From now on everything is refused with DRAINING. */
  drain(): void {
    this.#draining = true;
  }

  /** Null if a new recording would be taken now; otherwise the most important reason why not. Costs some microseconds. */
  refusal(ports: PortOrigin = 'ours'): RefusalCode | null {
    let codes = this.#refusing();
    if (ports === 'announced') codes = codes.filter((code) => code !== 'NO_PORTS');
    return codes[0] ?? null;
  }

  /** A new recording was refused: the log tells how many when they are taken again. */
  countRefused(): void {
    this.#refused++;
  }

  readiness(): Readiness {
    const reasons = this.#refusing().map((code) => ({ code, message: this.#message(code) }));
    const shown = [
      { name: 'unfinishedRecordings', value: this.#parts.unfinishedRecordings(), refusing: false },
      // New calls go to its replacement.
      { name: 'hangingWorkers', value: this.#parts.captureLoad().hangingWorkers, refusing: false },
    ];
    return { ready: reasons.length === 0, reasons, gauges: [...this.#gauges.map((gauge) => gauge.read()), ...shown] };
  }

  #refusing(): RefusalCode[] {
    const codes = new Set<RefusalCode>();
    if (this.#draining) codes.add('DRAINING');
    if (this.#spaceError !== null) codes.add('STORAGE_FAILED');
    for (const gauge of this.#gauges) if (gauge.read().refusing) codes.add(gauge.code);
    return REFUSALS.filter((code) => codes.has(code));
  }

  #message(code: RefusalCode): string {
    const gauges = this.#gauges.filter((gauge) => gauge.code === code).map((gauge) => gauge.read());
    const figures = gauges
      .filter(({ refusing }) => refusing)
      .map(({ name, value, acceptAt }) => `${name} ${figure(value)}, again at ${figure(acceptAt ?? null)}`);
    if (code === 'STORAGE_FAILED' && this.#spaceError !== null) figures.push(this.#spaceError);
    return figures.length > 0 ? `${ERROR_CATALOGUE[code]} (${figures.join('; ')})` : ERROR_CATALOGUE[code];
  }

  #makeGauges(): Gauge<RefusalCode>[] {
    const { limits, activeRecordings, captureLoad } = this.#parts;
    const { maxRecordings } = limits;
    const fixed = (refuseAt: number, acceptAt: number) => () => ({ refuseAt, acceptAt });
    return [
      new Gauge('recordings', 'TOO_MANY_RECORDINGS', activeRecordings, () => ({
        refuseAt: maxRecordings,
        acceptAt: Math.min(maxRecordings - 1, Math.floor(maxRecordings * 0.99)),
      })),
      new Gauge(
        'freePortPairs',
        'NO_PORTS',
        () => captureLoad().freePortPairs,
        () => {
          // A hundredth is kept for streams that join running recordings; a new one needs two pairs.
          const reserve = Math.floor(captureLoad().portPairs / 100);
          return { refuseAt: 1 + reserve, acceptAt: 2 + 2 * reserve };
        },
      ),
      ...this.#storageGauges('spool'),
      ...this.#storageGauges('archive'),
      new Gauge('diskAnswerMs', 'STORAGE_FAILED', () => this.#diskAnswerMs(), fixed(3_000, 1_000)),
      new Gauge('failingJournals', 'STORAGE_FAILED', () => captureLoad().failingJournals, fixed(1, 0)),
      new Gauge('journalQueuePercent', 'CAPTURE_BEHIND', () => captureLoad().queueShare * 100, fixed(25, 10)),
      new Gauge('captureLagMs', 'CAPTURE_BEHIND', () => captureLoad().lagMs, fixed(1_000, 200)),
      new Gauge('mainLagMs', 'OVERLOADED', () => Math.min(...this.#lags), fixed(500, 100)),
    ];
  }

  #storageGauges(place: 'spool' | 'archive'): Gauge<RefusalCode>[] {
    const { limits, activeRecordings } = this.#parts;
    const { floorMiB, floorPercent, reservePerRecordingMiB } = limits;
    const freeMiB = () => {
      const space = this.#space?.[place];
      if (!space) return null;
      return space.freeOctets / OCTETS_PER_MIB - reservePerRecordingMiB * activeRecordings();
    };
    const freeInodes = () => {
      const free = this.#space?.[place].freeInodes ?? null;
      return free === null ? null : free - INODES_PER_RECORDING * activeRecordings();
    };
    return [
      new Gauge(`${place}FreeMiB`, 'STORAGE_LOW', freeMiB, () => {
        const totalMiB = (this.#space?.[place].totalOctets ?? 0) / OCTETS_PER_MIB;
        const floor = Math.max(floorMiB, (totalMiB * floorPercent) / 100);
        return { refuseAt: floor, acceptAt: floor * 1.1 + 2 * reservePerRecordingMiB + 1 };
      }),
      new Gauge(`${place}FreeInodes`, 'STORAGE_LOW', freeInodes, () => ({ refuseAt: 100, acceptAt: 200 })),
    ];
  }

  #diskAnswerMs(): number {
    const askedMs = this.#askedMs === null ? 0 : this.#parts.clock.nowMs() - this.#askedMs;
    return Math.max(askedMs, this.#parts.captureLoad().writeLagMs);
  }

  #tickLater(): void {
    const dueMs = this.#parts.clock.nowMs() + TICK_MS;
    this.#timers.set('tick', TICK_MS, () => {
      const nowMs = this.#parts.clock.nowMs();
      this.#lags[this.#ticks++ % LAG_TICKS] = Math.max(0, nowMs - dueMs);
      if (nowMs - this.#sampledMs >= SAMPLE_MS) {
        this.#sampledMs = nowMs;
        if (this.#askedMs === null) void this.#measureSpace();
        this.#tellChange();
      }
      this.#tickLater();
    });
  }

  async #measureSpace(): Promise<void> {
    this.#askedMs = this.#parts.clock.nowMs();
    try {
      this.#space = await this.#parts.space();
      this.#spaceError = null;
    } catch (error) {
      this.#spaceError = error instanceof Error ? error.message : String(error);
    }
    this.#askedMs = null;
  }

  /** One line when the reasons have changed, at most one a second; the last says how many were refused. */
  #tellChange(): void {
    const { reasons } = this.readiness();
    const key = reasons.map(({ code }) => code).join();
    if (key === this.#told) return;
    this.#told = key;
    const { log } = this.#parts;
    if (reasons.length > 0) {
      log.warn({ reasons }, 'new recordings are refused');
      return;
    }
    log.info({ refused: this.#refused }, 'new recordings are taken again');
    this.#refused = 0;
  }
}

const figure = (value: number | null) => (value === null ? 'unknown' : String(Math.round(value * 10) / 10));
