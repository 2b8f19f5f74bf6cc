// The part of drachtio-srf that src/siprec/srf.ts touches, in memory: requests are put in, answers and own requests come out.
import { EventEmitter } from 'node:events';

export interface FakeSent {
  status: number;
  reason: string;
  headers: Record<string, string>;
  body?: string;
}

export interface FakeOutgoing {
  uri: string;
  method: string;
  stackDialogId: string;
  headers: Record<string, string>;
  /** What drachtio-srf calls back with. */
  callback: (error: unknown, request?: EventEmitter & { raw: string }) => void;
}

type Handler = (request: FakeSrfRequest, response: FakeSrfResponse) => void;

export class FakeSrf {
  readonly handlers: Handler[] = [];
  readonly routes: string[] = [];
  readonly outgoing: FakeOutgoing[] = [];
  requestFails: Error | null = null;

  use(first: string | Handler, _second?: Handler): void {
    if (typeof first === 'string') this.routes.push(first);
    else this.handlers.push(first);
  }

  request(uri: string, options: Omit<FakeOutgoing, 'uri' | 'callback'>, callback: FakeOutgoing['callback']): void {
    if (this.requestFails) throw this.requestFails;
    this.outgoing.push({ uri, ...options, callback });
  }

  /** A request from the network. */
  receive(raw: string, meta: Partial<FakeSrfRequest> = {}): { request: FakeSrfRequest; response: FakeSrfResponse } {
    const request = new FakeSrfRequest(raw, meta);
    const response = new FakeSrfResponse(request);
    for (const handler of this.handlers) handler(request, response);
    return { request, response };
  }
}

export class FakeSrfRequest extends EventEmitter {
  readonly raw: string;
  readonly method: string;
  readonly uri: string;
  source = 'network';
  source_address = '192.0.2.1';
  source_port = 5060;
  protocol = 'udp';
  receivedOn: string | undefined = '192.0.2.10:5070';
  stackDialogId = '';

  constructor(raw: string, meta: Partial<FakeSrfRequest>) {
    super();
    this.raw = raw;
    const [method = '', uri = ''] = raw.split(' ');
    this.method = method;
    this.uri = uri;
    Object.assign(this, meta);
  }

  get(header: string): string | undefined {
    return new RegExp(`^${header}:\\s*(.*)$`, 'im').exec(this.raw)?.[1]?.trim();
  }
}

export class FakeSrfResponse {
  readonly sent: FakeSent[] = [];
  stackDialogId: string | undefined;
  /** `ok`: the server acknowledges; `silent`: nothing comes back; anything else is its error. */
  mode = 'ok';
  readonly #request: FakeSrfRequest;

  constructor(request: FakeSrfRequest) {
    this.#request = request;
  }

  send(
    status: number,
    reason: string,
    options: { headers: Record<string, string>; body?: string },
    callback: (error: unknown, sent?: { raw: string }) => void,
  ): void {
    if (this.mode === 'throws') throw new Error('status is required');
    this.sent.push({ status, reason, ...options });
    if (this.mode === 'silent') return;
    if (this.mode !== 'ok') {
      callback(this.mode);
      return;
    }
    if (this.#request.method === 'INVITE') {
      const tag = /;tag=([^;\r\n]+)/.exec(this.#request.get('From') ?? '')?.[1];
      this.stackDialogId = `${this.#request.get('Call-ID')};from-tag=${tag}`;
    }
    callback(null, { raw: `SIP/2.0 ${status} ${reason}\r\n\r\n` });
  }
}

/** A request as drachtio-srf would hand it over. */
export function sipMessage(method: string, lines: string[] = [], body = ''): string {
  return [
    `${method} sip:recorder@srs.example SIP/2.0`,
    'Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1',
    ...(lines.some((line) => line.startsWith('From:')) ? [] : ['From: <sip:src@192.0.2.1>;tag=a']),
    ...(lines.some((line) => line.startsWith('To:')) ? [] : ['To: <sip:recorder@srs.example>']),
    ...(lines.some((line) => line.startsWith('Call-ID:')) ? [] : ['Call-ID: rs-1']),
    ...(lines.some((line) => line.startsWith('CSeq:')) ? [] : [`CSeq: 2 ${method}`]),
    ...lines,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n');
}
