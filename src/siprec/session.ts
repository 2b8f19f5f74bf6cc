// One recording session: a SIP dialog with a recording client (RFC 7866 §6.2, RFC 3261 §12 to §15).
//
//              INVITE
//                │
//            starting ──refused, cancelled, failed──▶ ended
//                │ 200 sent
//            answered ──BYE, no ACK──────────────────▶ ended
//                │ ACK
//           established ──BYE────────────────────────▶ ended
//                │ the recorder ended the recording, or we close
//             ending (BYE sent) ──any response───────▶ ended
//
// Requests that change the session are handled one after the other; BYE waits for nobody.
import type { Clock } from '../lib/clock.ts';
import { isRecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { Warning } from '../recording/call.ts';
import type { ActiveRecording, Recorder, UpdateRecording } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { capabilityHeaders, methodNotAllowed, recordingContact, type Transport } from './capabilities.ts';
import { judgeInvite } from './invite.ts';
import { readRecordingBody } from './multipart.ts';
import { SessionCall } from './session-call.ts';
import { SessionMedia } from './session-media.ts';
import { headerValue } from './sip-headers.ts';
import { refusalForCode, refusalForError, type SipRefusal } from './sip-status.ts';
import type { Endpoint, IncomingRequest, InDialogResult, OutgoingResponse } from './srf.ts';

export type SessionPhase = 'starting' | 'answered' | 'established' | 'ending' | 'ended';

/** What this door asks of the recorder. */
export type SiprecRecorder = Pick<Recorder, 'start' | 'refusal'>;

export interface SessionEnvironment {
  recorder: SiprecRecorder;
  clock: Clock;
  log: Log;
  /** OpenSIPS loses a final answer that arrives within about a millisecond. */
  answerDelayMs: number;
  acceptPlainCalls: boolean;
  /** For the Server header of our answers. */
  product: string;
  /** Our media address as seen from that client. */
  mediaAddress: (peerHost: string) => Promise<string>;
  sendBye: (dialogId: string, headers: Record<string, string>) => Promise<InDialogResult>;
  /** The dialog exists from here on; called before any request inside it can arrive. */
  onDialog: (dialogId: string, session: RecordingSession) => void;
  onEnded: (session: RecordingSession) => void;
}

/** Those that may carry SDP or metadata; they are handled one after the other. */
const CHANGING_METHODS = new Set(['INVITE', 'UPDATE', 'INFO', 'MESSAGE', 'NOTIFY']);

export class RecordingSession {
  readonly #environment: SessionEnvironment;
  readonly #invite: IncomingRequest;
  readonly #call: SessionCall;
  readonly #media: SessionMedia;
  readonly #log: Log;
  readonly #transport: Transport;
  #phase: SessionPhase = 'starting';
  #recording: ActiveRecording | null = null;
  #dialogId: string | null = null;
  #host = '';
  #changes: Promise<void> = Promise.resolve();
  /** Set while starting, when there will be nothing to answer 200 to any more. */
  #aborted: { reason: EndReason; refusal: SipRefusal | null } | null = null;
  /** The recording is over, but the client has not acknowledged yet: it would drop a BYE. */
  #byeAfterAck: EndReason | null = null;
  /** Our 200 to an INVITE without SDP carried an offer; the ACK answers it. */
  #offerOpen = false;
  readonly #over = Promise.withResolvers<void>();

  constructor(invite: IncomingRequest, environment: SessionEnvironment) {
    this.#invite = invite;
    this.#environment = environment;
    this.#log = environment.log.child({ callId: invite.callId });
    this.#call = new SessionCall(invite);
    this.#media = new SessionMedia(String(Math.floor(environment.clock.wallMs())));
    this.#transport = invite.transport ?? 'udp';
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  get #isOver(): boolean {
    return this.#phase === 'ending' || this.#phase === 'ended';
  }

  get dialogId(): string | null {
    return this.#dialogId;
  }

  /** Answers the INVITE, on every path. Never rejects. */
  async start(): Promise<void> {
    this.#invite.onCancel(() => this.#abort('cancelled', null));
    let refusal: SipRefusal | null;
    try {
      refusal = await this.#startRecording();
      await this.#untilAnswerTime();
      if (!refusal && !this.#aborted) {
        this.#accept();
        return;
      }
    } catch (error) {
      refusal = refusalForError(error);
      const level = isRecorderError(error) ? 'warn' : 'error';
      this.#log[level]({ err: error, status: refusal.status }, 'recording not started');
      await this.#untilAnswerTime();
    }
    this.#stopRecording(this.#aborted?.reason ?? 'failed');
    // A cancelled INVITE has its 487 from the SIP server.
    const final = this.#aborted ? this.#aborted.refusal : refusal;
    if (final) this.#respond(this.#invite, final);
    this.#ended();
  }

  /** Any request inside the dialog. */
  handle(request: IncomingRequest): void {
    this.#journalReceived(request);
    if (request.method === 'BYE') this.#onBye(request);
    else if (request.method === 'ACK') this.#onAck(request);
    else if (this.#isOver) this.#respond(request, refusalForCode('RECORDING_ENDED'));
    else if (CHANGING_METHODS.has(request.method)) this.#enqueue(request);
    else if (request.method === 'OPTIONS') {
      this.#respond(request, { status: 200, reason: 'OK', headers: capabilityHeaders() });
    } else this.#respond(request, methodNotAllowed());
    if (request.method === 'INVITE') request.onUpdate((update) => this.handle(update));
  }

  /** Ends the recording and the dialog, however far they are. Resolves when the session is over. */
  close(reason: EndReason): Promise<void> {
    if (this.#phase === 'starting') this.#abort(reason, refusalForCode('DRAINING'));
    else {
      this.#stopRecording(reason);
      this.#hangUp(reason);
    }
    return this.#over.promise;
  }

  /** Null if there is something to answer 200 to. */
  async #startRecording(): Promise<SipRefusal | null> {
    const { recorder, acceptPlainCalls, mediaAddress } = this.#environment;
    const { headers, remote, arrivalMs } = this.#invite;
    const body = readRecordingBody(headerValue(headers, 'content-type'), this.#invite.body);
    const offer = this.#media.applyOffer(body.sdp ?? '');
    const refusal = judgeInvite(headers, body, this.#media.mediaLines, acceptPlainCalls);
    if (refusal) {
      this.#log.info({ peer: this.#peer, why: refusal.headers.Warning }, 'INVITE refused');
      return refusal;
    }
    const metadata = body.metadata ? this.#call.apply(body.metadata, arrivalMs) : null;
    const warnings = [...body.warnings, ...offer.warnings, ...(metadata?.warnings ?? [noMetadata()])];
    this.#host = await mediaAddress(remote.host);
    const recording = await recorder.start({
      source: 'siprec',
      call: this.#call.describe(this.#media.labels),
      streams: offer.streams ?? [],
      metadata: metadata?.raw ?? null,
      warnings: this.#call.news(warnings),
      peer: this.#peer,
      onEnded: (reason) => this.#onRecordingEnded(reason),
    });
    this.#recording = recording;
    this.#journalReceived(this.#invite);
    return null;
  }

  async #untilAnswerTime(): Promise<void> {
    const { clock, answerDelayMs } = this.#environment;
    const waitMs = this.#invite.arrivalMs + answerDelayMs - clock.nowMs();
    if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }

  #accept(): void {
    const body = this.#media.answer(this.#recording?.addresses() ?? new Map(), this.#host);
    const response = { status: 200, reason: 'OK', headers: this.#sessionHeaders(body), body };
    this.#invite.respond(this.#branded(response), (outcome) => {
      if (!outcome.ok) {
        // CANCEL was faster, or the SIP server is gone: there is no dialog.
        this.#log.info({ why: outcome.error }, 'the answer could not be sent');
        this.#stopRecording('cancelled');
        this.#ended();
        return;
      }
      this.#journalSent(outcome.raw, this.#invite.remote);
      this.#dialogId = outcome.dialogId ?? `${this.#invite.callId};from-tag=${this.#invite.fromTag}`;
      this.#phase = 'answered';
      this.#environment.onDialog(this.#dialogId, this);
      this.#log.info({ recordingId: this.#recording?.id, peer: this.#peer }, 'recording session answered');
      // The end came between the last check and here.
      if (this.#aborted) void this.close(this.#aborted.reason);
    });
  }

  #onAck(request: IncomingRequest): void {
    if (this.#phase === 'answered') this.#phase = 'established';
    if (this.#byeAfterAck) void this.#sendBye(this.#byeAfterAck);
    else if (this.#offerOpen && request.body !== '') this.#enqueue(request);
    this.#offerOpen = false;
  }

  #onBye(request: IncomingRequest): void {
    const wasOver = this.#isOver;
    if (!wasOver) this.#phase = 'ending';
    const why = headerValue(request.headers, 'reason');
    const reason = request.fromServer && /ACK timeout/i.test(why ?? '') ? 'cancelled' : 'ended';
    request.respond(this.#branded({ status: 200, reason: 'OK', headers: {} }), (outcome) => {
      if (outcome.ok) this.#journalSent(outcome.raw, request.remote);
      if (wasOver) return;
      this.#log.info({ reason, ...(request.fromServer ? { why } : {}) }, 'recording session ended');
      this.#stopRecording(reason);
      this.#ended();
    });
  }

  #onRecordingEnded(reason: EndReason): void {
    if (this.#phase === 'starting') this.#abort(reason, refusalForCode('RECORDING_ENDED'));
    else this.#hangUp(reason);
  }

  /** The INVITE is still open: what is to become of it is decided where it would have been answered. */
  #abort(reason: EndReason, refusal: SipRefusal | null): void {
    if (this.#phase !== 'starting') return;
    // A CANCEL beats every other reason: the INVITE has its answer then.
    if (!this.#aborted || refusal === null) this.#aborted = { reason, refusal };
  }

  #hangUp(reason: EndReason): void {
    if (this.#phase === 'established') void this.#sendBye(reason);
    else if (this.#phase === 'answered') this.#byeAfterAck ??= reason;
  }

  async #sendBye(reason: EndReason): Promise<void> {
    if (this.#phase !== 'established' || this.#dialogId === null) return;
    this.#phase = 'ending';
    const headers = { Reason: `SIP;cause=200;text="recording ${reason}"`, 'User-Agent': this.#environment.product };
    const result = await this.#environment.sendBye(this.#dialogId, headers);
    // Kept only if the recording still runs: mostly it ended before the BYE.
    if (result.sentRaw !== null) this.#journalSent(result.sentRaw, this.#invite.remote);
    if (result.receivedRaw !== null) {
      this.#journal('received', result.receivedRaw, this.#environment.clock.nowMs(), this.#invite.remote);
    }
    if (result.error !== null) this.#log.warn({ why: result.error }, 'BYE not answered');
    // OpenSIPS answers 405 and has ended the dialog all the same; 408 and 481 mean that nobody is there.
    else this.#log.info({ reason, status: result.status }, 'recording session ended by us');
    this.#ended();
  }

  #enqueue(request: IncomingRequest): void {
    this.#changes = this.#changes
      .then(() => this.#change(request))
      .catch((error) => {
        this.#log.error({ err: error, method: request.method }, 'request inside the dialog failed');
        if (request.method !== 'ACK') this.#respond(request, refusalForError(error));
      });
  }

  /** re-INVITE, UPDATE, INFO, MESSAGE, NOTIFY, and an ACK that answers our offer. Refusing costs the client's call, so nothing is refused. */
  async #change(request: IncomingRequest): Promise<void> {
    const mayOffer = request.method === 'INVITE' || request.method === 'UPDATE' || request.method === 'ACK';
    const body = readRecordingBody(headerValue(request.headers, 'content-type'), request.body);
    const offer = mayOffer && body.sdp !== null && !this.#isOver ? this.#media.applyOffer(body.sdp) : null;
    const metadata = body.metadata ? this.#call.apply(body.metadata, request.arrivalMs) : null;
    const warnings = [...body.warnings, ...(offer?.warnings ?? []), ...(metadata?.warnings ?? [])];
    const ended = this.#isOver || !(await this.#update({ offer, metadata, warnings }));
    if (request.method === 'ACK') return;
    if (ended) {
      this.#respond(request, refusalForCode('RECORDING_ENDED'));
      return;
    }
    const response: OutgoingResponse = { status: 200, reason: 'OK', headers: {} };
    if (offer?.streams) response.body = this.#media.answer(this.#recording?.addresses() ?? new Map(), this.#host);
    else if (request.method === 'INVITE') {
      // Without an offer of theirs we have to make one (RFC 3261 §14.2): what was agreed already.
      response.body = this.#media.localSdp ?? '';
      this.#offerOpen = true;
    }
    if (request.method === 'INVITE' || request.method === 'UPDATE')
      response.headers = this.#sessionHeaders(response.body);
    this.#respond(request, response);
  }

  /** False if the recording is over. Anything else that fails becomes a warning: the other streams go on. */
  async #update(change: {
    offer: ReturnType<SessionMedia['applyOffer']> | null;
    metadata: ReturnType<SessionCall['apply']> | null;
    warnings: Warning[];
  }): Promise<boolean> {
    const update: UpdateRecording = {};
    const warnings = this.#call.news(change.warnings);
    if (change.offer?.streams) update.streams = change.offer.streams;
    if (change.metadata?.raw) update.metadata = change.metadata.raw;
    if (update.streams || update.metadata) update.call = this.#call.describe(this.#media.labels);
    if (warnings.length > 0) update.warnings = warnings;
    if (Object.keys(update).length === 0) return true;
    try {
      await this.#recording?.update(update);
      return true;
    } catch (error) {
      if (isRecorderError(error, 'RECORDING_ENDED')) return false;
      this.#log.warn({ err: error }, 'a change of the session was applied only in part');
      const message = error instanceof Error ? error.message : String(error);
      const failure = this.#call.news([
        { code: 'change-incomplete', message: `A change was applied only in part: ${message}` },
      ]);
      if (failure.length > 0) await this.#recording?.update({ warnings: failure }).catch(() => {});
      return true;
    }
  }

  #respond(request: IncomingRequest, response: OutgoingResponse): void {
    request.respond(this.#branded(response), (outcome) => {
      if (outcome.ok) this.#journalSent(outcome.raw, request.remote);
      else this.#log.debug({ method: request.method, why: outcome.error }, 'an answer could not be sent');
    });
  }

  #branded(response: OutgoingResponse): OutgoingResponse {
    return { ...response, headers: { ...response.headers, Server: this.#environment.product } };
  }

  #sessionHeaders(body: string | undefined): Record<string, string> {
    const headers: Record<string, string> = { Contact: recordingContact(this.#transport), ...capabilityHeaders() };
    if (body !== undefined) headers['Content-Type'] = 'application/sdp';
    return headers;
  }

  #stopRecording(reason: EndReason): void {
    this.#recording
      ?.stop(reason)
      .catch((error) => this.#log.error({ err: error }, 'the recording did not stop cleanly'));
  }

  #ended(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#over.resolve();
    this.#environment.onEnded(this);
  }

  get #peer(): string {
    const { host, port } = this.#invite.remote;
    return `${this.#transport}:${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  #journalReceived({ raw, arrivalMs, remote }: IncomingRequest): void {
    this.#journal('received', raw, arrivalMs, remote);
  }

  #journalSent(raw: string, remote: Endpoint): void {
    this.#journal('sent', raw, this.#environment.clock.nowMs(), remote);
  }

  #journal(direction: 'received' | 'sent', raw: string, timeMs: number, remote: Endpoint): void {
    if (raw === '') return;
    // Requests inside a dialog do not say where they were received; the INVITE did, unless the listener has no address.
    const known = this.#invite.local ?? { host: '', port: 5060 };
    const local = ['', '0.0.0.0', '::'].includes(known.host) ? { host: this.#host, port: known.port } : known;
    const message = Buffer.from(raw, 'utf8');
    this.#recording?.journalSip({ timeMs, direction, transport: this.#transport, local, remote, message });
  }
}

function noMetadata(): Warning {
  return {
    code: 'metadata-missing',
    message: 'The INVITE carried no metadata: the parties were taken from its headers.',
  };
}
