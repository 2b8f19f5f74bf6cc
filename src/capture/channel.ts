// Typed requests and answers over a MessagePort. Closing rejects whatever is pending.
import { type ErrorCode, isRecorderError, RecorderError } from '../lib/errors.ts';

/** As much of a Worker or a MessagePort as is needed here. */
export interface MessageEnd {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

export type Calls<Map> = { [Name in keyof Map]: { request: object; response: unknown } };

type Wire<News> =
  | { kind: 'call'; id: number; name: string; request: object }
  | { kind: 'answer'; id: number; response: unknown }
  | { kind: 'refusal'; id: number; code: ErrorCode; message: string }
  | { kind: 'news'; news: News };

interface Pending {
  resolve: (response: never) => void;
  reject: (error: Error) => void;
}

/** The asking side. */
export class CallingChannel<Map extends Calls<Map>, Notice extends object, News> {
  readonly #end: MessageEnd;
  readonly #pending = new globalThis.Map<number, Pending>();
  #nextId = 1;
  #closedWith: Error | null = null;

  constructor(end: MessageEnd, onNews: (news: News) => void) {
    this.#end = end;
    end.on('message', (received) => {
      const message = received as Wire<News>;
      if (this.#closedWith) return;
      if (message.kind === 'news') onNews(message.news);
      else this.#settle(message);
    });
  }

  /** Rejects with the other side's RecorderError, or with the one given to `close`. */
  call<Name extends keyof Map & string>(name: Name, request: Map[Name]['request']): Promise<Map[Name]['response']> {
    if (this.#closedWith) return Promise.reject(this.#closedWith);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#end.postMessage({ kind: 'call', id, name, request } satisfies Wire<News>);
    });
  }

  notify(notice: Notice): void {
    if (!this.#closedWith) this.#end.postMessage({ kind: 'news', news: notice } satisfies Wire<Notice>);
  }

  /** Rejects what is pending, and all later calls, with `reason`. Idempotent. */
  close(reason: Error): void {
    if (this.#closedWith) return;
    this.#closedWith = reason;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #settle(message: Wire<News>): void {
    if (message.kind !== 'answer' && message.kind !== 'refusal') return;
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'answer') pending?.resolve(message.response as never);
    else pending?.reject(new RelayedError(message.code, message.message));
  }
}

/** The catalogue's sentence is in the message already. */
class RelayedError extends RecorderError {
  constructor(code: ErrorCode, message: string) {
    super(code);
    this.message = message;
  }
}

export type Handlers<Map extends Calls<Map>> = {
  [Name in keyof Map]: (request: Map[Name]['request']) => Promise<Map[Name]['response']>;
};

/** The answering side. A handler's error that is no RecorderError is answered as CAPTURE_FAILED. */
export class AnsweringChannel<Map extends Calls<Map>, Notice, News> {
  readonly #end: MessageEnd;

  constructor(end: MessageEnd, handlers: Handlers<Map>, onNotice: (notice: Notice) => void) {
    this.#end = end;
    end.on('message', (received) => {
      const message = received as Wire<Notice>;
      if (message.kind === 'news') onNotice(message.news);
      else if (message.kind === 'call') {
        const handler = handlers[message.name as keyof Map];
        handler(message.request as never).then(
          (response) => this.#post({ kind: 'answer', id: message.id, response }),
          (error: unknown) => this.#refuse(message.id, error),
        );
      }
    });
  }

  tell(news: News): void {
    this.#post({ kind: 'news', news });
  }

  #refuse(id: number, error: unknown): void {
    const refusal = isRecorderError(error) ? error : new RecorderError('CAPTURE_FAILED', String(error));
    this.#post({ kind: 'refusal', id, code: refusal.code, message: refusal.message });
  }

  #post(message: Wire<News>): void {
    this.#end.postMessage(message);
  }
}
