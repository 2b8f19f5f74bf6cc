// Errors as RFC 9457 problem details, in words. Only here a code becomes an HTTP status.
import { type ErrorCode, isRecorderError } from '../lib/errors.ts';

/** What a route throws when the request itself is at fault. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;
  readonly code: string;
  readonly headers: Record<string, string>;

  /** `code` is in upper case with underscores, as in the catalogue of errors. */
  constructor(status: number, code: string, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  /** Which parts of the request are wrong. */
  errors?: { where: string; message: string }[];
}

export const PROBLEM_TYPE = 'application/problem+json';

const TITLES: Record<number, string> = {
  400: 'The request has mistakes',
  401: 'Not logged in',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not acceptable',
  408: 'The request took too long',
  409: 'Not possible in this state',
  413: 'The request is too large',
  414: 'The address is too long',
  415: 'Unknown kind of content',
  422: 'The content is broken',
  416: 'No such range',
  421: 'Wrong host',
  429: 'Too many requests',
  500: 'Something went wrong here',
  501: 'Not possible here',
  502: 'Somebody else refused',
  503: 'Not possible now',
  504: 'Somebody else did not answer',
};

const STATUS: Partial<Record<ErrorCode, number>> = {
  NOT_FOUND: 404,
  INVALID_CURSOR: 400,
  ON_HOLD: 409,
  RECORDING_ENDED: 409,
  STORAGE_FAILED: 503,
  KEY_MISSING: 503,
  STORE_FAILED: 503,
  DATABASE_FAILED: 503,
  DRAINING: 503,
  ENCODER_MISSING: 501,
  NOT_AUDIO: 415,
  BROKEN_AUDIO: 422,
  IMPORT_TOO_LARGE: 413,
  NO_PORTS: 503,
  TOO_MANY_RECORDINGS: 503,
  STORAGE_LOW: 503,
  CAPTURE_BEHIND: 503,
  OVERLOADED: 503,
  CLIENT_REFUSED: 502,
  CLIENT_SILENT: 504,
  DESTINATION_NOT_ALLOWED: 403,
};

/** What the client is told. Details of our own faults stay in the log. */
export function problemOf(error: unknown): { problem: ProblemDetails; headers: Record<string, string> } {
  if (error instanceof HttpProblem)
    return { problem: details(error.status, error.code, error.message), headers: error.headers };
  if (isRecorderError(error)) {
    const status = STATUS[error.code];
    if (status === 503) return { problem: details(status, error.code, 'See the log of the recorder.'), headers: {} };
    if (status !== undefined) return { problem: details(status, error.code, error.message), headers: {} };
  }
  const { statusCode, code, message, validation } = error as FastifyFault;
  if (validation) {
    const errors = validation.map(({ instancePath = '', message: words = 'is wrong' }) => ({
      where: `${(error as FastifyFault).validationContext ?? ''}${instancePath}`,
      message: words,
    }));
    const summary = errors.map((one) => `${one.where}: ${one.message}`).join('; ');
    return { problem: { ...details(400, 'INVALID_REQUEST', summary), errors }, headers: {} };
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return { problem: details(statusCode, code ?? 'INVALID_REQUEST', message ?? ''), headers: {} };
  }
  return { problem: details(500, 'INTERNAL', 'See the log of the recorder.'), headers: {} };
}

interface FastifyFault {
  statusCode?: number;
  code?: string;
  message?: string;
  validation?: { instancePath?: string; message?: string }[];
  validationContext?: string;
}

function details(status: number, code: string, detail: string): ProblemDetails {
  return { type: 'about:blank', title: TITLES[status] ?? 'Error', status, detail, code };
}
