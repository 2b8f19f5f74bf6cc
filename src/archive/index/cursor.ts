// A place as an opaque text, and back.
import { RecorderError } from '../../lib/errors.ts';

export function writePlace(place: number): string {
  return Buffer.from(`p${place}`).toString('base64url');
}

/** Throws INVALID_CURSOR. */
export function readPlace(cursor: string): number {
  const [, digits] = /^p(-?\d{1,16})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1')) ?? [];
  const place = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(place)) throw new RecorderError('INVALID_CURSOR');
  return place;
}
