// Sessions of a previous process that were being answered when it died: whether their clients have the answer, only they know.
//
//            the client sends the INVITE again: it has none
//   unknown ───────────────────────────────────────────────▶ left (its recording, unless others bring it or media came, is discarded)
//      └──── the recorder ends the recording ──▶ over (filed, with media or without: the call may have been answered)
import type { RecordingHold, RestoredHold } from './shared-recording.ts';

export class UnansweredSessions {
  /** By `sessionKey`; a session may bring several recordings. */
  readonly #holds = new Map<string, RecordingHold[]>();

  add({ key, hold, give }: RestoredHold): void {
    this.#holds.set(key, [...(this.#holds.get(key) ?? []), hold]);
    give({ ended: () => this.#holds.delete(key), unwantedChanged: () => {}, snapshot: () => null });
  }

  /** An INVITE of that key has come, outside of any dialog. */
  askedAgain(key: string): void {
    const holds = this.#holds.get(key) ?? [];
    this.#holds.delete(key);
    for (const hold of holds) hold.leave('cancelled', []);
  }
}
