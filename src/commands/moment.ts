// Times on the command line.

export const WHAT_A_MOMENT_IS = 'a time like 2026-01-31, 2026-01-31T12:00:00Z, 12h or 7d';

/** Unix ms; NaN if it is none. `12h` and `7d` are so long ago. */
export function readMoment(value: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(value) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (unit === 'd' ? 86_400_000 : 3_600_000);
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(value);
  return isTime ? Date.parse(value) : Number.NaN;
}
