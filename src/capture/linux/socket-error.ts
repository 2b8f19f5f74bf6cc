// What a failed system call becomes: an error with Node's `code`, `errno` and `syscall`, and words.
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';

export class SocketError extends Error {
  override readonly name = 'SocketError';
  /** E.g. `EADDRINUSE`. */
  readonly code: string;
  /** Negative, as Node's. */
  readonly errno: number;
  readonly syscall: string;

  /** @param where the address in question */
  constructor(syscall: string, errno: number, where?: string) {
    const code = getSystemErrorName(errno);
    super(`${where === undefined ? syscall : `${syscall} ${where}`}: ${getSystemErrorMessage(errno)} (${code})`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}
