// Times in metadata: xs:dateTime (RFC 7865 §6, XML Schema 1.0 §3.2.7) and what clients send instead.
import type { Warning } from '../../recording/call.ts';
import type { MetadataTime } from './model.ts';

const DATE_TIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$/i;

/** Times before this are a clock that was never set, not a call. */
const EARLIEST_MS = Date.UTC(2000, 0, 1);

/**
 * Unix ms. Without a zone the time is taken as UTC, with a warning; `+0000` is fine; seconds or milliseconds since 1970
 * are understood. Null, with a warning, for what makes no sense. Empty text is null without one.
 */
export function parseMetadataTime(text: string, warnings: Warning[]): MetadataTime {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  const ms = /^\d{10}$|^\d{13}$/.test(trimmed) ? epoch(trimmed) : dateTime(trimmed, warnings);
  if (ms !== null && ms >= EARLIEST_MS) return ms;
  warnings.push({ code: 'time-unreadable', message: `The metadata time ${trimmed.slice(0, 40)} was left out.` });
  return null;
}

function epoch(digits: string): number {
  return digits.length === 10 ? Number(digits) * 1000 : Number(digits);
}

function dateTime(text: string, warnings: Warning[]): number | null {
  const match = DATE_TIME.exec(text);
  if (!match) return null;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone] = match;
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const outOfRange =
    Number(month) > 12 || Number(day) > 31 || Number(hour) > 24 || Number(minute) > 59 || Number(second) > 60;
  if (Number.isNaN(ms) || outOfRange) return null;
  if (zone === undefined) {
    warnings.push({ code: 'time-without-zone', message: 'Metadata times carry no time zone and were taken as UTC.' });
  }
  return ms + Math.round(Number(`0.${fraction || '0'}`) * 1000) - zoneOffsetMs(zone ?? 'Z');
}

function zoneOffsetMs(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone);
  if (!match) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3] ?? '0');
  return (match[1] === '-' ? -minutes : minutes) * 60_000;
}
