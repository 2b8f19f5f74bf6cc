// Recording sessions that we begin (RFC 7866 §6.2): the INVITE to the client, then a session like any other.
import type { Clock } from '../lib/clock.ts';
import { RecorderError } from '../lib/errors.ts';
import { parseSipTarget } from '../lib/sip-target.ts';
import { NotAdmitted } from '../recording/admission.ts';
import type { RecordRequest } from '../recording/control.ts';
import { capabilityHeaders, recordingContact } from './capabilities.ts';
import type { OwnCredentials } from './challenges.ts';
import { type AnsweredInvite, inviteClient } from './client-invite.ts';
import type { RecordingSession } from './session.ts';
import type { SiprecRecorder } from './shared-recording.ts';
import type { ConnectedSrf } from './srf.ts';

export interface OutgoingSessionsParts {
  srf: ConnectedSrf;
  clock: Clock;
  recorder: SiprecRecorder;
  product: string;
  credentials: readonly OwnCredentials[];
  mediaAddress: (peerHost: string) => Promise<string>;
  /** The session of an answered INVITE. */
  session: (answered: AnsweredInvite) => RecordingSession;
}

/** A little less than a SIP server waits for a first answer (RFC 3261 §17.1.1.2), so that the words are ours. */
const ANSWER_WITHIN_MS = 30_000;

export class OutgoingSessions {
  readonly #parts: OutgoingSessionsParts;
  readonly #closing = new AbortController();

  constructor(parts: OutgoingSessionsParts) {
    this.#parts = parts;
  }

  /** Gives up every INVITE that is open. */
  close(): void {
    this.#closing.abort();
  }

  /** Resolves when the client is recorded. Rejects with CLIENT_REFUSED, CLIENT_SILENT or what `Recorder.start` rejects with. */
  async record({ uri, durationMs }: RecordRequest): Promise<string[]> {
    const { srf, clock, credentials, recorder, session: sessionOf } = this.#parts;
    const refusal = this.#closing.signal.aborted ? 'DRAINING' : recorder.refusal();
    if (refusal) {
      recorder.countRefused();
      throw new NotAdmitted(refusal);
    }
    const headers = await this.#headers(uri);
    const invite = { uri, headers, credentials, answerWithinMs: ANSWER_WITHIN_MS, signal: this.#closing.signal };
    const answered = await inviteClient(srf, clock, invite);
    const session = sessionOf(answered);
    void session.start(answered.asRequest, answered.sent);
    const { headers: said } = await answered.responded;
    if (session.phase === 'ended') {
      throw new RecorderError('CLIENT_REFUSED', `What it offers is not recorded. ${said.Warning ?? ''}`.trim());
    }
    // The ACK was ours, and has left.
    session.handle({ ...answered.asRequest, method: 'ACK', raw: '', body: '' });
    if (durationMs !== null) {
      const end = clock.after(durationMs, () => void session.close('max-duration'));
      void session.over.then(() => end.cancel());
    }
    return session.recordingIds;
  }

  async #headers(uri: string): Promise<Record<string, string>> {
    const target = parseSipTarget(uri);
    const host = await this.#parts.mediaAddress(target?.host ?? '');
    const { Allow = '', Accept = '' } = capabilityHeaders();
    return {
      From: `<sip:sipreel@${host.includes(':') ? `[${host}]` : host}>`,
      To: `<${uri}>`,
      Contact: recordingContact(target?.transport ?? 'udp'),
      Require: 'siprec',
      Supported: 'siprec',
      Allow,
      Accept,
      'User-Agent': this.#parts.product,
    };
  }
}
