// Every SIP message of one recording session, in the journals of its recordings.
import type { Clock } from '../lib/clock.ts';
import type { SipRecord } from '../recording/media.ts';
import type { Transport } from './capabilities.ts';
import type { Endpoint, IncomingRequest, InDialogResult } from './srf.ts';

export interface SessionJournalParts {
  clock: Clock;
  transport: Transport;
  /** The client, as the INVITE came from it. */
  remote: Endpoint;
  /** Where the INVITE was received; null if that is not known. */
  local: Endpoint | null;
  /** Our address as that client sees it, for listeners without an address. */
  host: () => string;
  write: (record: SipRecord) => void;
}

export class SessionJournal {
  readonly #parts: SessionJournalParts;

  constructor(parts: SessionJournalParts) {
    this.#parts = parts;
  }

  received({ raw, arrivalMs, remote }: IncomingRequest): void {
    this.#write('received', raw, arrivalMs, remote);
  }

  sent(raw: string, remote: Endpoint, timeMs = this.#parts.clock.nowMs()): void {
    this.#write('sent', raw, timeMs, remote);
  }

  /** A request of ours and what came back. */
  exchanged({ sentRaw, receivedRaw }: InDialogResult): void {
    if (sentRaw !== null) this.sent(sentRaw, this.#parts.remote);
    if (receivedRaw !== null) this.#write('received', receivedRaw, this.#parts.clock.nowMs(), this.#parts.remote);
  }

  #write(direction: 'received' | 'sent', raw: string, timeMs: number, remote: Endpoint): void {
    if (raw === '') return;
    const { transport, host, write } = this.#parts;
    // Requests inside a dialog do not say where they were received; the INVITE did, unless the listener has no address.
    const known = this.#parts.local ?? { host: '', port: 5060 };
    const local = ['', '0.0.0.0', '::'].includes(known.host) ? { host: host(), port: known.port } : known;
    write({ timeMs, direction, transport, local, remote, message: Buffer.from(raw, 'utf8') });
  }
}
