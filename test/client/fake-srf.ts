// Stands in for drachtio-srf: answers INVITEs as the test says, and lets the test play the SRS's side of the dialog.
import { EventEmitter } from 'node:events';
import type { ClientDialog, ClientRequest, ClientResponse, ClientSrf, UacOptions } from '../../src/client/srf.ts';

export interface SentRequest {
  method: string;
  headers: Record<string, string>;
  body: string;
}

export type Answer = { status: number; reason?: string; body?: string } | 'never';

export class FakeSrf {
  readonly invites: (UacOptions & { uri: string })[] = [];
  readonly dialogs: FakeDialog[] = [];
  cancels = 0;
  /** What happens to the INVITE that is open when CANCEL comes. */
  onCancel: (() => void) | null = null;
  readonly #answer: (invite: UacOptions, index: number) => Answer;
  /** How the dialog answers what is sent inside it. */
  inDialog: (request: SentRequest) => { status: number; body?: string } = () => ({ status: 200 });

  constructor(answer: (invite: UacOptions, index: number) => Answer) {
    this.#answer = answer;
  }

  get srf(): ClientSrf {
    return { createUAC: (uri, options, progress) => this.#createUac(uri, options, progress) };
  }

  dialog(answerBody: string): FakeDialog {
    const dialog = new FakeDialog(`call-${this.dialogs.length}`, answerBody, (request) => this.inDialog(request));
    this.dialogs.push(dialog);
    return dialog;
  }

  async #createUac(
    uri: string,
    options: UacOptions,
    progress: { cbRequest(error: null, request: ClientRequest): void },
  ) {
    const index = this.invites.push({ ...options, uri }) - 1;
    await Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<ClientDialog>();
    this.onCancel ??= () => reject(Object.assign(new Error('487'), { status: 487, reason: 'Request Terminated' }));
    progress.cbRequest(null, {
      get: () => `call-${index}`,
      cancel: () => {
        this.cancels++;
        this.onCancel?.();
      },
    });
    this.lateAnswer = (body) => resolve(this.dialog(body) as unknown as ClientDialog);
    const answer = this.#answer(options, index);
    if (answer === 'never') return promise;
    const { status, reason = '', body = '' } = answer;
    if (status !== 200) {
      const res = { status, reason, get: () => undefined };
      throw Object.assign(new Error(`Sip non-success response: ${status}`), { status, reason, res });
    }
    return this.dialog(body) as unknown as ClientDialog;
  }

  /** Answers an INVITE that was left open. */
  lateAnswer: (body: string) => void = () => {};
}

export class FakeDialog extends EventEmitter {
  readonly sip: { callId: string };
  readonly local = { contact: '<sip:src@127.0.0.1:5070>;+sip.src' };
  readonly remote: { sdp: string };
  readonly sent: SentRequest[] = [];
  destroyed = 0;
  readonly #answer: (request: SentRequest) => { status: number; body?: string };

  constructor(callId: string, sdp: string, answer: (request: SentRequest) => { status: number; body?: string }) {
    super();
    this.sip = { callId };
    this.remote = { sdp };
    this.#answer = answer;
  }

  request(
    options: { method: string; headers?: Record<string, string>; body?: string },
    callback: (error: Error | null, response?: ClientResponse) => void,
  ): void {
    const request = { method: options.method, headers: options.headers ?? {}, body: options.body ?? '' };
    this.sent.push(request);
    const answer = this.#answer(request);
    queueMicrotask(() => {
      callback(null, { status: 180, reason: 'Ringing', get: () => undefined });
      callback(null, { reason: '', get: () => undefined, ...answer });
    });
  }

  async destroy(): Promise<void> {
    this.destroyed++;
  }

  /** The SRS sends a request; resolves with what the client answers. */
  receive(method: 'modify' | 'update', body: string): Promise<{ status: number; body?: string }> {
    return new Promise((resolve) => {
      const send = (status: number, options: { body?: string } = {}) => resolve({ status, ...options });
      this.emit(method, { body, get: () => undefined }, { send });
    });
  }
}
