// Exit codes (sysexits.h), so that scripts and service managers can tell what is wrong.
import type { ErrorCode } from '../lib/errors.ts';
import { isRecorderError } from '../lib/errors.ts';

export const EXIT_OK = 0;
/** The command ran, but what it checks or tried failed. */
export const EXIT_FAILED = 1;
/** Wrong arguments. */
export const EXIT_USAGE = 64;

const EXIT_BY_ERROR: Partial<Record<ErrorCode, number>> = {
  CONFIG_INVALID: 78,
  DRACHTIO_REFUSED: 77,
  DRACHTIO_UNSUITABLE: 76,
  DRACHTIO_UNREACHABLE: 69,
  NOT_RUNNING: 69,
  CLIENT_SILENT: 68,
  CLIENT_REFUSED: 76,
  DESTINATION_NOT_ALLOWED: 77,
  LISTEN_FAILED: 71,
  STORAGE_FAILED: 74,
  STORAGE_MISSING: 66,
  STORAGE_DENIED: 72,
  STORAGE_READ_ONLY: 73,
  STORAGE_IN_USE: 75,
};

export function exitCodeOf(error: unknown): number {
  return isRecorderError(error) ? (EXIT_BY_ERROR[error.code] ?? EXIT_FAILED) : EXIT_FAILED;
}
