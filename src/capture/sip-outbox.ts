// SIP messages on their way to a worker, gathered for a moment: each message to a thread wakes it up, and a call has half a
// dozen of them, none of which is in a hurry.
import type { Clock, Timer } from '../lib/clock.ts';
import type { SipRecord } from '../recording/media.ts';

/** Adds to what a crash may cost of the journal. */
const GATHER_MS = 25;

export interface RecordedSip {
  recordingId: string;
  record: SipRecord;
}

export class SipOutbox {
  readonly #clock: Clock;
  readonly #post: (gathered: RecordedSip[]) => void;
  #gathered: RecordedSip[] = [];
  #timer: Timer | null = null;

  constructor(clock: Clock, post: (gathered: RecordedSip[]) => void) {
    this.#clock = clock;
    this.#post = post;
  }

  add(recordingId: string, record: SipRecord): void {
    this.#gathered.push({ recordingId, record });
    this.#timer ??= this.#clock.after(GATHER_MS, () => this.flush());
  }

  /** Posts what is there: before anything that must not overtake it. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#gathered.length > 0) this.#post(this.#gathered.splice(0));
  }

  /** Takes out what was not posted: the worker is gone. */
  takeAll(recordingId: string): SipRecord[] {
    const taken = this.#gathered.filter((sip) => sip.recordingId === recordingId);
    this.#gathered = this.#gathered.filter((sip) => sip.recordingId !== recordingId);
    return taken.map(({ record }) => record);
  }
}
