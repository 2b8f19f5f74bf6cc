// Running calls that somebody listens to or watches the meters of: each is followed once, whoever and how many they are.
//
//   (nobody) ──first ear──▶ followed ──last ear leaves, or the call ends──▶ (nobody)
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { RecordingControl } from '../recording/control.ts';
import { LiveAudio, type LivePiece } from '../render/live/live-audio.ts';

const PIECE_MS = 200;

/** Gets each piece, and null when the call has ended. */
export type Ear = (piece: LivePiece | null) => void;

interface Followed {
  ears: Set<Ear>;
  audio: LiveAudio | null;
  busy: boolean;
}

export class LiveEars {
  readonly #control: RecordingControl;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #followed = new Map<string, Followed>();
  #timer: Timer | null = null;
  #closed = false;

  constructor(control: RecordingControl, clock: Clock, log: Log) {
    this.#control = control;
    this.#clock = clock;
    this.#log = log;
  }

  /** From now on; returns what ends it. A call that does not run gives null at once. */
  add(recordingId: string, ear: Ear): () => void {
    const followed = this.#followed.get(recordingId) ?? { ears: new Set(), audio: null, busy: false };
    this.#followed.set(recordingId, followed);
    followed.ears.add(ear);
    this.#timer ??= this.#clock.after(0, () => this.#tick());
    return () => {
      followed.ears.delete(ear);
      if (followed.ears.size === 0) this.#forget(recordingId, followed);
    };
  }

  /** Of what is sent; 8,000 or 16,000. Resolves when it is known; null if the call does not run or cannot be followed. */
  async sampleRateHz(recordingId: string): Promise<number | null> {
    const followed = this.#followed.get(recordingId);
    if (followed && !followed.audio && !followed.busy) await this.#step(recordingId, followed);
    while (followed?.busy && !followed.audio)
      await new Promise((resolve) => this.#clock.after(PIECE_MS / 4, () => resolve(null)));
    return followed?.audio?.sampleRateHz ?? null;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const [recordingId, followed] of this.#followed) this.#end(recordingId, followed);
  }

  #tick(): void {
    this.#timer = null;
    for (const [recordingId, followed] of this.#followed) {
      if (!followed.busy) void this.#step(recordingId, followed);
    }
    if (this.#followed.size > 0 && !this.#closed) this.#timer = this.#clock.after(PIECE_MS, () => this.#tick());
  }

  async #step(recordingId: string, followed: Followed): Promise<void> {
    followed.busy = true;
    try {
      const job = this.#control.media(recordingId);
      if (!job) return this.#end(recordingId, followed);
      followed.audio ??= await LiveAudio.open(job, this.#clock.nowMs());
      const piece = await followed.audio.next(job, this.#clock.nowMs());
      for (const ear of [...followed.ears]) ear(piece);
    } catch (error) {
      this.#log.debug({ err: error, recordingId }, 'a running call is followed anew');
      followed.audio?.close();
      followed.audio = null;
    } finally {
      followed.busy = false;
      // Everybody has left meanwhile.
      if (this.#followed.get(recordingId) !== followed) followed.audio?.close();
    }
  }

  #end(recordingId: string, followed: Followed): void {
    const ears = [...followed.ears];
    followed.ears.clear();
    this.#forget(recordingId, followed);
    for (const ear of ears) ear(null);
  }

  #forget(recordingId: string, followed: Followed): void {
    if (this.#followed.get(recordingId) === followed) this.#followed.delete(recordingId);
    if (!followed.busy) followed.audio?.close();
  }
}
