// The capture workers: as many as wanted and a spare one, replaced when they die, recordings placed where least is going on.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import { CallingChannel } from './channel.ts';
import type { CaptureCalls, CaptureNews, CaptureNotice, WorkerSettings, WorkerSums } from './protocol.ts';
import { SipOutbox } from './sip-outbox.ts';
import { Watchdog } from './watchdog.ts';

const MAX_DEFAULT_WORKERS = 4;
/** A worker that lives shorter than this is replaced with a growing delay. */
const STABLE_MS = 10_000;
const MAX_RESPAWN_DELAY_MS = 5000;
/** Of a spare alone: nobody waits for it. */
const MAX_SPARE_DELAY_MS = 60_000;
/** The first calls after a start have the processor to themselves. */
const SPARE_AFTER_MS = 10_000;
/**
 * A packet leaves two numbers behind, a call a few KiB that stay: what V8 would take by itself, 32 MiB and more, is the larger part of
 * what the first thousand calls cost in memory, and is collected no cheaper.
 */
const YOUNG_GENERATION_MB = 6;
const CLOSE_TIMEOUT_MS = 10_000;
/** Of a thread that was terminated: it sits in a system call that does not return. */
const END_TIMEOUT_MS = 2000;
/** Workers report every second. */
const SILENCE_LIMIT_MS = 5000;
/** Of a new recording: two streams with 20 ms per packet. */
const EXPECTED_PACKETS_PER_SECOND = 100;

const NOTHING_YET: WorkerSums = {
  recordings: 0,
  streams: 0,
  waitingOctets: 0,
  packets: 0,
  dropped: 0,
  packetsPerSecond: 0,
  handOverLagMs: 0,
  writeLagMs: 0,
  lagMs: 0,
  failingJournals: 0,
};

export type CaptureChannel = CallingChannel<CaptureCalls, CaptureNotice, CaptureNews>;

/** One worker's life; a replacement is another object. */
export interface PoolWorker {
  readonly id: number;
  readonly channel: CaptureChannel;
  readonly sip: SipOutbox;
  /** Recordings placed here, and those among them that the figures in `sums` do not know yet. */
  load: number;
  placedSince: number;
  /** RTP ports whose sockets this worker keeps bound for the rest time. */
  readonly restingPorts: Set<number>;
  sums: WorkerSums;
  /** When `sums` came, by the media clock. */
  heardMs: number;
}

export interface PoolEvents {
  news(worker: PoolWorker, news: CaptureNews): void;
  /** The thread is gone, its sockets are closed. Since `lastMs` it took nothing. Comes before its pending requests are rejected. */
  died(worker: PoolWorker, reason: string, lastMs: number): void;
}

export interface WorkerPoolOptions {
  /** Default: one less than cores, between 1 and 4. */
  workers?: number | undefined;
  /** A worker that says nothing for so long hangs. Default 5000. */
  silenceLimitMs?: number | undefined;
  /** How long after the start the spare is started. Default 10,000. */
  spareAfterMs?: number | undefined;
  settings: WorkerSettings;
  clock: Clock;
  log: Log;
  events: PoolEvents;
}

/**
 * A thread's life:
 *
 *              has loaded          a place is free        says nothing any more
 *   starting ─────────────▶ spare ────────────────▶ active ────────────────────▶ hanging
 *       │                     │                        │      is terminated ─▶      │
 *       └─────────────────────┴────── the thread ended ┴────────────────────────────┘
 *
 * There are as many places as workers are wanted, and one thread more than places. A place is free at the start, when the thread
 * that had it ended and when it hangs. A spare has loaded everything, and takes a place at once: a thread that is only being
 * started then takes longer than a call may be without media on a busy machine. Whoever ended or hangs is followed by a new thread.
 */
type LifeState = 'starting' | 'spare' | 'active' | 'hanging';

interface Life {
  worker: PoolWorker;
  thread: Worker;
  bornMs: number;
  state: LifeState;
}

export function defaultWorkerCount(): number {
  return Math.max(1, Math.min(MAX_DEFAULT_WORKERS, availableParallelism() - 1));
}

/** In packets per second: as counted, as expected of what was placed since, and a little for each recording, talking or not. */
function workOf({ sums, load, placedSince }: PoolWorker): number {
  return sums.packetsPerSecond + placedSince * EXPECTED_PACKETS_PER_SECOND + load;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #size: number;
  readonly #lives = new Set<Life>();
  readonly #timers: Timers;
  readonly #watchdog: Watchdog<PoolWorker>;
  #waiting: { resolve: (worker: PoolWorker) => void; reject: (error: Error) => void }[] = [];
  #nextId = 1;
  #respawnDelayMs = 0;
  #spawnings = 0;
  #closing = false;
  /** Deaths since the start, of workers that took calls. */
  deaths = 0;

  /** Rejects with CAPTURE_FAILED if a worker cannot even start. Idempotent. */
  readonly start: () => Promise<void>;
  /** Lets every worker seal its recordings and end; whichever has not after 10 s is terminated; one that still does not end is left alone. Idempotent. */
  readonly close: () => Promise<void>;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#size = Math.max(1, options.workers ?? defaultWorkerCount());
    this.#timers = new Timers(options.clock);
    const { clock, silenceLimitMs: limitMs = SILENCE_LIMIT_MS } = options;
    this.#watchdog = new Watchdog({ clock, limitMs, onHang: (worker) => this.#hangs(worker) });
    this.start = closeOnce(async () => {
      await Promise.all(Array.from({ length: this.#size }, () => this.#spawn()));
      this.#spawnLater(options.spareAfterMs ?? SPARE_AFTER_MS);
    });
    this.close = closeOnce(() => this.#close());
  }

  /** Those that take calls. */
  get workers(): PoolWorker[] {
    return this.#livesIn('active').map(({ worker }) => worker);
  }

  get spares(): PoolWorker[] {
    return this.#livesIn('spare').map(({ worker }) => worker);
  }

  /** Workers that say nothing and have not ended yet. */
  get hanging(): number {
    return this.#livesIn('hanging').length;
  }

  #livesIn(state: LifeState): Life[] {
    return [...this.#lives].filter((life) => life.state === state);
  }

  /**
   * Places a recording with the least loaded worker, or with `beside`; waits while there is none. It counts there from
   * now on, so that a burst of calls is spread too; who fails to open it takes one off `load`. Rejects with CAPTURE_FAILED
   * once the pool closes.
   */
  async place(beside: Promise<PoolWorker> | null = null): Promise<PoolWorker> {
    let least: PoolWorker | null = null;
    for (const worker of this.workers) if (!least || workOf(worker) < workOf(least)) least = worker;
    const worker = beside ? await beside : this.#closing || !least ? await this.#next() : least;
    worker.load++;
    worker.placedSince++;
    return worker;
  }

  /** The worker that has been there longest: for what cannot be spread over several. Waits and rejects as `place` does. */
  first(): Promise<PoolWorker> {
    const [oldest] = this.#closing ? [] : this.workers;
    return oldest ? Promise.resolve(oldest) : this.#next();
  }

  #next(): Promise<PoolWorker> {
    if (this.#closing) return Promise.reject(new RecorderError('CAPTURE_FAILED', 'Capture is closed.'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends a worker's thread at once, as a crash would. For tests and for operators' tools. */
  async kill(worker: PoolWorker): Promise<void> {
    for (const life of this.#lives) if (life.worker === worker) await life.thread.terminate();
  }

  #spawn(): Promise<void> {
    const { settings, clock, events } = this.#options;
    // The source runs as .ts, the published package as .js.
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const thread = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: settings,
      execArgv: [],
      name: 'capture',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    let becomeReady: () => void = () => {};
    const channel: CaptureChannel = new CallingChannel(thread, (news) => {
      if (life.state === 'active') this.#watchdog.heard(worker);
      if (news.type === 'ready') becomeReady();
      else events.news(worker, news);
    });
    const worker: PoolWorker = {
      id: this.#nextId++,
      channel,
      sip: new SipOutbox(clock, (gathered) => channel.notify({ type: 'writeSip', gathered })),
      load: 0,
      placedSince: 0,
      restingPorts: new Set(),
      sums: { ...NOTHING_YET },
      heardMs: clock.nowMs(),
    };
    const life: Life = { worker, thread, bornMs: clock.nowMs(), state: 'starting' };
    this.#lives.add(life);
    let reason = 'the thread ended';
    return new Promise((resolve, reject) => {
      // 'online' would come before the modules are loaded: a client's first packets would be lost meanwhile.
      becomeReady = () => {
        life.state = 'spare';
        this.#fillPlaces();
        resolve();
      };
      thread.on('error', (error) => {
        reason = error instanceof Error ? error.message : String(error);
      });
      thread.once('exit', (code) => {
        this.#lives.delete(life);
        this.#watchdog.forget(worker);
        if (life.state === 'hanging') reason = 'the thread hung and was terminated';
        // Without effect once the worker was ready.
        reject(new RecorderError('CAPTURE_FAILED', reason));
        if (!this.#closing) this.#ended(life, code, reason);
        channel.close(new RecorderError('CAPTURE_FAILED', reason));
      });
    });
  }

  /** Comes when a thread has become a spare, and when a place has become free. */
  #fillPlaces(): void {
    for (const life of this.#livesIn('spare').slice(0, Math.max(0, this.#size - this.workers.length))) {
      const { worker } = life;
      life.state = 'active';
      worker.heardMs = this.#options.clock.nowMs();
      worker.channel.notify({ type: 'begin' });
      this.#watchdog.heard(worker);
      for (const { resolve } of this.#waiting.splice(0)) resolve(worker);
    }
  }

  #ended({ worker, bornMs, state }: Life, code: number, reason: string): void {
    const { clock, log, events } = this.#options;
    const nowMs = clock.nowMs();
    this.#fillPlaces();
    // One that hung has been replaced already.
    if (state !== 'hanging') this.#replace(nowMs - bornMs);
    if (state === 'active' || state === 'hanging') {
      this.deaths++;
      log.error({ worker: worker.id, code, reason }, 'capture worker died');
      events.died(worker, reason, state === 'hanging' ? worker.heardMs : nowMs);
    } else {
      log.warn({ worker: worker.id, code, reason }, 'a capture worker without calls ended: it is being replaced');
    }
  }

  /** Its calls go on elsewhere when it has ended, no sooner: until then it may still write to their journals, and its sockets are bound. */
  #hangs(worker: PoolWorker): void {
    const { clock, log } = this.#options;
    for (const life of this.#lives) {
      if (life.worker !== worker || this.#closing) continue;
      life.state = 'hanging';
      log.error({ worker: worker.id, silentSinceMs: worker.heardMs }, 'capture worker hangs: it is being replaced');
      this.#fillPlaces();
      void life.thread.terminate();
      this.#replace(clock.nowMs() - life.bornMs);
      this.#timers.set(`end ${worker.id}`, END_TIMEOUT_MS, () => {
        if (!this.#lives.has(life)) return;
        const { recordings } = worker.sums;
        log.error({ worker: worker.id, recordings }, 'a hanging capture worker does not end: its calls need a restart');
      });
    }
  }

  #replace(livedMs: number): void {
    if (livedMs >= STABLE_MS) this.#respawnDelayMs = 0;
    const isAwaited = this.workers.length < this.#size;
    const delayMs = Math.min(this.#respawnDelayMs, isAwaited ? MAX_RESPAWN_DELAY_MS : MAX_SPARE_DELAY_MS);
    this.#respawnDelayMs = Math.min(MAX_SPARE_DELAY_MS, Math.max(100, this.#respawnDelayMs * 2));
    this.#spawnLater(delayMs);
  }

  #spawnLater(delayMs: number): void {
    // How it ends is told by `#ended`.
    const spawn = () => void this.#spawn().catch(() => {});
    if (delayMs === 0) spawn();
    else this.#timers.set(`spawn ${++this.#spawnings}`, delayMs, spawn);
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#timers.clearAll();
    this.#watchdog.close();
    for (const { reject } of this.#waiting.splice(0)) reject(new RecorderError('CAPTURE_FAILED', 'Capture is closed.'));
    await Promise.all(
      Array.from(this.#lives, async ({ worker, thread, state }) => {
        const { promise: ended, resolve } = Promise.withResolvers<void>();
        thread.once('exit', () => resolve());
        // It ends by itself: whatever it was doing is done. Only one that hangs is terminated, and not waited for if it does not even end then.
        // One that is still being started is never terminated: in the middle of loading koffi that would take the whole process with it.
        const hanging = setTimeout(() => state !== 'starting' && void thread.terminate(), CLOSE_TIMEOUT_MS);
        const blocked = setTimeout(resolve, CLOSE_TIMEOUT_MS + END_TIMEOUT_MS);
        worker.channel.call('close', {}).catch(() => {});
        await ended;
        clearTimeout(hanging);
        clearTimeout(blocked);
      }),
    );
  }
}
