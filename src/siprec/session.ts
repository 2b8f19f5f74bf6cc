import type { Log } from '../lib/log.ts';
import type { EndReason } from '../recording/session-state.ts';
import { capabilityHeaders, methodNotAllowed } from './capabilities.ts';
import { judgeInvite } from './invite.ts';
import { bodyOf } from './multipart.ts';
import { OwnRequests } from './own-requests.ts';
import { SessionContent, type SessionContentParts } from './session-content.ts';
import type { SessionEnvironment } from './session-environment.ts';
import { SessionHeaders } from './session-headers.ts';
import { SessionJournal } from './session-journal.ts';
import { peerOf, type RecordingSessionSnapshot, type SessionOrigin } from './session-origin.ts';
import { refuseInterval, SessionTimer } from './session-timer.ts';
import type { RestoredHold } from './shared-recording.ts';
import { headerList } from './sip-headers.ts';
import { logLevelOf, refusalForCode, refusalForError, type SipRefusal } from './sip-status.ts';
import type { IncomingRequest, InDialogResult, OutgoingResponse } from './srf.ts';

export type SessionPhase = 'starting' | 'answered' | 'established' | 'ending' | 'ended';

/** Those that may carry SDP or metadata; they are handled one after the other. */
const CHANGING_METHODS = new Set(['INVITE', 'UPDATE', 'INFO', 'MESSAGE', 'NOTIFY']);

export class RecordingSession {
  readonly #origin: SessionOrigin;
  readonly #environment: SessionEnvironment;
  readonly #content: SessionContent;
  readonly #headers: SessionHeaders;
  readonly #journal: SessionJournal;
  readonly #timer: SessionTimer;
  readonly #ownRequests: OwnRequests;
  readonly #log: Log;
  #phase: SessionPhase = 'starting';
  #dialogId: string | null = null;
  #host = '';
  #changes: Promise<void> = Promise.resolve();
  /** Set while starting, when there will be nothing to answer 200 to any more. */
  #aborted: { reason: EndReason; refusal: SipRefusal | null; reasons: string[] } | null = null;
  /** The recording is over, but the client has not acknowledged yet: it would drop a BYE. */
  #byeAfterAck: EndReason | null = null;
  /** Our 200 to an INVITE without SDP carries an offer; the ACK answers it. */
  #offerOpen = false;
  readonly #over = Promise.withResolvers<void>();

  /** For an INVITE that `start` is to answer. */
  constructor(
    origin: SessionOrigin,
    environment: SessionEnvironment,
    contentOf = (parts: SessionContentParts) => new SessionContent(parts),
  ) {
    this.#origin = origin;
    this.#environment = environment;
    this.#log = environment.log.child({ callId: origin.callId });
    this.#headers = new SessionHeaders(origin.transport, environment.product);
    this.#content = contentOf({
      recordings: environment.recordings,
      clock: environment.clock,
      log: this.#log,
      origin,
      onEnded: (reason) => this.#onRecordingEnded(reason),
      onUnwantedChanged: () => this.#ownRequests.unwantedChanged(),
      snapshot: () => this.snapshot(),
    });
    this.#timer = new SessionTimer({
      clock: environment.clock,
      refresh: (method, headers) => this.#request(method, headers, method === 'INVITE' ? this.#content.localSdp : null),
      onExpired: (why) => this.#expire(why),
    });
    this.#journal = new SessionJournal({
      clock: environment.clock,
      ...origin,
      host: () => this.#host,
      write: (record) => this.#content.journalSip(record),
    });
    this.#ownRequests = new OwnRequests({
      clock: environment.clock,
      log: this.#log,
      content: this.#content,
      inTurn: (step) => this.#inTurn(step),
      host: () => (this.#phase === 'established' ? this.#host : null),
      headers: origin.headers,
      send: (method, headers, body) => this.#request(method, headers, body),
    });
  }

  /** A session of a previous process whose dialog lives on. `holds` are those on its recordings. */
  static restore(
    snapshot: RecordingSessionSnapshot,
    holds: readonly RestoredHold[],
    environment: SessionEnvironment,
  ): RecordingSession {
    const { origin, content, dialogId, host, timer } = snapshot;
    const session = new RecordingSession(origin, environment, (parts) => SessionContent.restore(parts, content, holds));
    session.#dialogId = dialogId;
    // Whether the ACK came meanwhile, nobody knows. Who sends requests inside the dialog has got the answer.
    session.#phase = 'established';
    session.#host = host;
    session.#headers.identifier = snapshot.identifier;
    session.#timer.restore(timer);
    return session;
  }

  /** Plain data for `restore`; null while there is nothing to go on with. */
  snapshot(): RecordingSessionSnapshot | null {
    const phase = this.#phase;
    if (this.#dialogId === null || (phase !== 'answered' && phase !== 'established')) return null;
    return {
      dialogId: this.#dialogId,
      sipDialog: this.#environment.dialogState(this.#dialogId),
      origin: this.#origin,
      host: this.#host,
      identifier: this.#headers.identifier,
      content: this.#content.snapshot(),
      timer: this.#timer.state,
    };
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  get origin(): SessionOrigin {
    return this.#origin;
  }

  get dialogId(): string | null {
    return this.#dialogId;
  }

  get #isOver(): boolean {
    return this.#phase === 'ending' || this.#phase === 'ended';
  }

  get recordingIds(): string[] {
    return this.#content.recordingIds;
  }

  /** Resolves when the session is over. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Answers the INVITE, on every path. `asked`: our own request, to which it is the answer. Never rejects. */
  async start(invite: IncomingRequest, asked?: { raw: string; timeMs: number }): Promise<void> {
    invite.onCancel((reasons) => this.#abort('cancelled', null, reasons));
    let refusal: SipRefusal | null;
    try {
      refusal = await this.#startRecording(invite, asked);
      await this.#untilAnswerTime(invite);
      if (!refusal && !this.#aborted) {
        this.#accept(invite);
        return;
      }
    } catch (error) {
      refusal = refusalForError(error);
      this.#log[logLevelOf(error)]({ err: error, status: refusal.status }, 'recording not started');
      await this.#untilAnswerTime(invite);
    }
    this.#content.leave(this.#aborted?.reason ?? 'failed', this.#aborted?.reasons);
    // A cancelled INVITE has its 487 from the SIP server.
    const final = this.#aborted ? this.#aborted.refusal : refusal;
    if (final) this.#respond(invite, final);
    this.#ended();
  }

  /** Any request inside the dialog. */
  handle(request: IncomingRequest): void {
    this.#journal.received(request);
    if (request.method === 'BYE') this.#onBye(request);
    else if (request.method === 'ACK') this.#onAck(request);
    else if (this.#isOver) this.#respond(request, refusalForCode('RECORDING_ENDED'));
    else if (CHANGING_METHODS.has(request.method)) this.#enqueue(request);
    else if (request.method === 'OPTIONS') {
      this.#respond(request, { status: 200, reason: 'OK', headers: capabilityHeaders() });
    } else this.#respond(request, methodNotAllowed());
    if (request.method === 'INVITE') request.onUpdate((update) => this.handle(update));
  }

  /** Ends its part in every recording and the dialog, however far they are. Resolves when the session is over. */
  close(reason: EndReason): Promise<void> {
    if (this.#phase === 'starting') this.#abort(reason, refusalForCode('DRAINING'));
    else {
      this.#content.leave(reason);
      this.#hangUp(reason);
    }
    return this.#over.promise;
  }

  /** Null if there is something to answer 200 to. */
  async #startRecording(invite: IncomingRequest, asked?: { raw: string; timeMs: number }): Promise<SipRefusal | null> {
    const { acceptPlainCalls, mediaAddress } = this.#environment;
    const { headers, remote } = invite;
    const body = bodyOf(invite);
    const offer = this.#content.readOffer(body) ?? this.#content.offerOurselves(body);
    this.#offerOpen = body.sdp === null;
    const refusal = refuseInterval(headers) ?? judgeInvite(headers, body, this.#content.mediaLines, acceptPlainCalls);
    if (refusal) {
      this.#log.info({ peer: peerOf(this.#origin), why: refusal.headers.Warning }, 'INVITE refused');
      return refusal;
    }
    this.#host = await mediaAddress(remote.host);
    await this.#content.begin(body, offer, invite.arrivalMs);
    if (asked) this.#journal.sent(asked.raw, invite.remote, asked.timeMs);
    this.#journal.received(invite);
    return null;
  }

  async #untilAnswerTime(invite: IncomingRequest): Promise<void> {
    const { clock, answerDelayMs } = this.#environment;
    const waitMs = invite.arrivalMs + answerDelayMs - clock.nowMs();
    if (waitMs > 0) await new Promise<void>((resolve) => clock.after(waitMs, resolve));
  }

  #accept(invite: IncomingRequest): void {
    const body = this.#content.answer(this.#host);
    const headers = { ...this.#headers.ofSession(body), ...this.#timer.answer(invite.headers) };
    const response = { status: 200, reason: 'OK', headers, body };
    invite.respond(this.#headers.complete(invite.headers, response), (outcome) => {
      if (!outcome.ok) {
        // CANCEL was faster, or the SIP server is gone: there is no dialog.
        this.#log.info({ why: outcome.error }, 'the answer could not be sent');
        this.#content.leave('cancelled', this.#aborted?.reasons);
        this.#ended();
        return;
      }
      this.#journal.sent(outcome.raw, invite.remote);
      this.#dialogId = outcome.dialogId ?? `${invite.callId};from-tag=${invite.fromTag}`;
      this.#phase = 'answered';
      this.#environment.onDialog(this.#dialogId, this);
      this.#content.noteChanged();
      this.#log.info(
        { recordingIds: this.#content.recordingIds, peer: peerOf(this.#origin) },
        'recording session answered',
      );
      // The end came between the last check and here.
      if (this.#aborted) void this.close(this.#aborted.reason);
    });
  }

  #onAck(request: IncomingRequest): void {
    if (this.#phase === 'answered') {
      this.#phase = 'established';
      this.#content.noteChanged();
      if (!this.#byeAfterAck) this.#ownRequests.established();
    }
    if (this.#byeAfterAck) void this.#sendBye(this.#byeAfterAck);
    else if (this.#offerOpen && request.body !== '') this.#enqueue(request);
    this.#offerOpen = false;
  }

  #onBye(request: IncomingRequest): void {
    const wasOver = this.#isOver;
    if (!wasOver) {
      this.#phase = 'ending';
      if (request.body !== '') this.#content.lastWords(bodyOf(request), request.arrivalMs);
    }
    const reasons = headerList(request.headers, 'reason');
    const unacknowledged = request.fromServer && reasons.some((reason) => /ACK timeout/i.test(reason));
    request.respond(this.#headers.complete(request.headers, { status: 200, reason: 'OK', headers: {} }), (outcome) => {
      if (outcome.ok) this.#journal.sent(outcome.raw, request.remote);
      if (wasOver) return;
      this.#log.info({ unacknowledged, reasons }, 'recording session ended');
      if (unacknowledged) this.#content.lapse(reasons);
      else this.#content.leave('ended', reasons);
      this.#ended();
    });
  }

  #onRecordingEnded(reason: EndReason): void {
    if (this.#phase === 'starting') this.#abort(reason, refusalForCode('RECORDING_ENDED'));
    else this.#hangUp(reason);
  }

  /** The INVITE is still open: what is to become of it is decided where it would have been answered. */
  #abort(reason: EndReason, refusal: SipRefusal | null, reasons: string[] = []): void {
    if (this.#phase !== 'starting') return;
    // A CANCEL beats every other reason: the INVITE has its answer then.
    if (!this.#aborted || refusal === null) this.#aborted = { reason, refusal, reasons };
  }

  #hangUp(reason: EndReason): void {
    if (this.#phase === 'established') void this.#sendBye(reason);
    else if (this.#phase === 'answered') this.#byeAfterAck ??= reason;
  }

  async #sendBye(reason: EndReason): Promise<void> {
    if (this.#phase !== 'established' || this.#dialogId === null) return;
    this.#phase = 'ending';
    const headers = { Reason: `SIP;cause=200;text="recording ${reason}"`, 'User-Agent': this.#environment.product };
    const result = await this.#environment.requestInDialog({ method: 'BYE', dialogId: this.#dialogId, headers });
    // Kept only if a recording still runs: mostly it ended before the BYE.
    this.#journal.exchanged(result);
    if (result.error !== null) this.#log.warn({ why: result.error }, 'BYE not answered');
    // OpenSIPS answers 405 and has ended the dialog all the same; 408 and 481 mean that nobody is there.
    else this.#log.info({ reason, status: result.status }, 'recording session ended by us');
    this.#ended();
  }

  async #request(method: string, headers: Record<string, string>, body: string | null): Promise<InDialogResult> {
    const session = { ...this.#headers.ofSession(body), 'User-Agent': this.#environment.product };
    const result = await this.#environment.requestInDialog({
      method,
      dialogId: this.#dialogId ?? '',
      headers: { ...session, ...headers },
      ...(body === null ? {} : { body }),
    });
    this.#content.noteChanged();
    this.#journal.exchanged(result);
    return result;
  }

  #expire(why: string): void {
    if (this.#isOver) return;
    this.#log.warn({ why }, 'the session timer has expired');
    this.#content.leave('abandoned', [`SIP;cause=408;text="session timer: ${why}"`]);
    this.#hangUp('abandoned');
  }

  #inTurn<Result>(step: () => Result | Promise<Result>): Promise<Result> {
    const turn = this.#changes.then(step);
    this.#changes = turn.then(() => {}).catch(() => {});
    return turn;
  }

  #enqueue(request: IncomingRequest): void {
    this.#inTurn(() => this.#change(request)).catch((error) => {
      this.#log.error({ err: error, method: request.method }, 'request inside the dialog failed');
      if (request.method !== 'ACK') this.#respond(request, refusalForError(error));
    });
  }

  /** re-INVITE, UPDATE, INFO, MESSAGE, NOTIFY, and an ACK that answers our offer. Refusing costs the client's call, so nothing is refused. */
  async #change(request: IncomingRequest): Promise<void> {
    const { method, headers, arrivalMs } = request;
    const body = bodyOf(request);
    const mayOffer = (method === 'INVITE' || method === 'UPDATE' || method === 'ACK') && !this.#isOver;
    const offer = mayOffer ? this.#content.readOffer(body) : null;
    const alive = !this.#isOver && (await this.#content.change(body, offer, arrivalMs));
    if (method === 'ACK') return;
    if (!alive || this.#isOver) {
      this.#respond(request, refusalForCode('RECORDING_ENDED'));
      return;
    }
    const response: OutgoingResponse = { status: 200, reason: 'OK', headers: {} };
    if (offer?.streams) response.body = this.#content.answer(this.#host);
    else if (method === 'INVITE') {
      // Without an offer of theirs we have to make one (RFC 3261 §14.2): what was agreed already.
      response.body = this.#content.localSdp ?? '';
      this.#offerOpen = true;
    }
    if (method === 'INVITE' || method === 'UPDATE')
      response.headers = { ...this.#headers.ofSession(response.body ?? null), ...this.#timer.answer(headers) };
    this.#respond(request, response);
  }

  #respond(request: IncomingRequest, response: OutgoingResponse): void {
    request.respond(this.#headers.complete(request.headers, response), (outcome) => {
      this.#content.noteChanged();
      if (outcome.ok) this.#journal.sent(outcome.raw, request.remote);
      else this.#log.debug({ method: request.method, why: outcome.error }, 'an answer could not be sent');
    });
  }

  #ended(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#timer.stop();
    this.#ownRequests.close();
    this.#over.resolve();
    this.#environment.onEnded(this);
  }
}
