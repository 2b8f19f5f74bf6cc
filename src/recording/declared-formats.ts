// What a stream's payload types meant when. RFC 3264 §8.3.2 lets none change its meaning; a call that is transferred to another
// phone does it all the same.
import { isDeepStrictEqual } from 'node:util';
import type { MediaFormat } from './media.ts';

export interface DeclaredFormat extends MediaFormat {
  /** When its payload type was given another meaning, Unix ms on the media clock. Absent: it never was. */
  untilMs?: number;
}

const MAX_FORMATS = 256;

/** Latest first. What is offered no more stays for packets that were sent under it. */
export function declareFormats(
  known: readonly DeclaredFormat[],
  offered: readonly MediaFormat[],
  atMs: number,
): DeclaredFormat[] {
  const older = known
    .filter((format) => !offered.some((other) => isDeepStrictEqual(format, other)))
    .map((format) => {
      const isReplaced = offered.some(({ payloadType }) => payloadType === format.payloadType);
      return isReplaced && format.untilMs === undefined ? { ...format, untilMs: atMs } : format;
    });
  return [...offered, ...older].slice(0, MAX_FORMATS);
}

/** The meanings that hold now: one for each payload type. */
export function currentFormats(formats: readonly DeclaredFormat[]): MediaFormat[] {
  return formats.filter(({ untilMs }) => untilMs === undefined);
}

/** What a payload type meant at that time; null if it was never declared. */
export function formatAt(formats: readonly DeclaredFormat[], payloadType: number, atMs: number): DeclaredFormat | null {
  let found: DeclaredFormat | null = null;
  for (const format of formats) {
    const isOver = format.untilMs !== undefined && format.untilMs <= atMs;
    if (format.payloadType !== payloadType || isOver) continue;
    if (found === null || endOf(format) < endOf(found)) found = format;
  }
  return found;
}

const endOf = ({ untilMs }: DeclaredFormat) => untilMs ?? Number.POSITIVE_INFINITY;
