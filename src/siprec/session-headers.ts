// What the messages of one recording session have in common: Contact, capabilities, our names, and the Session-ID (RFC 7989),
// of which our half is made once and theirs is what they said last.
import { randomBytes } from 'node:crypto';
import { capabilityHeaders, recordingContact, type Transport } from './capabilities.ts';
import { headerValue, type SipHeader } from './sip-headers.ts';
import type { OutgoingResponse } from './srf.ts';

const UUID = /^\s*([0-9a-f]{32})\b/i;

export class SessionHeaders {
  /** Our half of the Session-ID. */
  identifier = randomBytes(16).toString('hex');
  readonly #transport: Transport;
  readonly #product: string;

  constructor(transport: Transport, product: string) {
    this.#transport = transport;
    this.#product = product;
  }

  /** Of INVITE, UPDATE and their answers. */
  ofSession(body: string | null): Record<string, string> {
    const headers: Record<string, string> = { Contact: recordingContact(this.#transport), ...capabilityHeaders() };
    if (body !== null) headers['Content-Type'] = 'application/sdp';
    return headers;
  }

  /** Whatever the answer, with what every one of them says. A client that sends no Session-ID gets none. */
  complete(request: readonly SipHeader[], response: OutgoingResponse): OutgoingResponse {
    const theirs = UUID.exec(headerValue(request, 'session-id') ?? '')?.[1]?.toLowerCase();
    const sessionId: Record<string, string> =
      theirs === undefined ? {} : { 'Session-ID': `${this.identifier};remote=${theirs}` };
    return { ...response, headers: { ...response.headers, ...sessionId, Server: this.#product } };
  }
}
