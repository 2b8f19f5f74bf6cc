// Sets up one recording session: binds sockets, sends the INVITE (RFC 7866 §6.1), reads the answer, starts the media.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { CallFailed, type ConnectRequest } from './call-plan.ts';
import { CLIENT_CODECS } from './codec.ts';
import { answerChallenge } from './digest.ts';
import { encodedLoop } from './encoded-loop.ts';
import { MediaProtection } from './media-protection.ts';
import type { MediaTicker } from './media-ticker.ts';
import type { MetadataDocument } from './metadata-document.ts';
import { freshMetadataId, OFFER_CONTENT_TYPE, writeOffer } from './offer.ts';
import { freshRandom, type Random, seededRandom } from './random.ts';
import { RecordedStream } from './recorded-stream.ts';
import { RecordingSession } from './recording-session.ts';
import { RtpStream } from './rtp-stream.ts';
import { type ClientDialog, type ClientRequest, type ClientSrf, isSipFailure } from './srf.ts';

export interface ConnectDependencies {
  srf: ClientSrf;
  /** The address that RTP leaves from, an IP literal. */
  localHost: string;
  clock: Clock;
  ticker: MediaTicker;
  log: Log;
}

const ANSWER_TIMEOUT_MS = 10_000;
/** After a CANCEL the transaction layer's 487 or a crossing 200 comes soon or never. */
const CANCEL_PATIENCE_MS = 2000;

/** Rejects with CallFailed; nothing is left open then. */
export async function connect(from: ConnectDependencies, request: ConnectRequest): Promise<RecordingSession> {
  if (request.parties.length === 0) throw new CallFailed('error', 'a call needs at least one party');
  if (request.signal?.aborted) throw new CallFailed('cancelled', 'cancelled before it began');
  const streams = await openStreams(from, request);
  try {
    return await connectStreams(from, request, streams);
  } catch (error) {
    await Promise.all(streams.map((stream) => stream.close()));
    throw error instanceof CallFailed ? error : new CallFailed('error', (error as Error).message, { cause: error });
  }
}

async function connectStreams(
  from: ConnectDependencies,
  request: ConnectRequest,
  streams: RecordedStream[],
): Promise<RecordingSession> {
  const metadata = describeCall(request, from.clock.wallMs());
  const originId = Math.floor(from.clock.wallMs() / 1000);
  const description = { host: from.localHost, originId, originVersion: 0 };
  const media = streams.map(({ offered }) => offered);
  const sentMs = from.clock.nowMs();
  const dialog = await inviteWithCredentials(from, request, writeOffer({ ...description, media }, metadata));
  const session = new RecordingSession({
    dialog,
    clock: from.clock,
    streams,
    metadata,
    description,
    originVersions: request.originVersions ?? 'constant',
    recorderRequests: request.recorderRequests ?? 'followed',
    setUpMs: from.clock.nowMs() - sentMs,
  });
  const mistake = await session.begin();
  if (mistake !== null) {
    await session.bye();
    throw new CallFailed('error', mistake, { callId: session.callId });
  }
  return session;
}

/** A challenge is answered once; a second one means that the secret is wrong. */
async function inviteWithCredentials(
  from: ConnectDependencies,
  request: ConnectRequest,
  body: string,
): Promise<ClientDialog> {
  try {
    return await invite(from, request, body);
  } catch (error) {
    const refused = error instanceof CallFailed ? error.response : null;
    const challenges = refused?.status === 401 ? refused.get('WWW-Authenticate') : undefined;
    const line = { method: 'INVITE', uri: targetUri(request) };
    const authorization = request.credentials && challenges && answerChallenge(challenges, request.credentials, line);
    if (!authorization) throw error;
    return invite(from, { ...request, headers: { ...request.headers, Authorization: authorization } }, body);
  }
}

/** Sends the INVITE and waits for the dialog; a dialog that comes after we gave up is ended. */
async function invite(from: ConnectDependencies, request: ConnectRequest, body: string): Promise<ClientDialog> {
  const uri = targetUri(request);
  let sent: ClientRequest | undefined;
  let givenUp: CallFailed | undefined;
  const outcome = Promise.withResolvers<ClientDialog>();

  const giveUp = (ended: 'timeout' | 'cancelled', reason: string): void => {
    if (givenUp) return;
    givenUp = new CallFailed(ended, reason, { callId: sent?.get('call-id') ?? null });
    sent?.cancel(() => {});
    patience.cancel();
    patience = from.clock.after(CANCEL_PATIENCE_MS, () => outcome.reject(givenUp));
  };
  const timeoutMs = request.answerTimeoutMs ?? ANSWER_TIMEOUT_MS;
  let patience = from.clock.after(timeoutMs, () => giveUp('timeout', `no final response within ${timeoutMs} ms`));
  const onAbort = (): void => giveUp('cancelled', 'cancelled before the answer');
  request.signal?.addEventListener('abort', onAbort, { once: true });

  const cbRequest = (error: Error | null, invitation?: ClientRequest): void => {
    sent = invitation;
    if (!error && givenUp) sent?.cancel(() => {});
  };
  const headers = { ...defaultHeaders(uri), ...request.headers };
  from.srf.createUAC(uri, { localSdp: body, headers }, { cbRequest }).then(
    (dialog) => {
      if (!givenUp) return outcome.resolve(dialog);
      dialog.destroy().catch((error: Error) => from.log.debug({ error: error.message }, 'late BYE failed'));
      outcome.reject(givenUp);
    },
    (error: unknown) => outcome.reject(givenUp ?? refusal(error, sent?.get('call-id') ?? null)),
  );
  try {
    return await outcome.promise;
  } finally {
    patience.cancel();
    request.signal?.removeEventListener('abort', onAbort);
  }
}

function refusal(error: unknown, callId: string | null): CallFailed {
  if (!isSipFailure(error)) return new CallFailed('error', (error as Error).message, { callId, cause: error });
  const response = error.res ?? null;
  // The transaction layer makes up a 408 when nobody answers (RFC 3261 §8.1.3.1).
  const ended = error.status === 408 ? 'timeout' : 'refused';
  return new CallFailed(ended, `${error.status} ${error.reason ?? ''}`.trim(), { callId, response, cause: error });
}

/** OpenSIPS names the SRS in From and To alike: only the metadata says who talks to whom. */
function defaultHeaders(uri: string): Record<string, string> {
  const transport = /;transport=\w+/i.exec(uri)?.[0] ?? '';
  return {
    From: `<${uri}>`,
    To: `<${uri}>`,
    // The SIP server puts its own address in place of localhost.
    Contact: `<sip:src@localhost${transport}>;+sip.src`,
    Require: 'siprec',
    'User-Agent': 'sipreel recording client',
    'Content-Type': OFFER_CONTENT_TYPE,
  };
}

function targetUri({ uri, transport }: ConnectRequest): string {
  const full = /^sips?:/i.test(uri) ? uri : `sip:${uri}`;
  return transport === 'tcp' && !/;transport=/i.test(full) ? `${full};transport=tcp` : full;
}

async function openStreams(from: ConnectDependencies, request: ConnectRequest): Promise<RecordedStream[]> {
  const random = request.seed === undefined ? freshRandom() : seededRandom(request.seed);
  const codec = CLIENT_CODECS[request.codec ?? 'pcmu'];
  const protections = request.srtp ? MediaProtection.forParties(request.srtp, request.parties.length) : [];
  const opening = request.parties.map((party, index) =>
    RecordedStream.open({
      label: String(index),
      stream: new RtpStream(encodedLoop(party.audio, codec), random),
      localHost: from.localHost,
      clock: from.clock,
      ticker: from.ticker,
      impairment: impairmentOf(request, random),
      reportIntervalMs: request.reportIntervalMs ?? null,
      protection: protections[index] ?? null,
    }),
  );
  const opened = await Promise.allSettled(opening);
  const failed = opened.find((result) => result.status === 'rejected');
  const streams = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (!failed) return streams;
  await Promise.all(streams.map((stream) => stream.close()));
  throw new CallFailed('error', `no socket for RTP on ${from.localHost}: ${(failed.reason as Error).message}`, {
    cause: failed.reason,
  });
}

function impairmentOf({ impairment }: ConnectRequest, random: Random) {
  if (!impairment) return null;
  const { loss = 0, reorder = 0, duplicate = 0 } = impairment;
  // Its own generator per stream: two streams that took turns on one would depend on each other's timing.
  return { loss, reorder, duplicate, random: seededRandom(random.bits(32)) };
}

function describeCall(request: ConnectRequest, wallMs: number): MetadataDocument {
  return {
    sessionId: freshMetadataId(),
    sipSessionId: request.sipSessionId ?? `${crypto.randomUUID()}@sipreel`,
    groupId: request.groupId ?? null,
    parties: request.parties.map(({ aor, name }) => ({ participantId: freshMetadataId(), aor, name })),
    streams: request.parties.map((_, index) => ({
      streamId: freshMetadataId(),
      label: String(index),
      sender: index,
    })),
    associateMs: wallMs,
  };
}
