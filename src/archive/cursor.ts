// Where a page ended: the start and id of its last recording, as an opaque text.
import { RecorderError } from '../lib/errors.ts';
import type { RecordingDocument } from '../recording/document.ts';

export interface Position {
  /** ISO 8601, as in recording.json. */
  start: string;
  id: string;
}

export function positionOf(document: RecordingDocument): Position {
  return { start: document.times.start, id: document.id };
}

export function writeCursor({ start, id }: Position): string {
  return Buffer.from(JSON.stringify([start, id])).toString('base64url');
}

/** Throws INVALID_CURSOR. */
export function readCursor(cursor: string): Position {
  try {
    const [start, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (typeof start === 'string' && typeof id === 'string' && new Date(start).toISOString() === start) {
      return { start, id };
    }
  } catch {
    // Said below.
  }
  throw new RecorderError('INVALID_CURSOR');
}

/** Newest first; the same start by id, descending. Negative if `a` comes before `b`. */
export function newestFirst(a: Position, b: Position): number {
  if (a.start !== b.start) return a.start > b.start ? -1 : 1;
  return a.id === b.id ? 0 : a.id > b.id ? -1 : 1;
}
