// One running recording: what its door says becomes state on disk and orders to the capture core.
//
//   recording ──stop──▶ sealing ──journal closed──▶ sealed
//
// Starting and refusing is the recorder's business; what comes after `sealed` is the finisher's.
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import type { Warning } from './call.ts';
import type { ControlOrder, LiveRecordingView } from './control.ts';
import { currentFormats, declareFormats } from './declared-formats.ts';
import { describeLive } from './describe-live.ts';
import type { CaptureSession, RenderJob } from './engines.ts';
import { maskKeys } from './key-masking.ts';
import type { MediaFormat, OfferedStream, SipRecord, StreamAddress, StreamStatistics } from './media.ts';
import { MediaGate, takesMedia } from './media-gate.ts';
import { changeParties, changeSenders } from './parties.ts';
import type { ActiveRecording, Unwanted, UpdateRecording } from './recorder-interface.ts';
import { renderJob } from './render-job.ts';
import type { AppliedRule, CallFacts } from './rules.ts';
import type { BringingSession, EndReason, SessionState, SessionStream } from './session-state.ts';
import { carriesDigits } from './sip-digits.ts';

/** When a recording ends by itself. */
export interface RecordingLimits {
  /** Neither media nor signalling for this long while a stream should be sending. */
  inactivityMs: number;
  /** The same while every stream is on hold. */
  holdInactivityMs: number;
  maxDurationMs: number;
}

export interface LiveRecordingParts {
  state: SessionState;
  capture: CaptureSession;
  save: (state: SessionState) => Promise<void>;
  clock: Clock;
  log: Log;
  limits: RecordingLimits;
  /** The journal is sealed and `state` says so on disk. */
  onSealed: (state: SessionState) => void;
  onPartiesChanged: (state: SessionState) => void;
  /** What the rules say of the call now. */
  applyRules: (facts: CallFacts) => AppliedRule | null;
  /** `unwanted` has changed. */
  onUnwantedChanged: () => void;
  /** The recorder, not the door, ended the recording. */
  onEndedByLimit: (reason: EndReason) => void;
}

/** Changes of the door's state come several at a time: they are saved together. */
const SAVE_DELAY_MS = 20;
const FIGURES_AGE_MS = 1_000;
const MAX_EVENTS = 10_000;
const MAX_WARNINGS = 200;
const MAX_METADATA_VERSIONS = 500;

export class LiveRecording implements ActiveRecording {
  readonly id: string;
  readonly #parts: LiveRecordingParts;
  readonly #state: SessionState;
  readonly #gate: MediaGate;
  #figures: Record<string, StreamStatistics> = {};
  #figuresMs = Number.NEGATIVE_INFINITY;
  readonly #timers: Timers<'inactivity' | 'max-duration' | 'save'>;
  #lastSignallingMs: number;
  #changes: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;

  constructor(parts: LiveRecordingParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.id = parts.state.recordingId;
    this.#gate = new MediaGate({
      ...parts,
      event: (event) => this.#event(event),
      onChanged: () => this.#unwantedChanged(),
    });
    this.#lastSignallingMs = parts.clock.nowMs();
    this.#timers = new Timers(parts.clock);
    const leftMs = parts.state.startMs + parts.limits.maxDurationMs - parts.clock.nowMs();
    this.#timers.set('max-duration', Math.max(0, leftMs), () => this.#endByLimit('max-duration'));
    this.#watchInactivity(this.#inactivityLimitMs());
  }

  /** Binds a port pair for each stream. Used for the first offer; later ones come through `update`. */
  async addStreams(offered: OfferedStream[]): Promise<void> {
    // All at once: the worker is woken up once. What fails is told when nothing is under way any more.
    const added = await Promise.allSettled(offered.map((stream) => this.#addStream(stream)));
    for (const outcome of added) {
      if (outcome.status === 'rejected') throw outcome.reason;
      const { streamId, receiving } = outcome.value;
      if (!receiving) this.#event({ type: 'hold', atMs: this.#parts.clock.nowMs(), streamId });
    }
    // Who sends what at the start is no event.
    changeSenders(this.#state, this.#state.call.participants, this.#state.startMs);
  }

  addresses(): Map<string, StreamAddress> {
    return new Map(this.#presentStreams().map((stream) => [stream.key, stream.address]));
  }

  unwanted(): Map<string, Unwanted> {
    const why = this.#state.rule?.do === 'discard' ? 'discarded' : 'paused';
    const streams = this.#presentStreams().filter(({ paused }) => paused);
    return new Map(streams.map(({ key }) => [key, why]));
  }

  /** Rejects with NOT_FOUND or RECORDING_ENDED. */
  async pause(order: ControlOrder): Promise<void> {
    this.#mustRun();
    await this.#gate.pause(order);
    await this.#save();
  }

  /** Rejects with NOT_FOUND or RECORDING_ENDED. */
  async resume(order: ControlOrder): Promise<void> {
    this.#mustRun();
    this.#gate.resume(order);
    await this.#save();
  }

  /** With figures about a second old. */
  media(): RenderJob {
    return renderJob(this.#parts.state, { layout: 'stereo', sampleRateHz: null }).job;
  }

  view(): LiveRecordingView {
    const { clock, capture } = this.#parts;
    if (clock.nowMs() >= this.#figuresMs + FIGURES_AGE_MS) {
      this.#figuresMs = clock.nowMs();
      void capture.statistics().then((figures) => {
        this.#figures = figures;
      });
    }
    return describeLive(this.#state, this.#figures);
  }

  update(change: UpdateRecording): Promise<void> {
    if (this.#stopping) return Promise.reject(new RecorderError('RECORDING_ENDED'));
    const applied = this.#changes.then(() => this.#apply(change));
    this.#changes = applied.catch(() => {});
    return applied;
  }

  journalSip(record: SipRecord): void {
    this.#lastSignallingMs = this.#parts.clock.nowMs();
    const { rule, streams } = this.#state;
    if (this.#stopping || rule?.do === 'discard') return;
    // What is dialled while we pause must not be kept by another way (INFO with application/dtmf-relay).
    if (streams.some(({ paused }) => paused) && carriesDigits(record.message)) return;
    this.#parts.capture.writeSip({ ...record, message: maskKeys(record.message) });
  }

  setSessions(sessions: BringingSession[], door: unknown): void {
    this.#state.sessions = sessions;
    this.#state.door = door;
    if (!this.#stopping && !this.#timers.has('save')) this.#timers.set('save', SAVE_DELAY_MS, () => void this.#save());
  }

  /** `detail`: who wanted it, for the timeline. */
  stop(reason: EndReason, detail?: string): Promise<void> {
    this.#stopping ??= this.#seal(reason, detail);
    return this.#stopping;
  }

  /** For a recording whose start failed: nothing is sealed, nothing goes on. */
  abort(): void {
    this.#timers.clearAll();
    this.#stopping = Promise.resolve();
  }

  addWarning(warning: Warning): void {
    const { warnings } = this.#state;
    if (warnings.length < MAX_WARNINGS && !warnings.some((known) => isDeepStrictEqual(known, warning))) {
      warnings.push(warning);
    }
  }

  /** The worker that held the sockets died, or holds them again. */
  captureChanged(type: 'interrupted' | 'recovered', atMs: number, detail?: string): void {
    this.#event(detail === undefined ? { type, atMs } : { type, atMs, detail });
    void this.#save();
  }

  async #apply(change: UpdateRecording): Promise<void> {
    this.#lastSignallingMs = this.#parts.clock.nowMs();
    for (const warning of change.warnings ?? []) this.addWarning(warning);
    if (change.metadata && this.#state.metadata.length < MAX_METADATA_VERSIONS) {
      this.#state.metadata.push(change.metadata);
    }
    if (change.call) this.#replaceCall(change.call);
    try {
      if (change.streams) await this.#replaceStreams(change.streams);
    } finally {
      if (change.call) this.#replaceSenders(change.call);
      if (!this.#stopping) this.#watchInactivity(this.#inactivityLimitMs());
      await this.#save();
    }
  }

  #replaceCall(call: SessionState['call']): void {
    const { participants } = this.#state.call;
    const parties = call.participants;
    this.#state.call = { ...call, participants };
    const events = changeParties(this.#state, parties, this.#parts.clock.nowMs());
    for (const event of events) this.#event(event);
    if (events.length > 0) this.#parts.onPartiesChanged(this.#state);
    this.#gate.setRule(this.#parts.applyRules(this.#state));
  }

  /** After the streams of the same change are there. */
  #replaceSenders(call: SessionState['call']): void {
    const events = changeSenders(this.#state, call.participants, this.#parts.clock.nowMs());
    for (const event of events) this.#event(event);
  }

  async #replaceStreams(offered: OfferedStream[]): Promise<void> {
    const keys = new Set(offered.map((stream) => stream.key));
    for (const stream of this.#presentStreams()) {
      if (keys.has(stream.key)) continue;
      stream.present = false;
      this.#parts.capture.removeStream(stream.streamId);
      this.#event({ type: 'stream-removed', atMs: this.#parts.clock.nowMs(), streamId: stream.streamId });
    }
    let failure: unknown;
    const changes: Promise<void>[] = [];
    for (const stream of offered) {
      const known = this.#presentStreams().find((present) => present.key === stream.key);
      try {
        if (known) changes.push(this.#changeStream(known, stream));
        else this.#announce(await this.#addStream(stream));
      } catch (error) {
        failure ??= error;
      }
    }
    await Promise.all(changes);
    if (failure) throw failure;
  }

  /** A hold is in force once this has resolved, and the client is told so by our answer: from then on things may be said that nobody may hear. */
  async #changeStream(stream: SessionStream, offered: OfferedStream): Promise<void> {
    const changes = describeChanges(stream, offered);
    if (changes !== '') {
      this.#event({
        type: 'stream-changed',
        atMs: this.#parts.clock.nowMs(),
        streamId: stream.streamId,
        detail: changes,
      });
    }
    stream.formats = declareFormats(stream.formats, offered.formats, this.#parts.clock.nowMs());
    stream.label = offered.label ?? stream.label;
    if (offered.srtp) stream.srtp = offered.srtp;
    if (stream.receiving !== offered.sending) {
      stream.receiving = offered.sending;
      const type = offered.sending ? 'resume' : 'hold';
      this.#event({ type, atMs: this.#parts.clock.nowMs(), streamId: stream.streamId });
    }
    const { streamId, srtp } = stream;
    const formats = currentFormats(stream.formats);
    await this.#parts.capture.updateStream(streamId, { formats, receiving: takesMedia(stream), ...(srtp && { srtp }) });
  }

  #announce({ streamId, receiving }: SessionStream): void {
    const atMs = this.#parts.clock.nowMs();
    this.#event({ type: 'stream-added', atMs, streamId });
    if (!receiving) this.#event({ type: 'hold', atMs, streamId });
  }

  async #addStream(offered: OfferedStream): Promise<SessionStream> {
    const streamId = `s${this.#state.streams.length}`;
    const { label, key, formats, session, sending: receiving } = offered;
    const keys = offered.srtp && { srtp: offered.srtp };
    const stream: SessionStream = {
      ...{ streamId, key, label, formats, receiving, present: false, address: { rtpPort: 0, rtcpPort: 0 } },
      ...keys,
      ...(session === undefined ? {} : { session }),
    };
    this.#state.streams.push(stream);
    this.#gate.prepare(stream);
    try {
      const { announced } = offered;
      const spec = {
        streamId,
        label,
        formats,
        receiving: takesMedia(stream),
        ...keys,
        ...(announced ? { announced } : {}),
      };
      stream.address = await this.#parts.capture.addStream(spec);
      if (announced) Object.assign(stream, { announced: announced.address });
    } catch (error) {
      this.#state.streams = this.#state.streams.filter((other) => other !== stream);
      throw error;
    }
    stream.present = true;
    this.#gate.admit(stream);
    return stream;
  }

  #presentStreams(): SessionStream[] {
    return this.#state.streams.filter((stream) => stream.present);
  }

  #event(event: SessionState['events'][number]): void {
    if (this.#state.events.length < MAX_EVENTS) this.#state.events.push(event);
  }

  #inactivityLimitMs(): number {
    return inactivityLimitMs(this.#state, this.#parts.limits);
  }

  #watchInactivity(delayMs: number): void {
    this.#timers.set('inactivity', delayMs, () => {
      const lastMs = Math.max(this.#lastSignallingMs, this.#parts.capture.lastPacketMs ?? 0);
      const leftMs = lastMs + this.#inactivityLimitMs() - this.#parts.clock.nowMs();
      if (leftMs <= 0) this.#endByLimit('abandoned');
      else this.#watchInactivity(leftMs);
    });
  }

  #endByLimit(reason: 'abandoned' | 'max-duration'): void {
    this.#parts.log.info({ reason }, 'recording ended by its limit');
    void this.stop(reason);
    this.#parts.onEndedByLimit(reason);
  }

  #mustRun(): void {
    if (this.#stopping) throw new RecorderError('RECORDING_ENDED');
  }

  #unwantedChanged(): void {
    if (this.#stopping) return;
    this.#watchInactivity(this.#inactivityLimitMs());
    this.#parts.onUnwantedChanged();
  }

  async #seal(reason: EndReason, detail?: string): Promise<void> {
    const state = this.#state;
    state.endMs = this.#parts.clock.nowMs();
    this.#timers.clearAll();
    await this.#changes;
    state.statistics = await this.#parts.capture.seal();
    state.phase = 'sealed';
    state.endReason = reason;
    this.#event({ type: 'ended', atMs: state.endMs, ...(detail === undefined ? {} : { detail }) });
    await this.#save();
    this.#parts.onSealed(state);
  }

  /** A failed save is not the end: the journal goes on, and the next save or a restart catches up. */
  async #save(): Promise<void> {
    try {
      await this.#parts.save(this.#state);
    } catch (error) {
      this.addWarning({ code: 'state-not-saved', message: 'session.json could not be written for a while' });
      this.#parts.log.error({ err: error }, 'session.json could not be written');
    }
  }
}

/** What people call a change: another label, another first codec. */
function describeChanges(known: SessionStream, offered: OfferedStream): string {
  const codec = ([first]: MediaFormat[]) => (first ? `${first.encoding}/${first.clockRateHz}` : 'none');
  const changes: string[] = [];
  if (offered.label !== null && offered.label !== known.label)
    changes.push(`label ${known.label} is now ${offered.label}`);
  if (codec(offered.formats) !== codec(known.formats))
    changes.push(`codec ${codec(known.formats)} is now ${codec(offered.formats)}`);
  return changes.join(', ');
}

/** How long the recording may be silent as it is now. */
export function inactivityLimitMs(state: SessionState, limits: Omit<RecordingLimits, 'maxDurationMs'>): number {
  const streams = state.streams.filter(({ present }) => present);
  const held = streams.length > 0 && streams.every((stream) => !takesMedia(stream));
  return state.inactivityMs ?? (held ? limits.holdInactivityMs : limits.inactivityMs);
}
