// What the usual names of PBX recordings say about the call.
import { basename } from 'node:path/posix';

export interface NameHints {
  caller?: string;
  callee?: string;
  /** Unix ms. */
  startMs?: number;
  callId?: string;
  /** Asterisk's id of the channel: the second it was made in, and a number. */
  uniqueid?: string;
  direction?: 'inbound' | 'outbound';
}

/** FreePBX and Issabel: what is recorded, whom it was for, from whom, local time, Asterisk's unique id (with a system name, perhaps). */
const FREEPBX = /^([a-z]+)-([^-]+)-([^-]+)-\d{8}-\d{6}-((?:[\w.]+-)?(\d{10})\.\d{1,9})$/i;
const UNIQUEID = /^(?:[\w.]+-)?(\d{10})\.\d{1,9}$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** mod_httapi puts a random UUID before the name of its temporary file. */
const TEMPORARY_PREFIX = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}_/i;
const DIRECTIONS: Record<string, 'inbound' | 'outbound'> = { in: 'inbound', external: 'inbound', out: 'outbound' };
const MAX_NAME = 255;

/** The last segment of a path, whichever system wrote it; null if nothing is left. Never a path. */
export function plainName(path: string): string | null {
  const name = basename(path.replaceAll('\\', '/')).replace(TEMPORARY_PREFIX, '');
  return name === '' || name === '.' || name === '..' || name.includes('\0') ? null : name.slice(0, MAX_NAME);
}

/** Nothing for a name that follows no known habit. */
export function hintsOf(name: string): NameHints {
  const stem = name.replace(/\.\w{2,4}$/, '');
  const [, kind, callee, caller, uniqueid, seconds] = FREEPBX.exec(stem) ?? [];
  if (kind !== undefined && callee !== undefined && caller !== undefined && uniqueid !== undefined) {
    const direction = DIRECTIONS[kind.toLowerCase()];
    return {
      callee,
      ...(caller !== 'unknown' && { caller }),
      // The local time in the name has no zone; the unique id counts seconds of UTC.
      startMs: Number(seconds) * 1000,
      uniqueid,
      ...(direction && { direction }),
    };
  }
  const made = UNIQUEID.exec(stem)?.[1];
  if (made !== undefined) return { uniqueid: stem, startMs: Number(made) * 1000 };
  return UUID.test(stem) ? { callId: stem } : {};
}
