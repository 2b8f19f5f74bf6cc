// What a receiver of datagrams is. One implementation per way of asking the kernel; consumers cannot tell them apart.

/**
 * A sender as seen by one open port. The receiver hands out the same object for the same sender for as long as
 * it remembers him, so consumers compare by identity first, and only then by value.
 */
export interface DatagramSource {
  readonly host: string;
  readonly port: number;
}

/** Whoever takes the datagrams of one port. Must not throw. */
export interface DatagramSink {
  /**
   * One datagram: `buffer[start, end)`, valid only until the call returns. Receivers may reuse the memory and may call
   * this many times in a row for one wake-up.
   * @param arrivalMs Unix ms with a fraction on the media clock: the kernel's receive time where it can be had
   */
  datagram(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void;
}

export interface ReceiverPort {
  readonly port: number;
  /**
   * Datagrams that the kernel dropped since the port was opened, because the socket's buffer was full (or, rarely, a
   * checksum wrong): as of the last `readKernelDrops`, or later. Null where the system does not tell.
   */
  readonly kernelDrops: number | null;
  /** Sends without waiting; errors are ignored. */
  send(octets: Uint8Array, host: string, port: number): void;
  /** Idempotent; resolves when the port is free. */
  close(): Promise<void>;
}

/** `reuse-address`: the port may be bound although another program, or we, have it at another or at every address. */
export type PortSharing = 'exclusive' | 'reuse-address';

export interface DatagramReceiver {
  /** Binds UDP `port` (0: any) at `address`. Rejects with the system's error, e.g. EADDRINUSE. */
  open(address: string, port: number, sink: DatagramSink, sharing?: PortSharing): Promise<ReceiverPort>;
  /**
   * Hands over what has arrived but was held back to make a batch. Whoever owns the sinks calls this before he reads or
   * changes anything that datagrams change, and often enough otherwise: a receiver has no timer of its own.
   */
  handOver(): void;
  /** Makes `kernelDrops` of all ports as young as this call. Resolves within a fraction of a second; never rejects. */
  readKernelDrops(): Promise<void>;
}

export function sameSource(a: DatagramSource, b: DatagramSource): boolean {
  return a === b || (a.port === b.port && a.host === b.host);
}
