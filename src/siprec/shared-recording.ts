// One recording and the recording sessions that bring its communication session: each one has a hold on it.
//
//            first session joins
//                   │
//               starting ──refused──────────────────────▶ over
//                   │
//   ┌──▶ held by n sessions ──the recorder ends it──────▶ over
//   │        │          │
//   │        │          └──the last one leaves──────────▶ over (sealed)
//   │   the last one was never acknowledged
//   │        ▼
//   └── in grace ──nobody comes─────────────────────────▶ over (sealed)
import type { Clock, Timer } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import type { CallDescription, CallIdentifiers, RawMetadata, Warning } from '../recording/call.ts';
import type { SipRecord, StreamAddress } from '../recording/media.ts';
import type { ActiveRecording, Recorder, Unwanted, UpdateRecording } from '../recording/recorder-interface.ts';
import type { BringingSession, EndReason } from '../recording/session-state.ts';
import { type Contribution, combineCalls, combineStreams, type NumberedContribution, sharedKey } from './combine.ts';

/** What this door asks of the recorder. */
export type SiprecRecorder = Pick<Recorder, 'start' | 'refusal' | 'countRefused'>;

export interface SharedRecordingParts {
  recorder: SiprecRecorder;
  clock: Clock;
  graceMs: number;
  /** Id of the earlier recording of the same call. */
  continues: Promise<string | null>;
  /** The call has identifiers that it had not before. */
  onIdentified: (identifiers: CallIdentifiers) => void;
  onOver: () => void;
}

/** A recording session that brings a communication session. */
export interface Bringer {
  /** The session's `sessionKey`. */
  key: string;
  sipCallId: string;
  peer: string;
  startMs: number;
  contribution: Contribution;
  metadata: RawMetadata | null;
  warnings: Warning[];
  owner: HoldOwner;
}

export interface HoldOwner {
  /** `RecordingHold.unwanted` has changed. */
  unwantedChanged(): void;
  /** The recorder ended the recording. */
  ended(reason: EndReason): void;
  /** Plain data from which the session can be built again; null as long as it is not answered. */
  snapshot(): unknown;
}

export interface HoldChange {
  /** Absent: as before. */
  contribution?: Contribution;
  metadata?: RawMetadata;
  warnings: Warning[];
}

/** What a recording session has of the recording. */
export interface RecordingHold {
  readonly recordingId: string;
  /** By the session's own stream keys. */
  addresses(): Map<string, StreamAddress>;
  /** Streams whose media the recorder drops by its own order, by the session's own keys. */
  unwanted(): Map<string, Unwanted>;
  /** Rejects as `ActiveRecording.update` does. */
  update(change: HoldChange): Promise<void>;
  journalSip(record: SipRecord): void;
  /** The session's snapshot is another one now. */
  noteChanged(): void;
  /** `reasons` are the Reason header fields of the request that ended the session. */
  leave(reason: EndReason, reasons: string[]): void;
  /** The session was answered but never acknowledged: its client may try again. */
  lapse(reasons: string[]): void;
}

/** `door` in session.json: what builds the sessions of a recording again. */
export interface SiprecDoorState {
  kind: 'siprec';
  continues: string | null;
  /** All that ever joined; `session` is null for those that have left, and for those that were not answered as far as is known. */
  sessions: { number: number; key: string; entry: BringingSession; contribution: Contribution; session: unknown }[];
}

interface Holder extends NumberedContribution {
  key: string;
  entry: BringingSession;
  owner: HoldOwner;
}

/** A hold after a restart; it belongs to nobody until `give`. */
export interface RestoredHold {
  hold: RecordingHold;
  /** The session's `sessionKey`. */
  key: string;
  /** Null if it was not answered as far as is known. */
  session: unknown;
  give(owner: HoldOwner): void;
}

export class SharedRecording {
  readonly #parts: SharedRecordingParts;
  /** All that ever joined; those with an end have left. */
  readonly #holders: Holder[] = [];
  #recording: ActiveRecording | null = null;
  #starting: Promise<ActiveRecording> | null = null;
  #continues: string | null = null;
  #grace: Timer | null = null;
  #over = false;
  #cancelled = false;
  #identifiers: CallIdentifiers | null = null;

  constructor(parts: SharedRecordingParts) {
    this.#parts = parts;
  }

  /** A recording that a previous process began and this one goes on with. */
  static restore(
    parts: SharedRecordingParts,
    recording: ActiveRecording,
    state: SiprecDoorState,
  ): { shared: SharedRecording; holds: RestoredHold[] } {
    const shared = new SharedRecording(parts);
    shared.#recording = recording;
    shared.#starting = Promise.resolve(recording);
    shared.#continues = state.continues;
    const nobody = { ended: () => {}, unwantedChanged: () => {}, snapshot: () => null };
    shared.#holders.push(...state.sessions.map((each) => ({ ...each, owner: nobody })));
    shared.#describe();
    const holds = shared.#holders.flatMap((holder, index) => {
      const session = state.sessions[index]?.session ?? null;
      if (holder.entry.endMs !== null) return [];
      const give = (owner: HoldOwner) => {
        holder.owner = owner;
      };
      return [{ hold: shared.#hold(holder, recording), key: holder.key, session, give }];
    });
    return { shared, holds };
  }

  /** To be called when the recorder ends a restored recording; others have it from `start`. */
  endedByRecorder(reason: EndReason): void {
    const present = this.#present;
    this.#end(reason);
    for (const { owner } of present) owner.ended(reason);
  }

  /** To be called when `ActiveRecording.unwanted` of a restored recording has changed; others have it from `start`. */
  unwantedChanged(): void {
    for (const { owner } of this.#present) owner.unwantedChanged();
  }

  get running(): boolean {
    return !this.#over;
  }

  get recordingId(): string | null {
    return this.#recording?.id ?? null;
  }

  /** The id for a later recording of the same call to name; null if it was cancelled, which leaves nothing but for rare cases. */
  get continuableId(): string | null {
    return this.#cancelled ? null : this.recordingId;
  }

  get identifiers(): CallIdentifiers | null {
    return this.#identifiers;
  }

  /** Sessions that bring it now, and that ever did. */
  get sessions(): { open: number; ever: number } {
    return { open: this.#present.length, ever: this.#holders.length };
  }

  get #present(): Holder[] {
    return this.#holders.filter(({ entry }) => entry.endMs === null);
  }

  /** The first one starts the recording. Rejects as the recorder does, or with RECORDING_ENDED or NO_PORTS. */
  async join(bringer: Bringer, joinedBy: string): Promise<RecordingHold> {
    const holder = this.#holder(bringer, joinedBy);
    this.#holders.push(holder);
    this.#grace?.cancel();
    this.#grace = null;
    try {
      if (this.#starting) await this.#add(holder, bringer, await this.#starting);
      else {
        this.#starting = this.#start(bringer);
        this.#recording = await this.#starting;
      }
    } catch (error) {
      this.#holders.splice(this.#holders.indexOf(holder), 1);
      if (this.#recording === null) this.#end('failed');
      else this.#stopIfDeserted('failed');
      throw error;
    }
    this.#noteSessions();
    return this.#hold(holder, this.#recording!);
  }

  async #start({ contribution, peer, metadata, warnings }: Bringer): Promise<ActiveRecording> {
    this.#identifiers = contribution.call.identifiers;
    this.#continues = await this.#parts.continues;
    return this.#parts.recorder.start({
      source: 'siprec',
      call: this.#describe(),
      streams: combineStreams(this.#present),
      metadata,
      warnings,
      peer,
      brought: this.#brought(),
      onEnded: (reason) => this.endedByRecorder(reason),
      onUnwantedChanged: () => this.unwantedChanged(),
    });
  }

  /** The recording goes on whatever becomes of the new session; without a single port that has nothing to bring. */
  async #add(holder: Holder, { metadata, warnings }: Bringer, recording: ActiveRecording): Promise<void> {
    if (this.#over) throw new RecorderError('RECORDING_ENDED');
    const update: UpdateRecording = { call: this.#describe(), streams: combineStreams(this.#present), warnings };
    if (metadata) update.metadata = metadata;
    try {
      await recording.update(update);
    } catch (error) {
      if (this.#addresses(holder).size === 0) throw error;
    }
  }

  #hold(holder: Holder, recording: ActiveRecording): RecordingHold {
    return {
      recordingId: recording.id,
      addresses: () => this.#addresses(holder),
      unwanted: () => this.#unwanted(holder),
      update: (change) => this.#update(holder, change, recording),
      journalSip: (record) => recording.journalSip(record),
      noteChanged: () => this.#noteSessions(),
      leave: (reason, reasons) => {
        if (this.#leave(holder, reason, reasons)) this.#stopIfDeserted(reason);
      },
      lapse: (reasons) => {
        if (!this.#leave(holder, 'cancelled', reasons) || this.#present.length > 0) return;
        this.#grace = this.#parts.clock.after(this.#parts.graceMs, () => this.#stopIfDeserted('cancelled'));
      },
    };
  }

  async #update(holder: Holder, change: HoldChange, recording: ActiveRecording): Promise<void> {
    const { contribution, metadata, warnings } = change;
    const update: UpdateRecording = {};
    if (contribution) {
      const streamsChanged = contribution.streams !== holder.contribution.streams;
      holder.contribution = contribution;
      update.call = this.#describe();
      if (streamsChanged) update.streams = combineStreams(this.#present);
      this.#parts.onIdentified(contribution.call.identifiers);
    }
    if (metadata) update.metadata = metadata;
    if (warnings.length > 0) update.warnings = warnings;
    if (Object.keys(update).length === 0) return;
    await recording.update(update).finally(() => this.#noteSessions());
  }

  #addresses({ number, contribution }: Holder): Map<string, StreamAddress> {
    const all = this.#recording?.addresses();
    const own = contribution.streams.map(({ key }) => [key, all?.get(sharedKey(number, key))] as const);
    return new Map(own.filter((entry): entry is [string, StreamAddress] => entry[1] !== undefined));
  }

  #unwanted({ number, contribution }: Holder): Map<string, Unwanted> {
    const all = this.#recording?.unwanted();
    const own = contribution.streams.map(({ key }) => [key, all?.get(sharedKey(number, key))] as const);
    return new Map(own.filter((entry): entry is [string, Unwanted] => entry[1] !== undefined));
  }

  /** False if it had left before. */
  #leave(holder: Holder, reason: EndReason, reasons: string[]): boolean {
    if (holder.entry.endMs !== null) return false;
    Object.assign(holder.entry, { endMs: this.#parts.clock.nowMs(), endReason: reason, reasons });
    this.#noteSessions();
    if (this.#over) return false;
    if (this.#present.length > 0) {
      this.#recording?.update({ call: this.#describe(), streams: combineStreams(this.#present) }).catch(() => {});
    }
    return true;
  }

  #stopIfDeserted(reason: EndReason): void {
    if (this.#over || this.#present.length > 0) return;
    // The recorder logs what goes wrong; the session has nobody to tell.
    this.#recording?.stop(reason).catch(() => {});
    this.#end(reason);
  }

  #end(reason: EndReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelled = reason === 'cancelled';
    this.#grace?.cancel();
    this.#parts.onOver();
  }

  #describe(): CallDescription {
    const call = combineCalls(this.#holders, this.#present, this.#continues);
    this.#identifiers = call.identifiers;
    return call;
  }

  #noteSessions(): void {
    const { sessions, door } = this.#brought();
    this.#recording?.setSessions(sessions, door);
  }

  #brought(): { sessions: BringingSession[]; door: SiprecDoorState } {
    const sessions = this.#holders.map(({ number, key, entry, contribution, owner }) => ({
      number,
      key,
      entry: { ...entry },
      contribution,
      session: entry.endMs === null ? owner.snapshot() : null,
    }));
    const door: SiprecDoorState = { kind: 'siprec', continues: this.#continues, sessions };
    return { sessions: sessions.map(({ entry }) => entry), door };
  }

  #holder({ key, sipCallId, peer, startMs, contribution, owner }: Bringer, joinedBy: string): Holder {
    const entry = { sipCallId, peer, startMs, endMs: null, endReason: null, joinedBy, reasons: [] };
    const number = (this.#holders.at(-1)?.number ?? 0) + 1;
    return { number, key, contribution, entry, owner };
  }
}
