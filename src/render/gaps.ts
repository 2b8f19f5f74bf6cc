// Holes in one stream: where nothing was placed, how long, and why.
import type { EventLog } from './event-log.ts';
import type { Pauses } from './pauses.ts';
import type { PlaceRing } from './window.ts';

/** Shorter holes are not worth an event. */
export const SHORTEST_GAP_MS = 100;

interface HoleNote {
  endFrame: number;
  missingPackets: number;
}

/** Scans what leaves the window; nothing before the first and behind the last packet of the stream is a gap. */
export class GapFinder {
  readonly #streamId: string;
  readonly #rateHz: number;
  readonly #originMs: number;
  readonly #pauses: Pauses;
  readonly #events: EventLog;
  readonly #notes: HoleNote[] = [];
  #begun = false;
  #holeFrom = -1;

  /** @param originMs time of frame 0, ms on the line of the arrival times */
  constructor(streamId: string, rateHz: number, originMs: number, pauses: Pauses, events: EventLog) {
    this.#streamId = streamId;
    this.#rateHz = rateHz;
    this.#originMs = originMs;
    this.#pauses = pauses;
    this.#events = events;
  }

  /** A packet was placed behind a hole; so many sequence numbers are missing since the packet before it. */
  note(endFrame: number, missingPackets: number): void {
    this.#notes.push({ endFrame, missingPackets });
  }

  /** The places `[from, to)` are final. Called in order, without leaving any out. */
  scan(places: PlaceRing, from: number, to: number): void {
    let frame = from;
    if (!this.#begun) {
      frame = places.nextTaken(from, to);
      if (frame === to) return;
      this.#begun = true;
    }
    while (frame < to) {
      if (this.#holeFrom < 0) {
        frame = places.nextFree(frame, to);
        if (frame === to) return;
        this.#holeFrom = frame;
      }
      frame = places.nextTaken(frame, to);
      if (frame === to) return;
      this.#tell(this.#holeFrom, frame);
      this.#holeFrom = -1;
    }
  }

  /** The places from here on are final and all free: instead of `scan`, for what is long and empty. */
  skip(from: number): void {
    if (this.#begun && this.#holeFrom < 0) this.#holeFrom = from;
  }

  #tell(from: number, to: number): void {
    const notes = this.#notes;
    // Reordered packets may have filled a part: the hole's note is the first one that ends at or behind its end.
    while (notes.length > 0 && notes[0]!.endFrame < to) notes.shift();
    const missing = notes[0]?.missingPackets ?? 0;
    const durationMs = ((to - from) * 1000) / this.#rateHz;
    if (durationMs < SHORTEST_GAP_MS) return;
    const atMs = this.#originMs + (from * 1000) / this.#rateHz;
    const cause = this.#pauses.overlaps(atMs, atMs + durationMs) ? 'interruption' : missing > 0 ? 'loss' : 'silence';
    this.#events.gap(this.#streamId, atMs, durationMs, cause);
  }
}
