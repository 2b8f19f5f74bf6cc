// Datagrams that came between the announcement of a port and the stream that claims it.
import type { DatagramSink, DatagramSource } from './receiver.ts';

/** Some seconds of G.711; a stream claims its port within milliseconds. */
const MAX_PACKETS = 512;
const MAX_OCTETS = 256 << 10;

export class EarlyPackets {
  readonly #kept: { octets: Uint8Array; source: DatagramSource; arrivalMs: number }[] = [];
  #octets = 0;

  /** Keeps a copy, up to the limits. */
  keep(buffer: Uint8Array, start: number, end: number, source: DatagramSource, arrivalMs: number): void {
    if (this.#kept.length >= MAX_PACKETS || this.#octets + end - start > MAX_OCTETS) return;
    this.#octets += end - start;
    this.#kept.push({ octets: Uint8Array.prototype.slice.call(buffer, start, end), source, arrivalMs });
  }

  /** Hands everything over, in order, once. */
  replay(sink: DatagramSink): void {
    for (const { octets, source, arrivalMs } of this.#kept.splice(0)) {
      sink.datagram(octets, 0, octets.length, source, arrivalMs);
    }
    this.#octets = 0;
  }
}
