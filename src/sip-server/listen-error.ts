// Why an address could not be bound, in words for the operator.

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program is using it',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'ports below 1024 need a privilege',
};

/** `what` is whose address it is. The system's error is the cause. */
export function listenError(what: string, error: unknown): Error {
  const { code, address, port, syscall } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  const transport = syscall === 'bind' ? 'udp ' : 'tcp ';
  const name = address === undefined ? '' : ` ${transport}${address}:${port ?? 0}`;
  const why = HINTS[code ?? ''] ?? (error instanceof Error ? error.message : String(error));
  return new Error(`The ${what}${name} could not be bound: ${why}${code ? ` (${code})` : ''}.`, { cause: error });
}
