// Tells the client by a re-INVITE of ours which streams we want now (RFC 3261 §14.1, RFC 3264 §8.4). Whether it obeys or not,
// the recorder drops what it does not want: this only spares the network, and shows the client that it is paused.
//
//   idle ──ask──▶ asking ──2xx──▶ idle
//                  │  ▲  ├──any other answer, or too many tries──▶ idle (a warning on the recording)
//            491,  ▼  │  └──asked again meanwhile──▶ asking
//      INVITE open waiting (0 to 2 s: the client owns the Call-ID)
import type { Clock, Timer } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { readRecordingBody } from './multipart.ts';
import type { SessionContent } from './session-content.ts';
import { bodyOfSipMessage, headerValue, readSipHeaders } from './sip-headers.ts';
import type { InDialogResult } from './srf.ts';

export interface ClientRequestParts {
  clock: Clock;
  log: Log;
  content: Pick<SessionContent, 'offer' | 'acceptOffer' | 'warn'>;
  /** Runs a step between two requests of the client, not while one of them is being worked into the session. */
  inTurn: <Result>(step: () => Result | Promise<Result>) => Promise<Result>;
  /** Our media address; null while the dialog takes no request of ours. */
  host: () => string | null;
  /** Sends the re-INVITE. Never rejects. */
  send: (sdp: string) => Promise<InDialogResult>;
  /** From 0 to below 1. Default Math.random. */
  random?: () => number;
}

const MAX_TRIES = 5;
const LONGEST_WAIT_MS = 2_000;
/** Another request was open, on its side or on ours: RFC 3261 §14.1 and §14.2. */
const BUSY = new Set([491, 500]);

export class ClientRequest {
  readonly #parts: ClientRequestParts;
  #state: 'idle' | 'asking' | 'waiting' | 'over' = 'idle';
  #again = false;
  #tries = 0;
  /** An offer that has not reached the client yet. */
  #untold: string | null = null;
  #wait: Timer | null = null;

  constructor(parts: ClientRequestParts) {
    this.#parts = parts;
  }

  ask(): void {
    this.#again = true;
    if (this.#state === 'idle') void this.#work();
  }

  /** The dialog is over. */
  close(): void {
    this.#state = 'over';
    this.#wait?.cancel();
  }

  async #work(): Promise<void> {
    const { inTurn, content, host, send } = this.#parts;
    this.#state = 'asking';
    while (this.#again && this.#isOpen()) {
      this.#again = false;
      const sdp = await inTurn(() => this.#offer(content, host()));
      if (sdp === null || !this.#isOpen()) continue;
      const result = await send(sdp);
      if (!this.#isOpen()) return;
      if (isBusy(result) && ++this.#tries < MAX_TRIES) return this.#waitABit(sdp);
      this.#tries = 0;
      if (result.status >= 200 && result.status < 300) this.#accepted(result);
      else this.#refused(result);
    }
    if (this.#isOpen()) this.#state = 'idle';
  }

  #offer(content: ClientRequestParts['content'], host: string | null): string | null {
    const untold = this.#untold;
    this.#untold = null;
    return host === null ? null : (content.offer(host) ?? untold);
  }

  #waitABit(sdp: string): void {
    const { clock, random = Math.random } = this.#parts;
    this.#state = 'waiting';
    this.#again = true;
    this.#untold = sdp;
    this.#wait = clock.after(Math.floor((random() * LONGEST_WAIT_MS) / 10) * 10, () => void this.#work());
  }

  #accepted({ receivedRaw }: InDialogResult): void {
    const { inTurn, content, clock, log } = this.#parts;
    const answer = receivedRaw ?? '';
    const body = readRecordingBody(headerValue(readSipHeaders(answer), 'content-type'), bodyOfSipMessage(answer));
    inTurn(() => content.acceptOffer(body, clock.nowMs())).catch((error) =>
      log.error({ err: error }, "the client's answer was not understood"),
    );
  }

  #refused({ status, error }: InDialogResult): void {
    const { content, log } = this.#parts;
    log.warn({ status, why: error }, 'the client does not follow our pause: what it sends is dropped here');
    const answer = status === 0 ? 'gave no answer' : `answered ${status}`;
    const message = `The client was asked to pause or resume and ${answer}: what it sent while paused was dropped here.`;
    void content.warn({ code: 'pause-not-followed', message });
  }

  #isOpen(): boolean {
    return this.#state !== 'over';
  }
}

/** Not sent at all: an INVITE of the client is open in this dialog. */
function isBusy({ status, sentRaw }: InDialogResult): boolean {
  return BUSY.has(status) || (status === 0 && sentRaw === null);
}
