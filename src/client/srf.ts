// What the recording client asks of drachtio-srf, as a shape. Whoever builds the client hands in an Srf that is connected.

export interface ClientSrf {
  /** Rejects with a `SipFailure` for a final response other than 2xx, with a plain Error when nothing could be sent. */
  createUAC(uri: string, options: UacOptions, progress: UacProgress): Promise<ClientDialog>;
}

export interface UacOptions {
  /** The body, whatever its type: `Content-Type` in the headers says what it is. */
  localSdp: string;
  headers: Record<string, string>;
}

export interface UacProgress {
  /** Called when the INVITE has left, or could not leave. */
  cbRequest(error: Error | null, request?: ClientRequest): void;
}

export interface ClientRequest {
  get(header: string): string | undefined;
  cancel(done: (error: Error | null) => void): void;
}

export interface ClientResponse {
  readonly status: number;
  readonly reason: string;
  readonly body?: string;
  get(header: string): string | undefined;
}

export interface IncomingRequest {
  readonly body?: string;
  get(header: string): string | undefined;
}

export interface IncomingResponder {
  send(status: number, options?: { body?: string; headers?: Record<string, string> }): void;
}

/**
 * drachtio-srf's `Dialog.modify` is left out on purpose: after a refused re-INVITE it never lets the next one go
 * (lib/dialog.js, `_reinvitesInProgress`). `request` with a callback is called once per response, provisional ones too.
 */
export interface ClientDialog {
  readonly sip: { callId: string };
  readonly local: { contact?: string };
  readonly remote: { sdp: string };
  request(
    options: { method: string; headers?: Record<string, string>; body?: string },
    callback: (error: Error | null, response?: ClientResponse) => void,
  ): unknown;
  /** Sends BYE; resolves when it was answered. */
  destroy(): Promise<unknown>;
  on(event: 'destroy', listener: (bye: IncomingRequest, reason?: string) => void): unknown;
  on(event: 'modify' | 'update', listener: (request: IncomingRequest, response: IncomingResponder) => void): unknown;
}

/** A final response that is not 2xx, as drachtio-srf throws it. */
export interface SipFailure extends Error {
  status: number;
  reason?: string;
  res?: ClientResponse;
}

export function isSipFailure(error: unknown): error is SipFailure {
  return error instanceof Error && typeof (error as Partial<SipFailure>).status === 'number';
}
