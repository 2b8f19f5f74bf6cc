// Errors as SIP status codes: the only place that chooses them (RFC 3261 §21).
import { ERROR_CATALOGUE, type ErrorCode, isRecorderError } from '../lib/errors.ts';
import { NotAdmitted } from '../recording/admission.ts';
import { DeclinedByRule } from '../recording/rules.ts';

export interface SipRefusal {
  status: number;
  reason: string;
  /** A list stands for as many headers of that name. */
  headers: Record<string, string | string[]>;
}

const UNAVAILABLE = (retryAfterS: number) => ({ status: 503, reason: 'Service Unavailable', retryAfterS });

/** 503 makes clients try their next recording server; Retry-After says when this one may be worth asking again. */
const STATUS: Partial<Record<ErrorCode, { status: number; reason: string; retryAfterS?: number }>> = {
  NO_USABLE_AUDIO: { status: 488, reason: 'Not Acceptable Here' },
  SESSION_INTERVAL_TOO_SMALL: { status: 422, reason: 'Session Interval Too Small' },
  SOURCE_NOT_ALLOWED: { status: 403, reason: 'Forbidden' },
  CREDENTIALS_NEEDED: { status: 401, reason: 'Unauthorized' },
  SOURCE_TOO_BUSY: UNAVAILABLE(10),
  NO_PORTS: UNAVAILABLE(10),
  TOO_MANY_RECORDINGS: UNAVAILABLE(10),
  DRAINING: UNAVAILABLE(30),
  STORAGE_LOW: UNAVAILABLE(60),
  CAPTURE_BEHIND: UNAVAILABLE(10),
  OVERLOADED: UNAVAILABLE(10),
  STORAGE_FAILED: UNAVAILABLE(60),
  CAPTURE_FAILED: UNAVAILABLE(10),
  RECORDING_ENDED: { status: 481, reason: 'Call/Transaction Does Not Exist' },
};

/** RFC 3261 §21, for the statuses that rules are likely to decline with. */
const DECLINES: Record<number, string> = {
  403: 'Forbidden',
  404: 'Not Found',
  480: 'Temporarily Unavailable',
  486: 'Busy Here',
  488: 'Not Acceptable Here',
  503: 'Service Unavailable',
  600: 'Busy Everywhere',
  603: 'Decline',
  606: 'Not Acceptable',
};

export function refusalForCode(code: ErrorCode): SipRefusal {
  const known = STATUS[code];
  if (!known) return { status: 500, reason: 'Server Internal Error', headers: {} };
  const headers: Record<string, string> = { Warning: warningHeader(ERROR_CATALOGUE[code]) };
  if (known.retryAfterS !== undefined) headers['Retry-After'] = String(known.retryAfterS);
  return { status: known.status, reason: known.reason, headers };
}

/** For whatever a failed start threw. */
export function refusalForError(error: unknown): SipRefusal {
  if (error instanceof DeclinedByRule) {
    const { status, message } = error;
    return { status, reason: DECLINES[status] ?? 'Declined', headers: { Warning: warningHeader(message) } };
  }
  if (isRecorderError(error)) return refusalForCode(error.code);
  return { status: 500, reason: 'Server Internal Error', headers: {} };
}

/** 488: the offer is understood, but there is nothing in it to record. `why` is for the operator of the client. */
export function notAcceptable(why: string): SipRefusal {
  return { status: 488, reason: 'Not Acceptable Here', headers: { Warning: warningHeader(why) } };
}

/** 415: the client sends the body once more as it is (RFC 3261 §8.2.3). */
export function encodingNotSupported(): SipRefusal {
  const headers = { 'Accept-Encoding': 'identity', Warning: warningHeader('The body is encoded: send it as it is.') };
  return { status: 415, reason: 'Unsupported Media Type', headers };
}

/** RFC 3261 §20.43, code 399: miscellaneous warning. */
function warningHeader(text: string): string {
  return `399 sipreel "${text.replace(/["\\\r\n]/g, "'")}"`;
}

/** How much a start that failed deserves to be read about. */
export function logLevelOf(error: unknown): 'debug' | 'info' | 'warn' | 'error' {
  if (error instanceof NotAdmitted) return 'debug';
  if (isRecorderError(error, 'DECLINED_BY_RULE')) return 'info';
  return isRecorderError(error) ? 'warn' : 'error';
}
