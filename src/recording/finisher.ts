// Sealed recordings become filed ones: rendered, described, moved to their place. Every step can be repeated from disk,
// so a failure is tried again with growing delays and a restart simply begins anew.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import { type QueueFigures, WaitingTimes } from '../lib/waiting-times.ts';
import { buildDocument, type RenderOutcome } from './build-document.ts';
import type { RecordingDocument } from './document.ts';
import type { ArchiveEngine, RenderEngine, RenderResult } from './engines.ts';
import { type AudioOptions, renderJob } from './render-job.ts';
import type { AppliedRule, RecordingRules } from './rules.ts';
import type { SessionState } from './session-state.ts';

export interface FinisherParts {
  render: RenderEngine;
  archive: ArchiveEngine;
  clock: Clock;
  log: Log;
  audio: AudioOptions;
  /** For the last word about calls whose parties never became known. Absent: they are recorded. */
  rules?: RecordingRules;
  /** How many recordings are finished at once. */
  concurrency: number;
  onFiled: (filed: { directory: string; document: RecordingDocument }) => void;
}

const FIRST_RETRY_MS = 5_000;
const LONGEST_RETRY_MS = 300_000;
/** After so many failures that are not the disk's fault, the recording is filed without audio and the journal kept. */
const MAX_RENDER_ATTEMPTS = 4;
const DISK_ERRORS = new Set(['ENOSPC', 'EIO', 'EDQUOT', 'EROFS', 'EACCES', 'EMFILE', 'ENFILE', 'ENOMEM']);

interface Job {
  state: SessionState;
  attempts: number;
  /** What was rendered, once it was: filing may fail and be tried again, and the journal may be gone by then. */
  document: RecordingDocument | null;
}

export class Finisher {
  readonly #parts: FinisherParts;
  readonly #queue: Job[] = [];
  readonly #timers: Timers;
  readonly #aborting = new AbortController();
  readonly #unfinished = new WaitingTimes();
  #busy = 0;
  #waiting = 0;
  #discardedByRule = 0;
  #whenIdle: (() => void)[] = [];

  constructor(parts: FinisherParts) {
    this.#parts = parts;
    this.#timers = new Timers(parts.clock);
  }

  /** Takes a sealed session. Returns at once; the work is queued. */
  finish(state: SessionState): void {
    this.#unfinished.begin(state.recordingId, this.#parts.clock.nowMs());
    this.#queue.push({ state, attempts: 0, document: null });
    this.#next();
  }

  /** Recordings that are not filed yet, including those that wait for a retry. */
  get pending(): number {
    return this.#queue.length + this.#busy + this.#waiting;
  }

  /** The same, with the time since they ended, or since the start. */
  figures(): QueueFigures {
    return this.#unfinished.figures(this.#parts.clock.nowMs());
  }

  /** Resolves when nothing is left to do but retries. */
  idle(): Promise<void> {
    if (this.#queue.length + this.#busy === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Stops working; what is not finished stays sealed on disk for the next start. */
  async close(): Promise<void> {
    this.#timers.clearAll();
    this.#queue.length = 0;
    this.#aborting.abort();
    await this.idle();
  }

  #next(): void {
    while (this.#busy < this.#parts.concurrency) {
      const job = this.#queue.shift();
      if (!job) break;
      this.#busy++;
      void this.#work(job).then((isDone) => {
        if (isDone) this.#unfinished.end(job.state.recordingId);
        this.#busy--;
        this.#next();
      });
    }
    if (this.#queue.length + this.#busy === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** False if it is to be tried again. Never rejects. */
  async #work(job: Job): Promise<boolean> {
    const { archive, log } = this.#parts;
    const { state } = job;
    job.attempts++;
    try {
      if (neverBecameARecording(state)) {
        await archive.discardSession(state.recordingId);
        log.info({ recordingId: state.recordingId, reason: state.endReason }, 'session without media discarded');
        return true;
      }
      state.rule = this.#lastWord(state);
      if (state.rule?.do === 'discard') {
        await archive.discardSession(state.recordingId);
        const { number: rule, because } = state.rule;
        log.info({ rule, because, discarded: ++this.#discardedByRule }, 'a call was discarded by a rule');
        return true;
      }
      job.document ??= await this.#describe(job);
      const { document } = job;
      if (!document) {
        await archive.discardSession(state.recordingId);
        return true;
      }
      const filed = await archive.file(state, document);
      log.info(
        { recordingId: state.recordingId, directory: filed.directory, durationMs: document.times.durationMs },
        'recording filed',
      );
      this.#tell(filed);
      return true;
    } catch (error) {
      if (!this.#aborting.signal.aborted) this.#retryLater(job, error);
      return false;
    }
  }

  /** Nothing more will be known of the call. */
  #lastWord(state: SessionState): AppliedRule | null {
    const rule = state.rule ?? null;
    return rule?.provisional ? (this.#parts.rules?.apply(state, 'final') ?? null) : rule;
  }

  /** Null if it turns out that nothing was recorded. */
  async #describe(job: Job): Promise<RecordingDocument | null> {
    const { audio } = this.#parts;
    const { state } = job;
    const { job: order, attribution } = renderJob(state, audio);
    const outcome = await this.#render(order, job);
    if (state.endReason === 'cancelled' && !allIsCounted(state) && 'result' in outcome && !hasMedia(outcome.result))
      return null;
    return buildDocument(state, attribution, outcome, audio.layout);
  }

  /** A listener that throws must not have a filed recording tried again. */
  #tell(filed: Parameters<FinisherParts['onFiled']>[0]): void {
    try {
      this.#parts.onFiled(filed);
    } catch (error) {
      this.#parts.log.error({ recordingId: filed.document.id, err: error }, 'whoever was told of a recording failed');
    }
  }

  async #render(order: Parameters<RenderEngine['render']>[0], job: Job): Promise<RenderOutcome> {
    try {
      return { result: await this.#parts.render.render(order, this.#aborting.signal) };
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      const passing = DISK_ERRORS.has(code) || (job.attempts < MAX_RENDER_ATTEMPTS && code !== 'ENOENT');
      if (this.#aborting.signal.aborted || passing) throw error;
      this.#parts.log.error({ recordingId: job.state.recordingId, err: error }, 'recording filed without audio');
      return { failure: error instanceof Error ? error.message : String(error) };
    }
  }

  #retryLater(job: Job, error: unknown): void {
    const { recordingId } = job.state;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** (job.attempts - 1), LONGEST_RETRY_MS);
    this.#parts.log.error({ recordingId, err: error, delayMs }, 'recording not finished yet: will be tried again');
    this.#waiting++;
    this.#timers.set(recordingId, delayMs, () => {
      this.#waiting--;
      this.#queue.push(job);
      this.#next();
    });
  }
}

/** What a process or a capture worker counted that died is not known: then the journal has to tell. */
function allIsCounted({ statistics, events }: SessionState): boolean {
  return statistics !== null && events.every(({ type }) => type !== 'restart' && type !== 'interrupted');
}

function hasMedia({ streams }: RenderResult): boolean {
  return streams.some(({ packets, undecrypted = 0 }) => packets + undecrypted > 0);
}

/** Cancelled before any media came: there was no call to record. */
function neverBecameARecording(state: SessionState): boolean {
  if (state.endReason !== 'cancelled' || !allIsCounted(state)) return false;
  return Object.values(state.statistics ?? {}).every(({ packets, undecrypted = 0 }) => packets + undecrypted === 0);
}
