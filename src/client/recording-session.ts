// A recording session that the SRS has answered (RFC 7866 §7.1): re-offers, requests inside the dialog, media, the end.
//
//   running ──bye()──▶ ending ──BYE answered or given up──▶ ended
//      └────BYE from the SRS────────────────────────────────▲
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import { type AnsweredStream, readAnswer } from './answer.ts';
import type { StreamOutcome } from './call-plan.ts';
import type { MetadataDocument } from './metadata-document.ts';
import { OFFER_CONTENT_TYPE, type OfferedMedia, type SessionDescription, writeOffer, writeSdp } from './offer.ts';
import type { RecordedStream } from './recorded-stream.ts';
import type { ClientDialog, ClientResponse, IncomingRequest, IncomingResponder } from './srf.ts';

export interface SessionParts {
  dialog: ClientDialog;
  clock: Clock;
  streams: RecordedStream[];
  metadata: MetadataDocument;
  description: Omit<SessionDescription, 'media'>;
  originVersions: 'constant' | 'counting';
  recorderRequests: 'followed' | 'ignored' | 'refused';
  setUpMs: number;
}

export interface SessionEnd {
  by: 'bye' | 'remote-bye';
  reason: string;
}

/** How long an answer to BYE and to other requests is waited for: the transaction layer's own limit is 32 s. */
const BYE_PATIENCE_MS = 5000;

export class RecordingSession {
  readonly callId: string;
  /** INVITE to 200. */
  readonly setUpMs: number;
  /** Settles when the session has ended, whoever ended it. Never rejects. */
  readonly ended: Promise<SessionEnd>;
  /** Stops the media, sends BYE and waits for its answer, at most 5 s. Idempotent. */
  readonly bye: () => Promise<void>;

  readonly #parts: SessionParts;
  readonly #reportEnd: (end: SessionEnd) => void;
  /** Streams that follow this moment stay aligned with each other. */
  #beganMs: number;
  #state: 'running' | 'ending' | 'ended' = 'running';
  #answer: AnsweredStream[] = [];
  /** Re-INVITEs must not overlap (RFC 3261 §14.1): each waits for the one before. */
  #offering: Promise<unknown> = Promise.resolve();
  /** Answers are followed one after the other: sockets are moved on the way. */
  #following: Promise<unknown> = Promise.resolve();

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.callId = parts.dialog.sip.callId;
    this.setUpMs = parts.setUpMs;
    this.#beganMs = parts.clock.nowMs();
    const { promise, resolve } = Promise.withResolvers<SessionEnd>();
    this.ended = promise;
    this.#reportEnd = resolve;
    this.bye = closeOnce(() => this.#end());
    parts.dialog.on('destroy', (_bye, reason) => this.#onRemoteBye(reason));
    parts.dialog.on('modify', (request, response) => void this.#onReinvite(request, response));
    parts.dialog.on('update', (request, response) => void this.#onUpdate(request, response));
  }

  /** Where the SRS wants each stream, as last answered. */
  get answer(): readonly AnsweredStream[] {
    return this.#answer;
  }

  /** What the next offer would say. */
  get offered(): readonly OfferedMedia[] {
    return this.#parts.streams.map(({ offered }) => offered);
  }

  get streams(): StreamOutcome[] {
    return this.#parts.streams.map((stream) => stream.outcome);
  }

  /** Follows the answer to the INVITE. Returns what is wrong with it, null if nothing is. */
  async begin(): Promise<string | null> {
    this.#beganMs = this.#parts.clock.nowMs();
    return this.#follow(this.#parts.dialog.remote.sdp);
  }

  /** Stops a party's packets, then offers its stream as inactive. Resolves with the final response; packets flow again after a refusal. */
  async hold(label: string): Promise<ClientResponse> {
    const stream = this.#stream(label);
    stream.hold();
    const response = await this.#reoffer();
    if (response.status >= 300) await this.#resumeMedia(stream);
    return response;
  }

  /** Offers the stream as sendonly again; once that is answered its packets come from a new port. */
  async resume(label: string): Promise<ClientResponse> {
    await this.#stream(label).unhold();
    return this.#reoffer();
  }

  /** Sends a re-INVITE with any body. Media follows the answer if there is one. */
  modify(body: string, contentType: string = OFFER_CONTENT_TYPE): Promise<ClientResponse> {
    return this.#reinvite(() => ({ body, contentType }));
  }

  /** Repeats the offer unchanged, as OpenSIPS does after every re-INVITE of the recorded call. */
  refresh(): Promise<ClientResponse> {
    return this.#reoffer();
  }

  /** Offers fresh SRTP keys for the stream, and protects its packets with them once that is answered. */
  async rekey(label: string): Promise<ClientResponse> {
    const { protection } = this.#stream(label);
    if (!protection) throw new RangeError(`the stream with label ${label} is not protected`);
    protection.offerFreshKeys();
    const response = await this.#reoffer();
    protection.settleOffer(response.status < 300);
    return response;
  }

  /** Protects the stream's packets with the other of its two keys, which MKIs tell apart. */
  switchKey(label: string): void {
    this.#stream(label).protection?.switchKey();
  }

  /** Dials in place of the party's audio (RFC 4733). Returns how long it takes. RangeError if a character is no digit. */
  sendDtmf(label: string, digits: string): { durationMs: number } {
    return this.#stream(label).playDtmf(digits);
  }

  info(body = '', contentType = 'text/plain'): Promise<ClientResponse> {
    return this.request('INFO', body, contentType);
  }

  /** Without a body by default: the only refresh that every peer takes. */
  update(body = '', contentType = 'application/sdp'): Promise<ClientResponse> {
    return this.request('UPDATE', body, contentType);
  }

  /** Any request inside the dialog. Resolves with the final response, also a refusal; rejects when nothing could be sent. */
  request(method: string, body = '', contentType = 'text/plain'): Promise<ClientResponse> {
    const { dialog } = this.#parts;
    const headers: Record<string, string> = body === '' ? {} : { 'Content-Type': contentType };
    if (dialog.local.contact && (method === 'INVITE' || method === 'UPDATE')) headers.Contact = dialog.local.contact;
    if (method === 'INVITE') headers.Require = 'siprec';
    return new Promise((resolve, reject) => {
      dialog.request({ method, headers, body }, (error, response) => {
        if (error || !response) reject(error ?? new Error(`no response to ${method}`));
        else if (response.status >= 200) resolve(response);
      });
    });
  }

  #reoffer(): Promise<ClientResponse> {
    return this.#reinvite(() => {
      if (this.#parts.originVersions === 'counting') this.#parts.description.originVersion++;
      return { body: writeOffer(this.#description(), this.#parts.metadata), contentType: OFFER_CONTENT_TYPE };
    });
  }

  #reinvite(write: () => { body: string; contentType: string }): Promise<ClientResponse> {
    const turn = this.#offering.then(async () => {
      const { body, contentType } = write();
      const response = await this.request('INVITE', body, contentType);
      if (response.status < 300) await this.#follow(response.body ?? '');
      return response;
    });
    this.#offering = turn.catch(() => {});
    return turn;
  }

  /** Media after a refused hold: the last answer still stands. */
  async #resumeMedia(stream: RecordedStream): Promise<void> {
    await stream.unhold();
    const answer = this.#answer.find(({ label }) => label === stream.label);
    if (answer) await stream.follow(answer, this.#beganMs);
  }

  /** Returns what is wrong with the answer, null if nothing is. */
  #follow(body: string): Promise<string | null> {
    const turn = this.#following.then(() => this.#followNow(body));
    this.#following = turn;
    return turn;
  }

  async #followNow(body: string): Promise<string | null> {
    const { streams } = this.#parts;
    const labels = streams.map(({ label }) => label);
    const reading = readAnswer(body, labels);
    if (!reading.ok) return reading.reason;
    const bare = streams.findIndex(
      ({ protection }, at) => protection?.protocol === 'RTP/SAVP' && isWithoutKey(reading.streams[at]!),
    );
    if (bare >= 0) return `the answer has no a=crypto for the stream with label ${labels[bare]}`;
    this.#answer = reading.streams;
    try {
      await Promise.all(streams.map((stream, index) => stream.follow(reading.streams[index]!, this.#beganMs)));
      return null;
    } catch (error) {
      return `the answered address cannot be used: ${(error as Error).message}`;
    }
  }

  /** The SRS changes its side (RFC 7866 §7.2), with or without an offer of its own: we answer what we offer. */
  async #onReinvite(request: IncomingRequest, response: IncomingResponder): Promise<void> {
    const { recorderRequests } = this.#parts;
    if (recorderRequests === 'refused') return response.send(488);
    if (request.body && recorderRequests === 'followed') await this.#follow(request.body);
    const { contact } = this.#parts.dialog.local;
    const headers: Record<string, string> = { 'Content-Type': 'application/sdp' };
    if (contact) headers.Contact = contact;
    response.send(200, { body: writeSdp(this.#answerDescription()), headers });
  }

  /** Without an offer an UPDATE is a refresh and gets no SDP (RFC 3311 §5.2). */
  async #onUpdate(request: IncomingRequest, response: IncomingResponder): Promise<void> {
    if (request.body) return this.#onReinvite(request, response);
    response.send(200);
  }

  #description(): SessionDescription {
    return { ...this.#parts.description, media: [...this.offered] };
  }

  #answerDescription(): SessionDescription {
    const description = this.#description();
    const media = description.media.map((offered, index) =>
      this.#answer[index]?.destination === null ? { ...offered, direction: 'inactive' as const } : offered,
    );
    return { ...description, media };
  }

  #stream(label: string): RecordedStream {
    const stream = this.#parts.streams.find((candidate) => candidate.label === label);
    if (!stream) throw new RangeError(`the session has no stream with label ${label}`);
    return stream;
  }

  async #end(): Promise<void> {
    if (this.#state !== 'running') return;
    this.#state = 'ending';
    await this.#closeMedia();
    const { dialog, clock } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<string>();
    const patience = clock.after(BYE_PATIENCE_MS, () => resolve('BYE was not answered'));
    dialog.destroy().then(
      () => resolve('ended with BYE'),
      (error: Error) => resolve(`BYE could not be sent: ${error.message}`),
    );
    const reason = await promise;
    patience.cancel();
    this.#state = 'ended';
    this.#reportEnd({ by: 'bye', reason });
  }

  #onRemoteBye(reason: string | undefined): void {
    if (this.#state !== 'running') return;
    this.#state = 'ended';
    void this.#closeMedia().then(() =>
      this.#reportEnd({ by: 'remote-bye', reason: reason ?? 'the SRS ended the session' }),
    );
  }

  async #closeMedia(): Promise<void> {
    await Promise.all(this.#parts.streams.map((stream) => stream.close()));
  }
}

function isWithoutKey({ destination, crypto }: AnsweredStream): boolean {
  return destination !== null && crypto === undefined;
}
