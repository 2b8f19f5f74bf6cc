// A single byte range of a GET (RFC 9110 §14). Several ranges, other units and what cannot be read are answered with the whole.

export type RangeAnswer =
  | { kind: 'whole' }
  /** Inclusive octets. */
  | { kind: 'part'; first: number; last: number }
  | { kind: 'unsatisfiable' };

/** `octets` is the whole length. `etag` is quoted and strong; `ifRange` lets the range count only for that version (§13.1.5). */
export function rangeOf(
  range: string | undefined,
  ifRange: string | undefined,
  { octets, etag }: { octets: number; etag: string },
): RangeAnswer {
  if (range === undefined || (ifRange !== undefined && ifRange.trim() !== etag)) return { kind: 'whole' };
  const match = /^bytes=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*$/i.exec(range);
  if (!match) return { kind: 'whole' };
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return { kind: 'whole' };
  if (from === '') {
    const suffix = Number(to);
    if (suffix === 0 || octets === 0) return { kind: 'unsatisfiable' };
    return { kind: 'part', first: Math.max(0, octets - suffix), last: octets - 1 };
  }
  const first = Number(from);
  // A last position before the first makes the range invalid, not unsatisfiable (§14.1.2).
  if (to !== '' && Number(to) < first) return { kind: 'whole' };
  if (first >= octets) return { kind: 'unsatisfiable' };
  return { kind: 'part', first, last: to === '' ? octets - 1 : Math.min(Number(to), octets - 1) };
}

/** Whether If-None-Match names this version (§13.1.2, weak comparison). */
export function noneMatchFails(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
