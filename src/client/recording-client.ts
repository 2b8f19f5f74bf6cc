// The built-in recording client (SRC, RFC 7866 §6.1): plays calls to any SRS.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { CallFailed, type CallOutcome, type CallPlan, type ConnectRequest } from './call-plan.ts';
import { connect } from './connect.ts';
import { MediaTicker } from './media-ticker.ts';
import type { RecordingSession } from './recording-session.ts';
import type { ClientSrf } from './srf.ts';

export interface RecordingClientOptions {
  /** Connected to a SIP server. It stays the caller's to close. */
  srf: ClientSrf;
  /** The address that RTP leaves from, an IP literal. */
  localHost: string;
  clock: Clock;
  log: Log;
}

export interface RecordingClient {
  /** Runs a whole call and says how it went. Never rejects. The signal ends it early: CANCEL before the answer, BYE after. */
  call(plan: CallPlan): Promise<CallOutcome>;
  /** Sets up a session and starts its media. Rejects with CallFailed. The session is the caller's to end. */
  connect(request: ConnectRequest): Promise<RecordingSession>;
}

/** All calls of one client share one media timer. Nothing is left open once their sessions have ended. */
export function createRecordingClient(options: RecordingClientOptions): RecordingClient {
  const from = { ...options, ticker: new MediaTicker(options.clock) };
  return {
    connect: (request) => connect(from, request),
    call: async (plan) => {
      let session: RecordingSession;
      try {
        session = await connect(from, plan);
      } catch (error) {
        return failedOutcome(error);
      }
      return playCall(session, plan, options.clock);
    },
  };
}

async function playCall(session: RecordingSession, plan: CallPlan, clock: Clock): Promise<CallOutcome> {
  const mishaps: string[] = [];
  const attempt = (what: string, act: () => unknown): void => {
    (async () => act())().catch((error: Error) => mishaps.push(`${what}: ${error.message}`));
  };
  const { hold, dtmf, parties } = plan;
  const timers = [clock.after(plan.durationMs, () => void session.bye())];
  if (hold) {
    const label = hold.label ?? String(Math.min(1, parties.length - 1));
    timers.push(clock.after(hold.atMs, () => attempt('hold', () => session.hold(label))));
    timers.push(clock.after(hold.atMs + hold.forMs, () => attempt('resume', () => session.resume(label))));
  }
  if (dtmf)
    timers.push(clock.after(dtmf.atMs, () => attempt('DTMF', () => session.sendDtmf(dtmf.label ?? '0', dtmf.digits))));
  const onAbort = (): void => void session.bye();
  plan.signal?.addEventListener('abort', onAbort, { once: true });
  if (plan.signal?.aborted) onAbort();

  const end = await session.ended;

  plan.signal?.removeEventListener('abort', onAbort);
  for (const timer of timers) timer.cancel();
  return {
    callId: session.callId,
    status: 200,
    setUpMs: session.setUpMs,
    streams: session.streams,
    ended: end.by,
    reason: [end.reason, ...mishaps].join('; '),
  };
}

function failedOutcome(error: unknown): CallOutcome {
  const failed = error instanceof CallFailed ? error : new CallFailed('error', (error as Error).message);
  return {
    callId: failed.callId,
    status: failed.response?.status ?? null,
    setUpMs: null,
    streams: [],
    ended: failed.ended,
    reason: failed.message,
  };
}
