// Descriptors that do not outlive their thread: Node is made to believe that it opened them.
import { closeSync, openSync } from 'node:fs';
import { O_CLOEXEC } from './layouts.ts';
import type { SystemCalls } from './system-calls.ts';

/**
 * A worker thread can end at any moment (`terminate()`, an uncaught error), and nobody would close the sockets that it
 * got from the kernel directly: they would stay bound until the process ends. But Node closes what a thread opened
 * through `fs.openSync` (the Worker option `trackUnmanagedFds`, on by default). So a file is opened and its descriptor
 * made to mean the socket.
 * @param made a descriptor fresh from a system call; closed in any case
 * @returns the descriptor to use, to be closed with `releaseDescriptor`; negative error number if there is none
 */
export function ownDescriptor(calls: SystemCalls, made: number): number {
  let owned: number;
  try {
    owned = openSync('/dev/null', 'r');
  } catch (error) {
    calls.close(made);
    return (error as NodeJS.ErrnoException).errno ?? -1;
  }
  const result = calls.duplicateOnto(made, owned, O_CLOEXEC);
  calls.close(made);
  if (result < 0) closeSync(owned);
  return result;
}

export function releaseDescriptor(descriptor: number): void {
  closeSync(descriptor);
}
