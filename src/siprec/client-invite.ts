// Our INVITE to a recording client (RFC 7866 §6.2): without SDP, because only the client knows its streams. Its 200 offers them,
// with the metadata, and our answer goes into the ACK. Beside srf.ts, the only file of siprec/ that knows drachtio-srf.
//
//   inviting ──2xx with SDP──▶ answered (the caller acknowledges, with our SDP)
//      ├──401, 407 that we have credentials for──▶ inviting again, with them
//      ├──any other final answer, 2xx without SDP (ACK, BYE)──▶ refused
//      └──no final answer in time, or told to give up: CANCEL──▶ given up (a 2xx that crosses gets ACK and BYE)
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { parseSipTarget, type SipTarget } from '../lib/sip-target.ts';
import { answerChallenge, type OwnCredentials, withCredentials } from './challenges.ts';
import { bodyOf } from './multipart.ts';
import { bodyOfSipMessage, headerValue, parseNameAddress, readSipHeaders } from './sip-headers.ts';
import { type ConnectedSrf, type IncomingRequest, type OutgoingResponse, requestInDialog } from './srf.ts';

export interface ClientInvite {
  uri: string;
  headers: Record<string, string>;
  /** For clients that ask who we are. */
  credentials: readonly OwnCredentials[];
  /** Of all attempts together. */
  answerWithinMs: number;
  /** Gives up. */
  signal: AbortSignal;
}

export interface AnsweredInvite {
  /**
   * The client's 200 as the INVITE that it would have sent itself, so that one code records both. `respond` with a 200
   * acknowledges with that body; anything else acknowledges with every stream refused, and ends the dialog.
   */
  asRequest: IncomingRequest;
  /** What `respond` was called with, once that has left. */
  responded: Promise<OutgoingResponse>;
  /** Our INVITE. */
  sent: { raw: string; timeMs: number };
}

interface Message {
  raw?: string;
}

interface SentRequest extends Message {
  on(event: 'response', listener: (response: Response, acknowledge: Acknowledge) => void): void;
  cancel(done: (error: unknown) => void): void;
}

interface Response extends Message {
  status: number;
  reason?: string;
  stackDialogId?: string;
  source_address?: string;
  source_port?: number;
}

/** Credentials once, and once more if the nonce was too old. */
const MOST_ANSWERS = 2;
/** The SIP server sends within milliseconds, unless the connection to it is lost. */
const ACKNOWLEDGE_LIMIT_MS = 5_000;

type Acknowledge = (options?: { body?: string; headers?: Record<string, string> }, sent?: Sent) => void;
type Sent = (error: unknown, message?: Message) => void;

interface Srf {
  request(uri: string, options: object, callback: (error: unknown, request?: SentRequest) => void): unknown;
}

/** Rejects with CLIENT_REFUSED or CLIENT_SILENT; no dialog is left then. `uri` has to be one that `parseSipTarget` takes. */
export function inviteClient(connected: ConnectedSrf, clock: Clock, invite: ClientInvite): Promise<AnsweredInvite> {
  const { promise, resolve, reject } = Promise.withResolvers<AnsweredInvite>();
  const target = parseSipTarget(invite.uri);
  if (!target) return Promise.reject(new RecorderError('CLIENT_REFUSED', `${invite.uri} is no SIP URI.`));
  const timeMs = clock.nowMs();
  let request: SentRequest | null = null;
  let givenUp = false;
  const giveUp = (why: string) => {
    givenUp = true;
    request?.cancel(() => {});
    reject(new RecorderError('CLIENT_SILENT', why));
  };
  const limit = clock.after(invite.answerWithinMs, () => giveUp(`Waited for ${invite.answerWithinMs / 1000} s.`));
  const onAbort = () => giveUp('The recorder gave up waiting.');
  invite.signal.addEventListener('abort', onAbort, { once: true });

  const answered = (response: Response, acknowledge: Acknowledge, attempt: number) => {
    if (response.status < 200) return;
    if (response.status >= 300) {
      const { status, raw = '' } = response;
      const challenged = { status, receivedRaw: raw, sentRaw: request?.raw ?? '', hadCredentials: attempt > 0 };
      const authorization = givenUp || attempt >= MOST_ANSWERS ? null : answerChallenge(challenged, invite.credentials);
      return authorization ? send(authorization, attempt + 1) : reject(refusalOf(response));
    }
    const { promise: responded, resolve: respond } = Promise.withResolvers<OutgoingResponse>();
    const acknowledgeWith = (sdp: string | null, done: Sent) =>
      acknowledge(sdp === null ? {} : { body: sdp, headers: { 'Content-Type': 'application/sdp' } }, done);
    const hangUp = (sdp: string | null) =>
      acknowledgeWith(sdp && refuseAll(sdp), () => {
        const bye = { method: 'BYE', dialogId: response.stackDialogId ?? '', headers: {} };
        const send = withCredentials((request) => requestInDialog(connected, clock, request), invite.credentials);
        void send(bye);
      });
    const heard = readAnswer(target, response, clock.nowMs());
    const { sdp } = bodyOf(heard);
    if (givenUp || !sdp?.trim()) {
      hangUp(sdp);
      return reject(new RecorderError('CLIENT_REFUSED', 'Its answer offers no streams.'));
    }
    const asRequest: IncomingRequest = {
      ...heard,
      respond(outgoing, sent) {
        if (outgoing.status !== 200) {
          hangUp(sdp);
          sent({ ok: false, error: 'not recorded' });
          return respond(outgoing);
        }
        const done: Sent = (error, message) => {
          acknowledgeLimit.cancel();
          if (error) sent({ ok: false, error: String(error) });
          else sent({ ok: true, raw: message?.raw ?? '', dialogId: response.stackDialogId ?? null });
          respond(outgoing);
        };
        const acknowledgeLimit = clock.after(ACKNOWLEDGE_LIMIT_MS, () => done('the SIP server did not send the ACK'));
        acknowledgeWith(outgoing.body ?? '', done);
      },
    };
    resolve({ asRequest, responded, sent: { raw: request?.raw ?? '', timeMs } });
  };
  const notSent = (error: unknown) =>
    reject(new RecorderError('CLIENT_SILENT', `The INVITE could not be sent: ${error}`));
  // Each attempt is a call of its own, with a Call-ID of its own: the SIP server makes them.
  const send = (authorization: Record<string, string>, attempt: number) => {
    const options = { method: 'INVITE', headers: { ...invite.headers, ...authorization }, body: '' };
    try {
      (connected as unknown as Srf).request(invite.uri, options, (error, sent) => {
        if (error || !sent) return notSent(error);
        request = sent;
        sent.on('response', (response, acknowledge) => answered(response, acknowledge, attempt));
        if (givenUp) sent.cancel(() => {});
      });
    } catch (error) {
      notSent(error);
    }
  };
  send({}, 0);
  return promise.finally(() => {
    limit.cancel();
    invite.signal.removeEventListener('abort', onAbort);
  });
}

function readAnswer(target: SipTarget, response: Response, arrivalMs: number): Omit<IncomingRequest, 'respond'> {
  const raw = response.raw ?? '';
  const headers = readSipHeaders(raw);
  return {
    method: 'INVITE',
    requestUri: target.uri,
    // We asked for no session timer, so there is none to take up.
    headers: headers.filter(({ name }) => !/^(session-expires|x)$/i.test(name)),
    body: bodyOfSipMessage(raw),
    raw,
    callId: headerValue(headers, 'call-id') ?? '',
    // Ours; the client's is in To.
    fromTag: parseNameAddress(headerValue(headers, 'from') ?? '')?.parameters.tag ?? '',
    hasToTag: false,
    dialogId: response.stackDialogId ?? null,
    transport: target.transport,
    remote: { host: response.source_address || target.host, port: response.source_port ?? target.port ?? 5060 },
    local: sentBy(headerValue(headers, 'via') ?? ''),
    arrivalMs,
    fromServer: false,
    // An answer cannot be cancelled, and no UPDATE comes before the ACK.
    onCancel: () => {},
    onUpdate: () => {},
  };
}

function refuseAll(sdp: string): string {
  return sdp.replace(/^(m=\S+) \d+(\/\d+)? /gm, '$1 0 ').replace(/^a=sendonly/gm, 'a=inactive');
}

function refusalOf({ status, reason, raw = '' }: Response): RecorderError {
  const warning = headerValue(readSipHeaders(raw), 'warning');
  const words = `${status} ${reason ?? ''}`.trim() + (warning ? ` (${warning})` : '');
  // The SIP server makes up a 408 when nobody answers (RFC 3261 §8.1.3.1), a 503 when nobody can be reached.
  return new RecorderError(status === 408 ? 'CLIENT_SILENT' : 'CLIENT_REFUSED', `It answers ${words}.`);
}

/** Our address, as our own Via has it. */
function sentBy(via: string): { host: string; port: number } | null {
  const match = /^\S+\s+(\[[^\]]+\]|[^:;\s]+)(?::(\d+))?/.exec(via);
  return match ? { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2] ?? 5060) } : null;
}
