// A SIP request as the door sees it, without a SIP server: answers are kept, CANCEL and UPDATE come by method call.
import type { Clock } from '../../src/lib/clock.ts';
import { bodyOfSipMessage, readSipHeaders } from '../../src/siprec/sip-headers.ts';
import type { IncomingRequest, OutgoingResponse, SendOutcome } from '../../src/siprec/srf.ts';
import { CONTENT_TYPE, multipart } from './bodies.ts';

export interface FakeMessage {
  method: string;
  callId?: string;
  fromTag?: string;
  /** Null outside of dialogs. */
  dialogId?: string | null;
  headers?: Record<string, string>;
  contentType?: string;
  body?: string;
  fromServer?: boolean;
}

export class FakeRequest implements IncomingRequest {
  readonly method: string;
  readonly requestUri = 'sip:recorder@srs.example';
  readonly headers;
  readonly body: string;
  readonly raw: string;
  readonly callId: string;
  readonly fromTag: string;
  readonly hasToTag: boolean;
  readonly dialogId: string | null;
  readonly transport = 'udp';
  readonly remote = { host: '192.0.2.1', port: 5060 };
  readonly local = { host: '192.0.2.10', port: 5070 };
  readonly arrivalMs: number;
  readonly fromServer: boolean;
  readonly responses: OutgoingResponse[] = [];
  /** What the SIP server makes of an answer; `hold` keeps the outcome back until `release`. */
  outcome: SendOutcome | 'hold';
  #held: ((outcome: SendOutcome) => void) | null = null;
  #cancelled: (reasons: string[]) => void = () => {};
  #update: (request: IncomingRequest) => void = () => {};

  constructor(clock: Clock, message: FakeMessage) {
    this.method = message.method;
    this.callId = message.callId ?? 'rs-1';
    this.fromTag = message.fromTag ?? 'src-tag';
    this.dialogId = message.dialogId ?? null;
    this.hasToTag = this.dialogId !== null;
    this.fromServer = message.fromServer ?? false;
    this.arrivalMs = clock.nowMs();
    const body = message.body ?? '';
    const lines = [
      `${message.method} ${this.requestUri} SIP/2.0`,
      `From: <sip:src@192.0.2.1>;tag=${this.fromTag}`,
      `To: <${this.requestUri}>${this.hasToTag ? ';tag=srs-tag' : ''}`,
      `Call-ID: ${this.callId}`,
      ...Object.entries(message.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
      ...(body === '' ? [] : [`Content-Type: ${message.contentType ?? CONTENT_TYPE}`]),
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    this.raw = `${lines.join('\r\n')}\r\n\r\n${body}`;
    this.headers = readSipHeaders(this.raw);
    this.body = bodyOfSipMessage(this.raw);
    this.outcome = { ok: true, raw: '', dialogId: `${this.callId};from-tag=${this.fromTag}` };
  }

  respond(response: OutgoingResponse, sent: (outcome: SendOutcome) => void): void {
    this.responses.push(response);
    if (this.outcome === 'hold') {
      this.#held = sent;
      return;
    }
    sent(
      this.outcome.ok
        ? { ...this.outcome, raw: `SIP/2.0 ${response.status} ${response.reason}\r\n\r\n` }
        : this.outcome,
    );
  }

  release(outcome: SendOutcome): void {
    this.#held?.(outcome);
  }

  onCancel(cancelled: (reasons: string[]) => void): void {
    this.#cancelled = cancelled;
  }

  onUpdate(update: (request: IncomingRequest) => void): void {
    this.#update = update;
  }

  cancel(reasons: string[] = []): void {
    this.#cancelled(reasons);
  }

  updateWith(request: IncomingRequest): void {
    this.#update(request);
  }

  get status(): number | null {
    return this.responses[0]?.status ?? null;
  }
}

/** The INVITE of a plain recording session. */
export function fakeInvite(clock: Clock, message: Partial<FakeMessage> = {}): FakeRequest {
  return new FakeRequest(clock, { method: 'INVITE', body: multipart(), ...message });
}

/** A request inside the dialog that `fakeInvite` makes. */
export function fakeInDialog(clock: Clock, method: string, message: Partial<FakeMessage> = {}): FakeRequest {
  return new FakeRequest(clock, { method, dialogId: 'rs-1;from-tag=src-tag', ...message });
}

/** Lets promise chains run to their end. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
