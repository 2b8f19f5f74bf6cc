// The recorder: starts recordings within its limits, knows the running ones, hands sealed ones to the finisher.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import type { ClockOrigin } from '../lib/clock-origin.ts';
import { within } from '../lib/deadline.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import {
  Admission,
  type AdmissionLimits,
  NotAdmitted,
  type PortOrigin,
  type Readiness,
  type RefusalCode,
} from './admission.ts';
import type { ControlOrder, LiveRecordingView, RecordingControl } from './control.ts';
import { currentFormats } from './declared-formats.ts';
import type {
  ArchiveEngine,
  CaptureEngine,
  CaptureEvents,
  CaptureSession,
  RenderJob,
  RestoredStream,
} from './engines.ts';
import type { Finisher } from './finisher.ts';
import { LiveRecording, type LiveRecordingParts, type RecordingLimits } from './live-recording.ts';
import type { AnnouncedAddress, AnnouncedPort } from './media.ts';
import { takesMedia } from './media-gate.ts';
import type { RecordingNews } from './news.ts';
import type { ActiveRecording, Recorder, StartRecording } from './recorder-interface.ts';
import { type AppliedRule, RecordingRules } from './rules.ts';
import { type EndReason, SESSION_STATE_VERSION, type SessionState, type SessionStream } from './session-state.ts';

/** As long as new recordings are taken on a disk that does not answer (admission.ts). */
const DISK_ANSWERS_MS = 3_000;

export interface RecorderParts {
  capture: CaptureEngine;
  archive: ArchiveEngine;
  finisher: Finisher;
  clock: Clock;
  /** What `clock` is tied to, for the process after this one. Default: unknown. */
  clockOrigin?: ClockOrigin | null;
  log: Log;
  limits: RecordingLimits & AdmissionLimits;
  /** Absent: every call is recorded. */
  rules?: RecordingRules;
  news?: RecordingNews;
}

/** A recording of an earlier process that goes on. */
export interface Resumption {
  state: SessionState;
  /** When that process was last seen alive, media clock. */
  lastMs: number;
  onEnded: (reason: EndReason) => void;
  onUnwantedChanged?: () => void;
}

interface Running {
  recording: LiveRecording;
  onEnded: (reason: EndReason) => void;
}

export class LiveRecorder implements Recorder, RecordingControl {
  readonly #parts: RecorderParts;
  readonly #running = new Map<string, Running>();
  readonly #admission: Admission;
  readonly #rules: RecordingRules;
  #starting = 0;
  #whenIdle: (() => void)[] = [];

  constructor(parts: RecorderParts) {
    this.#parts = parts;
    this.#rules = parts.rules ?? new RecordingRules([]);
    this.#admission = new Admission({
      limits: parts.limits,
      activeRecordings: () => this.activeRecordings,
      unfinishedRecordings: () => parts.finisher.pending,
      captureLoad: () => parts.capture.load(),
      space: () => parts.archive.space(),
      clock: parts.clock,
      log: parts.log,
    });
  }

  /** Begins to watch disk and load, on which `refusal` depends. */
  watch(): Promise<void> {
    return this.#admission.start();
  }

  close(): void {
    this.#admission.close();
  }

  get activeRecordings(): number {
    return this.#running.size + this.#starting;
  }

  refusal(ports: PortOrigin = 'ours'): RefusalCode | null {
    return this.#admission.refusal(ports);
  }

  countRefused(): void {
    this.#admission.countRefused();
  }

  /** For operators, load balancers and the log: would a new recording be taken, and how near to its limits is everything. */
  readiness(): Readiness {
    return this.#admission.readiness();
  }

  announce(address: AnnouncedAddress): AnnouncedPort {
    // Limits are applied by start(): the port may be for a further stream of a recording that runs already.
    return this.#parts.capture.announce(address);
  }

  async start(request: StartRecording): Promise<ActiveRecording> {
    const refusal = this.refusal(request.streams.some((stream) => stream.announced) ? 'announced' : 'ours');
    if (refusal) {
      this.countRefused();
      throw new NotAdmitted(refusal);
    }
    const rule = this.#rules.admit(request);
    this.#starting++;
    try {
      return await this.#start(request, rule);
    } finally {
      this.#starting--;
      this.#tellIfIdle();
    }
  }

  pause(recordingId: string, order: ControlOrder): Promise<void> {
    return this.#recording(recordingId, (recording) => recording.pause(order));
  }

  resume(recordingId: string, order: ControlOrder): Promise<void> {
    return this.#recording(recordingId, (recording) => recording.resume(order));
  }

  async stop(recordingId: string, { by, reason }: Omit<ControlOrder, 'target'>): Promise<void> {
    const { recording, onEnded } = this.#known(recordingId);
    const detail = reason === null ? `stopped by ${by}` : `stopped by ${by}: ${reason}`;
    await recording.stop('stopped', detail);
    onEnded('stopped');
  }

  live(): LiveRecordingView[] {
    return [...this.#running.values()].map(({ recording }) => recording.view()).reverse();
  }

  running(recordingId: string): LiveRecordingView | null {
    return this.#running.get(recordingId)?.recording.view() ?? null;
  }

  media(recordingId: string): RenderJob | null {
    return this.#running.get(recordingId)?.recording.media() ?? null;
  }

  /** From now on every new recording is refused with DRAINING. Resolves when the last running one is sealed. */
  drain(): Promise<void> {
    this.#admission.drain();
    if (this.activeRecordings === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Seals every running recording and tells their doors. */
  async stopAll(reason: EndReason): Promise<void> {
    this.#admission.drain();
    await Promise.all(
      [...this.#running.values()].map(async ({ recording, onEnded }) => {
        await recording.stop(reason);
        onEnded(reason);
      }),
    );
  }

  async #start(request: StartRecording, rule: AppliedRule | null): Promise<ActiveRecording> {
    const { archive, capture } = this.#parts;
    const recordingId = randomUUID();
    const log = this.#parts.log.child({ recordingId, callId: request.call.identifiers.sipCallId });
    const creating = archive.createSession(recordingId);
    let opening: Promise<CaptureSession> | undefined;
    let recording: LiveRecording | undefined;
    const state = initialState(recordingId, request, this.#parts, rule);
    try {
      Object.assign(state, await this.#soon(creating));
      const announced = request.streams.find((stream) => stream.announced)?.announced;
      const events = this.#captureEvents(() => recording, log);
      opening = capture.open(recordingId, state.journalPath, events, announced);
      const session = await this.#soon(opening);
      recording = this.#live({ state, capture: session, log }, request);
      await recording.addStreams(request.streams);
      state.events.unshift({ type: 'started', atMs: state.startMs });
      await this.#soon(archive.saveSession(state));
    } catch (error) {
      recording?.abort();
      // Not waited for: on a failing disk it takes seconds, and the client is to try its next recorder at once.
      void this.#cleanUp(recordingId, [creating, opening], log);
      throw error;
    }
    this.#running.set(recordingId, { recording, onEnded: request.onEnded });
    log.info({ peer: request.peer, streams: state.streams.length, ...told(rule) }, 'recording started');
    this.#parts.news?.started(state);
    return recording;
  }

  /**
   * Goes on with a recording of an earlier process, whatever the limits say: it has been accepted. Rejects with CAPTURE_FAILED or
   * STORAGE_FAILED; what was recorded until then can still be finished.
   */
  async takeUp(resumption: Resumption): Promise<ActiveRecording> {
    const { state, lastMs, onEnded } = resumption;
    const { archive, capture, clock, clockOrigin } = this.#parts;
    const { recordingId } = state;
    const log = this.#parts.log.child({ recordingId, callId: state.call.identifiers.sipCallId });
    let recording: LiveRecording | undefined;
    const events = this.#captureEvents(() => recording, log);
    // Before the ports are open: no packet of ours is older than this.
    const durationMs = clock.nowMs() - lastMs;
    const streams = state.streams.filter(({ present }) => present).map(restoredStream);
    const session = await capture.reopen(recordingId, state.journalPath, events, streams);
    state.clock = clockOrigin ?? null;
    state.events.push({ type: 'restart', atMs: lastMs, durationMs });
    recording = this.#live({ state, capture: session, log }, resumption);
    this.#running.set(recordingId, { recording, onEnded });
    await archive.saveSession(state).catch((err) => log.error({ err }, 'session.json could not be written'));
    log.info({ lostMs: Math.round(durationMs), streams: streams.length }, 'recording goes on after a restart');
    this.#parts.news?.started(state);
    return recording;
  }

  #live(
    own: Pick<LiveRecordingParts, 'state' | 'capture' | 'log'>,
    door: Pick<StartRecording, 'onEnded' | 'onUnwantedChanged'>,
  ): LiveRecording {
    const { archive, clock, limits } = this.#parts;
    return new LiveRecording({
      ...own,
      applyRules: ({ source, peer, call }) => this.#rules.apply({ source, peer, call }),
      onUnwantedChanged: () => door.onUnwantedChanged?.(),
      onEndedByLimit: door.onEnded,
      save: (changed) => archive.saveSession(changed),
      clock,
      limits,
      onSealed: (sealed) => this.#sealed(sealed),
      onPartiesChanged: (state) => this.#parts.news?.partiesChanged(state),
    });
  }

  #captureEvents(recording: () => LiveRecording | undefined, log: Log): CaptureEvents {
    return {
      interrupted: (atMs, reason) => recording()?.captureChanged('interrupted', atMs, reason),
      resumed: (atMs) => recording()?.captureChanged('recovered', atMs),
      storageFailed: (reason) => {
        recording()?.addWarning({ code: 'journal-write-failed', message: reason });
        log.error({ reason }, 'the journal cannot be written');
      },
    };
  }

  /** A disk that hangs must not keep clients waiting: they have other recorders. */
  #soon<T>(work: Promise<T>): Promise<T> {
    const hangs = () =>
      new RecorderError('STORAGE_FAILED', `The file system has not answered for ${DISK_ANSWERS_MS / 1000} s.`);
    return within(this.#parts.clock, DISK_ANSWERS_MS, work, hangs);
  }

  async #cleanUp(
    recordingId: string,
    [creating, opening]: [Promise<unknown>, Promise<CaptureSession> | undefined],
    log: Log,
  ): Promise<void> {
    // Both may still be on their way.
    await creating.catch(() => {});
    const session = await opening?.catch(() => undefined);
    await session?.seal();
    await this.#parts.archive
      .discardSession(recordingId)
      .catch((err) => log.warn({ err }, 'a refused session stays in the spool'));
  }

  #known(recordingId: string): Running {
    const running = this.#running.get(recordingId);
    if (!running) throw new RecorderError('NOT_FOUND', 'It is not running.');
    return running;
  }

  async #recording(recordingId: string, order: (recording: LiveRecording) => Promise<void>): Promise<void> {
    await order(this.#known(recordingId).recording);
  }

  #sealed(state: SessionState): void {
    this.#running.delete(state.recordingId);
    this.#parts.finisher.finish(state);
    this.#tellIfIdle();
  }

  #tellIfIdle(): void {
    if (this.activeRecordings > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

function initialState(
  recordingId: string,
  request: StartRecording,
  { clock, clockOrigin }: Pick<RecorderParts, 'clock' | 'clockOrigin'>,
  rule: AppliedRule | null,
): SessionState {
  return {
    version: SESSION_STATE_VERSION,
    recordingId,
    source: request.source,
    phase: 'recording',
    endReason: null,
    directory: '',
    journalPath: '',
    audioPath: '',
    startMs: clock.nowMs(),
    endMs: null,
    startWallMs: clock.wallMs(),
    clock: clockOrigin ?? null,
    ...(request.inactivityMs === undefined ? {} : { inactivityMs: request.inactivityMs }),
    call: request.call,
    streams: [],
    events: [],
    metadata: request.metadata ? [request.metadata] : [],
    warnings: [...request.warnings],
    peer: request.peer,
    pauses: [],
    rule,
    statistics: null,
    ...(request.brought ?? { door: null }),
  };
}

function told(rule: AppliedRule | null): { rule?: string } {
  return rule === null ? {} : { rule: `${rule.number}: ${rule.provisional ? 'to be seen' : rule.do}` };
}

function restoredStream(stream: SessionStream): RestoredStream {
  const { streamId, label, address, announced = null, srtp } = stream;
  const formats = currentFormats(stream.formats);
  return { streamId, label, formats, receiving: takesMedia(stream), address, announced, ...(srtp && { srtp }) };
}
