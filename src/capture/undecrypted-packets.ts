// Packets of a stream that no key opens: kept as they came, on a second interface of the journal, within bounds.

import type { Flow } from '../journal/ip-headers.ts';
import { undecryptedInterface } from '../journal/pcapng.ts';
import { datagramFlow, type JournalWriter } from '../journal/writer.ts';
import type { DatagramSource } from './receiver.ts';

/** Per stream: an hour and a half of G.711. */
export const MAX_UNDECRYPTED_OCTETS = 64 << 20;

export class UndecryptedPackets {
  /** Kept in the journal. */
  kept = 0;
  /** Unix ms of the last one that was kept, 0 before. */
  lastMs = 0;
  readonly #writer: JournalWriter;
  readonly #streamId: string;
  readonly #description: string;
  readonly #localHost: string;
  #interfaceId = -1;
  #octets = 0;
  #source: DatagramSource | null = null;
  #port = 0;
  #flow: Flow | null = null;

  constructor(writer: JournalWriter, streamId: string, description: string, localHost: string) {
    this.#writer = writer;
    this.#streamId = streamId;
    this.#description = description;
    this.#localHost = localHost;
  }

  /** @param port ours. @returns false, keeping nothing, once the bound is reached */
  keep(
    buffer: Uint8Array,
    start: number,
    end: number,
    source: DatagramSource,
    port: number,
    arrivalMs: number,
  ): boolean {
    if (this.#octets + end - start > MAX_UNDECRYPTED_OCTETS) return false;
    if (this.#interfaceId < 0) {
      const description = `${this.#description}: SRTP that no key opened`;
      this.#interfaceId = this.#writer.addInterface(undecryptedInterface(this.#streamId), description);
    }
    if (this.#flow === null || this.#source !== source || this.#port !== port) {
      this.#flow = datagramFlow(source, { host: this.#localHost, port });
      this.#source = source;
      this.#port = port;
    }
    this.#writer.writeDatagram(this.#interfaceId, arrivalMs, this.#flow, buffer, start, end);
    this.#octets += end - start;
    this.kept++;
    this.lastMs = arrivalMs;
    return true;
  }
}
