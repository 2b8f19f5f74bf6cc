// The SIPREC door: every SIP request that reaches us, sorted to its recording session or answered here (RFC 7866 §6.2).
import type { Clock } from '../lib/clock.ts';
import { closeOnce } from '../lib/close.ts';
import type { Log } from '../lib/log.ts';
import type { RecordingInitiator, RecordRequest } from '../recording/control.ts';
import type { ActiveRecording } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import type { AccessGate } from './access/gate.ts';
import { capabilityHeaders, methodNotAllowed } from './capabilities.ts';
import { type OwnCredentials, withCredentials } from './challenges.ts';
import type { AnsweredInvite } from './client-invite.ts';
import { OutgoingSessions } from './outgoing-sessions.ts';
import { Recordings } from './recordings.ts';
import { RecordingSession } from './session.ts';
import type { SessionEnvironment } from './session-environment.ts';
import { originOf, type RecordingSessionSnapshot, sessionKey } from './session-origin.ts';
import type { RestoredHold, SiprecDoorState, SiprecRecorder } from './shared-recording.ts';
import { refusalForCode } from './sip-status.ts';
import {
  type ConnectedSrf,
  type IncomingRequest,
  type OutgoingResponse,
  receiveRequests,
  requestInDialog,
} from './srf.ts';
import { UnansweredSessions } from './unanswered-sessions.ts';

export interface SiprecDoorOptions {
  /** A connected Srf; its connection belongs to the caller. */
  srf: ConnectedSrf;
  recorder: SiprecRecorder;
  clock: Clock;
  log: Log;
  /** The least time between an INVITE and its final answer. Default 10 ms: OpenSIPS loses faster ones. */
  answerDelayMs?: number;
  /** Who may record here; everybody without one. */
  access?: Pick<AccessGate, 'judge'>;
  /** As whom we answer clients that challenge requests of ours. Default: nobody. */
  credentials?: readonly OwnCredentials[];
  /** Our media address, or how to find it for a client. */
  mediaAddress: string | ((peerHost: string) => Promise<string>);
  /** Records calls that carry no sign of being a recording session and want to receive. Default false. */
  acceptPlainCalls?: boolean;
  /** A dialog as the SIP server needs it to go on after a restart, by its id; for `restorableSessions`. Default: unknown. */
  dialogState?: (dialogId: string) => unknown;
  /** Server and User-Agent headers. Default `sipreel`. */
  userAgent?: string;
  /** How long a recording waits for its call to come again after its only session was never acknowledged. Default 5 s. */
  graceMs?: number;
}

/** A recording of a previous process that goes on, and what its session.json has under `door`. */
export interface RestoredRecording {
  recording: ActiveRecording;
  door: unknown;
}

export interface SiprecDoor extends RecordingInitiator {
  /**
   * Goes on with recordings of a previous process whose dialogs the SIP server still knows. To be called before `start`.
   * Returns, by recording id, what is to be called when the recorder ends the recording; those missing there hold nothing
   * that could go on, and it is for the caller to stop them.
   */
  restore(recordings: readonly RestoredRecording[]): Map<string, (reason: EndReason) => void>;
  /** Takes requests from here on. */
  start(): void;
  /** Recording sessions that are not over. */
  readonly sessions: number;
  /** Refuses new sessions, ends the running ones with BYE and waits for the answers, 2 s at most. Idempotent. */
  close(): Promise<void>;
}

/** The answered sessions in what session.json has under `door`. */
export function restorableSessions(door: unknown): RecordingSessionSnapshot[] {
  if (!isSiprecState(door)) return [];
  const open = door.sessions.filter(({ entry, session }) => entry.endMs === null && session !== null);
  return open.map(({ session }) => session as RecordingSessionSnapshot);
}

const CLOSE_LIMIT_MS = 2_000;

export function createSiprecDoor(options: SiprecDoorOptions): SiprecDoor {
  return new Door(options);
}

class Door implements SiprecDoor {
  readonly #options: SiprecDoorOptions;
  readonly #environment: Omit<SessionEnvironment, 'onEnded'>;
  /** By Call-ID and From tag, from the INVITE on. */
  readonly #sessions = new Map<string, RecordingSession>();
  /** By the SIP server's dialog id, from the 200 on. */
  readonly #dialogs = new Map<string, RecordingSession>();
  readonly #outgoing: OutgoingSessions;
  readonly #unanswered = new UnansweredSessions();
  #closing = false;

  constructor(options: SiprecDoorOptions) {
    this.#options = options;
    const { srf, recorder, clock, log, mediaAddress, credentials = [] } = options;
    this.#environment = {
      recordings: new Recordings({
        recorder,
        clock,
        ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
      }),
      clock,
      log,
      answerDelayMs: options.answerDelayMs ?? 10,
      acceptPlainCalls: options.acceptPlainCalls ?? false,
      product: options.userAgent ?? 'sipreel',
      mediaAddress: typeof mediaAddress === 'string' ? async () => mediaAddress : mediaAddress,
      dialogState: options.dialogState ?? (() => null),
      requestInDialog: withCredentials((request) => requestInDialog(srf, clock, request), credentials),
      onDialog: (dialogId, session) => this.#dialogs.set(dialogId, session),
    };
    const { product, mediaAddress: addressFor } = this.#environment;
    const session = ({ asRequest }: AnsweredInvite) => {
      const key = sessionKey(asRequest);
      const ours = new RecordingSession(originOf(asRequest), { ...this.#environmentOf(key), acceptPlainCalls: true });
      this.#sessions.set(key, ours);
      return ours;
    };
    this.#outgoing = new OutgoingSessions({
      srf,
      clock,
      recorder,
      product,
      credentials,
      mediaAddress: addressFor,
      session,
    });
  }

  record(request: RecordRequest): Promise<string[]> {
    return this.#outgoing.record(request);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  restore(recordings: readonly RestoredRecording[]): Map<string, (reason: EndReason) => void> {
    const ends = new Map<string, (reason: EndReason) => void>();
    const sessions = new Map<string, { snapshot: RecordingSessionSnapshot; holds: RestoredHold[] }>();
    for (const { recording, door } of recordings) {
      if (!isSiprecState(door)) continue;
      const { holds, ended } = this.#environment.recordings.restore(recording, door);
      if (holds.length > 0) ends.set(recording.id, ended);
      for (const hold of holds) {
        if (hold.session === null) {
          this.#unanswered.add(hold);
          continue;
        }
        const snapshot = hold.session as RecordingSessionSnapshot;
        const session = sessions.get(snapshot.dialogId) ?? { snapshot, holds: [] };
        session.holds.push(hold);
        sessions.set(snapshot.dialogId, session);
      }
    }
    for (const [dialogId, { snapshot, holds }] of sessions) {
      const key = sessionKey(snapshot.origin);
      const session = RecordingSession.restore(snapshot, holds, this.#environmentOf(key));
      this.#sessions.set(key, session);
      this.#dialogs.set(dialogId, session);
    }
    return ends;
  }

  start(): void {
    receiveRequests(this.#options.srf, this.#options, (request) => this.#receive(request));
  }

  readonly close = closeOnce(async () => {
    this.#closing = true;
    this.#outgoing.close();
    const all = Promise.all([...this.#sessions.values()].map((session) => session.close('stopped')));
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = this.#options.clock.after(CLOSE_LIMIT_MS, resolve);
    await Promise.race([all, promise]);
    limit.cancel();
  });

  #receive(request: IncomingRequest): void {
    const session = request.dialogId === null ? undefined : this.#dialogs.get(request.dialogId);
    if (session) {
      session.handle(request);
      return;
    }
    const admission = request.hasToTag || request.method === 'ACK' ? null : this.#options.access?.judge(request);
    const release = admission?.admitted ? admission.release : () => {};
    // Nothing else is told to strangers, what we are neither.
    if (admission && !admission.admitted) this.#send(request, admission.refusal);
    else if (request.method === 'INVITE' && !request.hasToTag && !this.#closing) this.#invite(request, release);
    else if (request.method !== 'ACK') this.#answer(request, this.#responseOutside(request));
  }

  /** For what belongs to no session. */
  #responseOutside(request: IncomingRequest): OutgoingResponse {
    if (request.hasToTag) return refusalForCode('RECORDING_ENDED');
    if (request.method === 'INVITE') return refusalForCode('DRAINING');
    if (request.method !== 'OPTIONS') return methodNotAllowed();
    const refusal = this.#closing ? 'DRAINING' : this.#options.recorder.refusal();
    const response = refusal ? refusalForCode(refusal) : { status: 200, reason: 'OK', headers: {} };
    return { ...response, headers: { ...response.headers, ...capabilityHeaders() } };
  }

  /** `release` tells the gate that the call is over. */
  #invite(request: IncomingRequest, release: () => void): void {
    const key = sessionKey(request);
    // The same request by another path (RFC 3261 §8.2.2.2); the SIP server would let only one of them form a dialog.
    if (this.#sessions.has(key)) {
      release();
      this.#answer(request, { status: 482, reason: 'Loop Detected', headers: {} });
      return;
    }
    this.#unanswered.askedAgain(key);
    const refusal = this.#environment.recordings.refusal(request);
    if (refusal) {
      release();
      this.#refuseLater(request, refusalForCode(refusal));
      return;
    }
    const session = new RecordingSession(originOf(request), this.#environmentOf(key, release));
    this.#sessions.set(key, session);
    void session.start(request);
  }

  /** No session is made for it: a full recorder is asked a hundred times a second. */
  #refuseLater(request: IncomingRequest, refusal: OutgoingResponse): void {
    const { clock, answerDelayMs } = this.#environment;
    const waitMs = request.arrivalMs + answerDelayMs - clock.nowMs();
    clock.after(Math.max(0, waitMs), () => this.#answer(request, refusal));
  }

  #environmentOf(key: string, release: () => void = () => {}): SessionEnvironment {
    const onEnded = (ended: RecordingSession) => {
      release();
      this.#sessions.delete(key);
      if (ended.dialogId !== null) this.#dialogs.delete(ended.dialogId);
    };
    return { ...this.#environment, onEnded };
  }

  #answer(request: IncomingRequest, response: OutgoingResponse): void {
    this.#send(request, { ...response, headers: { ...response.headers, Server: this.#environment.product } });
  }

  #send(request: IncomingRequest, response: OutgoingResponse): void {
    request.respond(response, (outcome) => {
      if (!outcome.ok)
        this.#options.log.debug({ method: request.method, why: outcome.error }, 'an answer could not be sent');
    });
  }
}

/** session.json is our own file; another door's recordings are told apart by `kind`. */
function isSiprecState(door: unknown): door is SiprecDoorState {
  return typeof door === 'object' && door !== null && 'kind' in door && door.kind === 'siprec';
}
