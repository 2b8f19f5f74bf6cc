// Who sent a stream: the addresses, and when the sender or its SSRC changed.
import { formatHostPort } from '../journal/ip-address.ts';
import type { EventLog } from './event-log.ts';
import type { JournalWalk } from './journal-walk.ts';

/** As StreamStatistics states them. */
const MAX_SOURCES = 32;
const UDP_HEADER_OCTETS = 8;

/** Watches one stream's packets. Allocates only when something changed. */
export class SourceWatch {
  /** `host:port`, in the order of appearance. */
  readonly sources: string[] = [];
  readonly #streamId: string;
  readonly #events: EventLog;
  #host = '';
  #port = -1;
  #ssrc = -1;
  /** The IP addresses of the last packet: source and destination, twice 4 or twice 16 octets. */
  readonly #addresses = new Uint8Array(32);

  constructor(streamId: string, events: EventLog) {
    this.#streamId = streamId;
    this.#events = events;
  }

  observe(walk: JournalWalk): void {
    const ssrc = walk.header.ssrc;
    const port = walk.sourcePort;
    if (ssrc === this.#ssrc && port === this.#port && this.#sameAddresses(walk)) return;
    const host = walk.sourceHost();
    this.#rememberAddresses(walk, host);
    if (ssrc === this.#ssrc && port === this.#port && host === this.#host) return;
    const address = formatHostPort(host, port);
    if (this.#port >= 0) this.#tell(walk, host, port, address);
    if (this.sources.length < MAX_SOURCES && !this.sources.includes(address)) this.sources.push(address);
    this.#host = host;
    this.#port = port;
    this.#ssrc = ssrc;
  }

  #tell(walk: JournalWalk, host: string, port: number, address: string): void {
    const changes: string[] = [];
    const ssrc = walk.header.ssrc;
    if (ssrc !== this.#ssrc) changes.push(`SSRC ${hex(this.#ssrc)} to ${hex(ssrc)}`);
    if (host !== this.#host || port !== this.#port) {
      changes.push(`address ${this.sources.at(-1) ?? ''} to ${address}`);
    }
    this.#events.sourceChange(this.#streamId, walk.arrivalMs, changes.join(', '));
  }

  // The text of an address costs far more than its octets, so those are compared first.
  #sameAddresses(walk: JournalWalk): boolean {
    const { buffer, datagramStart } = walk;
    const octets = this.#host.includes(':') ? 32 : 8;
    const from = datagramStart - UDP_HEADER_OCTETS - octets;
    for (let i = 0; i < octets; i++) if (buffer[from + i] !== this.#addresses[i]) return false;
    return true;
  }

  #rememberAddresses(walk: JournalWalk, host: string): void {
    const { buffer, datagramStart } = walk;
    const octets = host.includes(':') ? 32 : 8;
    const from = datagramStart - UDP_HEADER_OCTETS - octets;
    for (let i = 0; i < octets; i++) this.#addresses[i] = buffer[from + i]!;
  }
}

function hex(ssrc: number): string {
  return `0x${ssrc.toString(16).padStart(8, '0')}`;
}
