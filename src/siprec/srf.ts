// The narrow part of drachtio-srf that the door uses, with the defences that it needs. Nothing else in siprec/ knows drachtio.
//
// Its Dialog class is not used: createUAS calls back twice when a CANCEL crosses, throws away the dialog after the 200
// has left if Contact is missing, and answers some re-INVITEs, UPDATEs and every BYE by itself; a re-INVITE without body
// can throw inside its socket handler. Requests come here as they are, and the door finds its dialogs by their id.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Transport } from './capabilities.ts';
import {
  bodyOfSipMessage,
  headerList,
  headerValue,
  parseNameAddress,
  readSipHeaders,
  type SipHeader,
} from './sip-headers.ts';

/** Any connected Srf. The package's own types say too little of its methods, so only their presence is asked for here. */
export interface ConnectedSrf {
  use(first: never, second?: never): unknown;
  request(...parameters: never[]): unknown;
}

export interface Endpoint {
  host: string;
  port: number;
}

export interface IncomingRequest {
  readonly method: string;
  readonly requestUri: string;
  readonly headers: readonly SipHeader[];
  /** Everything after the header fields. */
  readonly body: string;
  /** The whole message. */
  readonly raw: string;
  readonly callId: string;
  readonly fromTag: string;
  /** True for a request that names an existing dialog, known to us or not. */
  readonly hasToTag: boolean;
  /** The SIP server's id of the dialog; null outside of dialogs. */
  readonly dialogId: string | null;
  /** Null where the server does not say (ACK). */
  readonly transport: Transport | null;
  readonly remote: Endpoint;
  /** Null inside dialogs: only new requests tell. */
  readonly local: Endpoint | null;
  /** Media clock. */
  readonly arrivalMs: number;
  /** True for a BYE that the SIP server itself has sent to the client, because no ACK came for instance. It takes no answer. */
  readonly fromServer: boolean;
  /** Sends a final response. `sent` is called once, at once when the server has sent it, so that nothing can overtake it. */
  respond(response: OutgoingResponse, sent: (outcome: SendOutcome) => void): void;
  /**
   * Called if this INVITE, and no other with its Call-ID, is cancelled before its final response, with the Reason header
   * fields of the CANCEL.
   */
  onCancel(cancelled: (reasons: string[]) => void): void;
  /** Called for an UPDATE that arrives while this re-INVITE is unanswered. */
  onUpdate(update: (request: IncomingRequest) => void): void;
}

export interface OutgoingResponse {
  status: number;
  reason?: string;
  /** A list stands for as many headers of that name. */
  headers: Record<string, string | string[]>;
  body?: string;
}

export type SendOutcome = { ok: true; raw: string; dialogId: string | null } | { ok: false; error: string };

export interface InDialogResult {
  /** The request as sent and the response as received, for the journal; null if they never were. */
  sentRaw: string | null;
  receivedRaw: string | null;
  /** 0 if the request could not be sent or nothing came back. */
  status: number;
  error: string | null;
}

/** The server acknowledges within milliseconds, unless the connection to it is lost. */
const ACKNOWLEDGE_LIMIT_MS = 5_000;
/** A little over 64·T1, after which the server makes up a 408. */
const RESPONSE_LIMIT_MS = 35_000;

interface Message {
  get(header: string): string | undefined;
  raw?: string;
}

interface Request extends Message {
  method?: string;
  uri?: string;
  source?: string;
  source_address?: string;
  source_port?: number;
  protocol?: string;
  receivedOn?: string;
  stackDialogId?: string;
  socket?: { destroyed?: boolean };
  on(event: string, listener: (...parameters: never[]) => void): unknown;
}

interface Response {
  stackDialogId?: string;
  send(status: number, reason: string, options: object, callback: (error: unknown, sent?: Message) => void): void;
}

interface Srf {
  use(handler: (request: Request, response: Response) => void): unknown;
  use(method: string, handler: (request: Request, response: Response) => void): unknown;
  request(uri: string, options: object, callback: (error: unknown, request?: Request) => void): unknown;
}

/** Out-of-dialog methods that the SIP server shall hand to us; it answers 503 to all others. */
const METHODS = ['invite', 'options', 'info', 'message', 'notify', 'publish', 'refer', 'register', 'subscribe'];

/** Hands every request that reaches the connection to `handle`. A handler that throws costs a 500, not the connection. */
export function receiveRequests(
  connected: ConnectedSrf,
  { clock, log }: { clock: Clock; log: Log },
  handle: (request: IncomingRequest) => void,
): void {
  const srf = connected as unknown as Srf;
  const receive = (request: Request, response: Response) => {
    const incoming = wrapRequest(request, response, clock);
    try {
      handle(incoming);
    } catch (error) {
      log.error({ err: error, method: incoming.method, callId: incoming.callId }, 'a SIP request was not understood');
      incoming.respond({ status: 500, reason: 'Server Internal Error', headers: {} }, () => {});
    }
  };
  srf.use(receive);
  // Registers the route; `receive` has answered by the time this layer would be reached.
  for (const method of METHODS) srf.use(method, () => {});
}

export interface InDialogRequest {
  method: string;
  /** The SIP server's id of the dialog. */
  dialogId: string;
  headers: Record<string, string>;
  body?: string;
}

/** Sends a request inside a dialog and waits for its final response; a 2xx to an INVITE is acknowledged. Never rejects. */
export function requestInDialog(
  connected: ConnectedSrf,
  clock: Clock,
  request: InDialogRequest,
): Promise<InDialogResult> {
  const { promise, resolve } = Promise.withResolvers<InDialogResult>();
  let sentRaw: string | null = null;
  const fail = (error: unknown) => resolve({ sentRaw, receivedRaw: null, status: 0, error: textOf(error) });
  const limit = clock.after(RESPONSE_LIMIT_MS, () => fail('no response'));
  try {
    (connected as unknown as Srf).request(
      'sip:placeholder',
      {
        method: request.method,
        stackDialogId: request.dialogId,
        headers: { ...request.headers },
        ...(request.body === undefined ? {} : { body: request.body }),
      },
      (error, sent) => {
        if (error || !sent) return fail(error ?? 'not sent');
        sentRaw = sent.raw ?? null;
        sent.on('response', (response: Message & { status: number }, acknowledge: (options?: object) => void) => {
          if (response.status < 200) return;
          if (request.method === 'INVITE' && response.status < 300) acknowledge();
          resolve({ sentRaw, receivedRaw: response.raw ?? null, status: response.status, error: null });
        });
      },
    );
  } catch (error) {
    fail(error);
  }
  return promise.finally(() => limit.cancel());
}

function wrapRequest(request: Request, response: Response, clock: Clock): IncomingRequest {
  const raw = request.raw ?? '';
  const headers = readSipHeaders(raw);
  const tagOf = (name: string) => parseNameAddress(headerValue(headers, name) ?? '')?.parameters.tag ?? '';
  const fromTag = tagOf('from');
  const fromServer = request.source === 'application';
  let responded = false;
  return {
    method: (request.method ?? '').toUpperCase(),
    requestUri: request.uri ?? '',
    headers,
    // Not request.body: without Content-Length it ends at the first empty line.
    body: bodyOfSipMessage(raw),
    raw,
    callId: headerValue(headers, 'call-id') ?? '',
    fromTag,
    hasToTag: tagOf('to') !== '',
    dialogId: request.stackDialogId || null,
    transport: transportOf(request.protocol),
    remote: { host: request.source_address ?? '', port: request.source_port ?? 0 },
    local: endpointOf(request.receivedOn),
    arrivalMs: clock.nowMs(),
    fromServer,
    respond(outgoing, sent) {
      if (fromServer) return sent({ ok: true, raw: '', dialogId: null });
      if (responded) return sent({ ok: false, error: 'answered already' });
      responded = true;
      sendResponse(response, outgoing, clock, sent);
    },
    onCancel(cancelled) {
      // The library finds the INVITE of a CANCEL by Call-ID alone, and two INVITEs may share one.
      request.on('cancel', (cancel: Message) => {
        const cancelTag = parseNameAddress(cancel.get('from') ?? '')?.parameters.tag ?? '';
        const sameSequence =
          Number.parseInt(cancel.get('cseq') ?? '', 10) === Number.parseInt(request.get('cseq') ?? '', 10);
        if (cancelTag === fromTag && sameSequence) cancelled(headerList(readSipHeaders(cancel.raw ?? ''), 'reason'));
      });
    },
    onUpdate(update) {
      request.on('update', (updating: Request, updatingResponse: Response) => {
        update(wrapRequest(updating, updatingResponse, clock));
      });
    },
  };
}

function sendResponse(
  response: Response,
  outgoing: OutgoingResponse,
  clock: Clock,
  sent: (outcome: SendOutcome) => void,
): void {
  let told = false;
  const tell = (outcome: SendOutcome) => {
    if (told) return;
    told = true;
    limit.cancel();
    sent(outcome);
  };
  const limit = clock.after(ACKNOWLEDGE_LIMIT_MS, () =>
    tell({ ok: false, error: 'no acknowledgement from the SIP server' }),
  );
  try {
    const options = {
      headers: oneValueEach(outgoing.headers),
      ...(outgoing.body === undefined ? {} : { body: outgoing.body }),
    };
    response.send(outgoing.status, outgoing.reason ?? '', options, (error, message) => {
      if (error) tell({ ok: false, error: textOf(error) });
      else tell({ ok: true, raw: message?.raw ?? '', dialogId: response.stackDialogId || null });
    });
  } catch (error) {
    tell({ ok: false, error: textOf(error) });
  }
}

/** drachtio-srf joins values of one name with a comma, which challenges do not survive; a line break it leaves alone. */
function oneValueEach(headers: OutgoingResponse['headers']): Record<string, string> {
  const lines = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : value.join(`\r\n${name}: `),
  ]);
  return Object.fromEntries(lines);
}

function transportOf(protocol: string | undefined): Transport | null {
  return protocol === 'udp' || protocol === 'tcp' || protocol === 'tls' ? protocol : null;
}

/** `host:port`; the host may be an IPv6 address, with or without brackets. */
function endpointOf(text: string | undefined): Endpoint | null {
  const match = /^(.+):(\d+)$/.exec(text ?? '');
  return match ? { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(match[2]) } : null;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
