// Frames on their way to one app, in the order that drachtio-srf relies on: first the acknowledgement of what the app
// sent, then whatever follows from it. An answer is acknowledged when it has left, which takes a moment; until then
// everything else of the same call waits here.

export class Outbox {
  readonly #write: (frame: Buffer) => void;
  readonly #held = new Map<string, { holders: number; frames: Buffer[] }>();

  constructor(write: (frame: Buffer) => void) {
    this.#write = write;
  }

  /** Delays frames of that call until the returned function is called with what goes out before them. */
  hold(callId: string): (acknowledgement: Buffer) => void {
    const held = this.#held.get(callId) ?? { holders: 0, frames: [] };
    this.#held.set(callId, held);
    held.holders++;
    let released = false;
    return (acknowledgement) => {
      if (released) return;
      released = true;
      this.#write(acknowledgement);
      if (--held.holders > 0) return;
      this.#held.delete(callId);
      for (const frame of held.frames) this.#write(frame);
    };
  }

  send(callId: string, frame: Buffer): void {
    const held = this.#held.get(callId);
    if (held) held.frames.push(frame);
    else this.#write(frame);
  }
}
