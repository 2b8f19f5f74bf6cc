// Pauses by our own order (card numbers: PCI DSS), beside the client's hold. Pure: marks and streams in, who is paused out.
//
// A mark stays until its own target is resumed; resuming the whole call takes all of them. A stream is paused as long as any
// mark covers it, so what was paused widely is never let through by resuming a part of it.
import { isDeepStrictEqual } from 'node:util';
import type { ControlTarget } from './control.ts';

export interface PauseMark {
  target: ControlTarget;
  /** As in `ControlOrder.by`. */
  by: string;
  reason: string | null;
  /** Media clock, Unix ms. */
  sinceMs: number;
}

/** A stream, and the party that sends it as far as that is known. */
export interface PausableStream {
  streamId: string;
  participantId: string | null;
}

/** The first order for a target counts, whoever repeats it. */
export function withPause(marks: readonly PauseMark[], mark: PauseMark): PauseMark[] {
  return marks.some(({ target }) => isDeepStrictEqual(target, mark.target)) ? [...marks] : [...marks, mark];
}

export function withoutPause(marks: readonly PauseMark[], target: ControlTarget): PauseMark[] {
  return target.scope === 'call' ? [] : marks.filter((mark) => !isDeepStrictEqual(mark.target, target));
}

/** The oldest mark that covers the stream; null if none does. */
export function pauseOf(stream: PausableStream, marks: readonly PauseMark[]): PauseMark | null {
  return marks.find(({ target }) => covers(target, stream)) ?? null;
}

/** A stream of which nobody knows who sends it may carry any party: it is paused with each. */
function covers(target: ControlTarget, { streamId, participantId }: PausableStream): boolean {
  switch (target.scope) {
    case 'call':
      return true;
    case 'stream':
      return target.streamId === streamId;
    case 'party':
      return participantId === null || target.participantId === participantId;
  }
}
