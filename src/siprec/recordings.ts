// The recordings that the door's sessions bring, found by what correlates them (correlation.ts).
import type { Clock } from '../lib/clock.ts';
import { isRecorderError } from '../lib/errors.ts';
import { NotAdmitted, type RefusalCode } from '../recording/admission.ts';
import type { CallIdentifiers } from '../recording/call.ts';
import { EndedCalls } from '../recording/ended-calls.ts';
import type { ActiveRecording } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { contradict, correlationKeys } from './correlation.ts';
import { RunningKeys } from './running-keys.ts';
import {
  type Bringer,
  type RecordingHold,
  type RestoredHold,
  SharedRecording,
  type SharedRecordingParts,
  type SiprecDoorState,
  type SiprecRecorder,
} from './shared-recording.ts';

export interface RecordingsOptions {
  recorder: SiprecRecorder;
  clock: Clock;
  /** How long a recording waits for its call to come again after its last session was never acknowledged. */
  graceMs?: number;
}

/** A session never acknowledged lasts 64·T1 (32 s), as long as the slowest client waits before its next try. */
const GRACE_MS = 5_000;
/** Near and far end, and a retry of each. An id under which more come at once is no id: load generators repeat theirs. */
const MAX_OPEN_SESSIONS = 4;
/** Of one recording in its whole life. */
const MAX_SESSIONS = 100;
const MAX_REPEATED_IDS = 1_000;

export class Recordings {
  readonly #options: RecordingsOptions;
  readonly #byKey = new RunningKeys();
  readonly #keys = new Map<SharedRecording, string[]>();
  readonly #ended: EndedCalls;
  /** Keys that turned out to name more than one call. */
  readonly #repeated = new Set<string>();

  constructor(options: RecordingsOptions) {
    this.#options = options;
    this.#ended = new EndedCalls(options.clock);
  }

  /** Null if the INVITE may be recorded; otherwise why not, and it counts as refused. Costs little: it is asked before anything is read. */
  refusal({ raw }: { raw: string }): RefusalCode | null {
    const { recorder } = this.#options;
    const refusal = recorder.refusal();
    // What joins a running recording is taken whatever the limits say.
    if (refusal === null || (refusal !== 'DRAINING' && this.#byKey.mayBeIn(raw))) return null;
    recorder.countRefused();
    return refusal;
  }

  /** Joins the running recording of the same call, else starts one. Rejects as `Recorder.start` does. */
  async bring(bringer: Bringer): Promise<RecordingHold> {
    const { recorder } = this.#options;
    if (recorder.refusal() === 'DRAINING') {
      recorder.countRefused();
      throw new NotAdmitted('DRAINING');
    }
    for (;;) {
      const found = this.#find(bringer.contribution.call.identifiers);
      if (!found) return this.#begin(bringer);
      try {
        const hold = await found.shared.join(bringer, found.rule);
        this.#learn(found.shared, bringer.contribution.call.identifiers);
        return hold;
      } catch (error) {
        // It ended meanwhile, or never began: the call needs one of its own.
        if (found.shared.running || !isRecorderError(error)) throw error;
        this.#forget(found.shared);
      }
    }
  }

  /** Goes on with a recording of a previous process. `ended` is to be called when the recorder ends it. */
  restore(
    recording: ActiveRecording,
    state: SiprecDoorState,
  ): { holds: RestoredHold[]; ended: (reason: EndReason) => void } {
    const { shared, holds } = SharedRecording.restore(
      this.#partsOf(Promise.resolve(null), () => shared),
      recording,
      state,
    );
    if (shared.identifiers) this.#learn(shared, shared.identifiers);
    return { holds, ended: (reason) => shared.endedByRecorder(reason) };
  }

  /** Later metadata may bring further keys. A key that another running recording has stays with that. */
  #learn(shared: SharedRecording, identifiers: CallIdentifiers): void {
    if (!shared.running) return;
    const keys = this.#keys.get(shared) ?? [];
    for (const { key } of correlationKeys(identifiers)) {
      if (this.#byKey.has(key) || this.#repeated.has(key)) continue;
      this.#byKey.set(key, shared);
      keys.push(key);
    }
    this.#keys.set(shared, keys);
  }

  async #begin(bringer: Bringer): Promise<RecordingHold> {
    const { identifiers } = bringer.contribution.call;
    const parts: SharedRecordingParts = this.#partsOf(this.#lastRecording(identifiers), () => shared);
    const shared = new SharedRecording(parts);
    // From here on a second session of the call waits for this one.
    const hold = shared.join(bringer, 'first');
    this.#learn(shared, identifiers);
    return hold.catch((error) => {
      this.#forget(shared);
      throw error;
    });
  }

  #partsOf(continues: Promise<string | null>, shared: () => SharedRecording): SharedRecordingParts {
    const { recorder, clock, graceMs } = this.#options;
    return {
      recorder,
      clock,
      graceMs: graceMs ?? GRACE_MS,
      continues,
      onIdentified: (identifiers) => this.#learn(shared(), identifiers),
      onOver: () => this.#forget(shared()),
    };
  }

  #find(identifiers: CallIdentifiers): { shared: SharedRecording; rule: string } | null {
    for (const { rule, key } of correlationKeys(identifiers)) {
      const shared = this.#byKey.get(key);
      if (!shared || (rule === 'session-id' && shared.identifiers && contradict(shared.identifiers, identifiers)))
        continue;
      if (shared.sessions.open < MAX_OPEN_SESSIONS && shared.sessions.ever < MAX_SESSIONS) return { shared, rule };
      this.#byKey.delete(key);
      if (this.#repeated.size < MAX_REPEATED_IDS) this.#repeated.add(key);
    }
    return null;
  }

  /** The strongest key decides; its recording is over, so it is no longer among the running ones. */
  async #lastRecording(identifiers: CallIdentifiers): Promise<string | null> {
    for (const { key } of correlationKeys(identifiers)) {
      const recordingId = await this.#ended.lastRecording(key);
      if (recordingId !== null) return recordingId;
    }
    return null;
  }

  #forget(shared: SharedRecording): void {
    for (const key of this.#keys.get(shared) ?? []) {
      if (this.#byKey.get(key) === shared) this.#byKey.delete(key);
      if (shared.continuableId !== null) this.#ended.remember(key, Promise.resolve(shared.continuableId));
    }
    this.#keys.delete(shared);
  }
}
