// The running recordings by Call-ID. A Call-ID may come again when recording is stopped and started in one call.
import type { Clock } from '../lib/clock.ts';
import { isRecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { LogLimiter } from '../lib/log-limiter.ts';
import { EndedCalls } from '../recording/ended-calls.ts';
import type { SipRecord } from '../recording/media.ts';
import type { ActiveRecording } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { Call, type CallEnvironment, type OrekaRecorder } from './call.ts';
import type { OrekaCounters } from './counters.ts';
import type { OrekaInvite, OrekaMessage } from './datagram.ts';
import { type Endpoint, formatEndpoint } from './listener.ts';
import { type OrekaDoorState, RestoredCalls } from './restored-calls.ts';

export interface CallsParts {
  recorder: OrekaRecorder;
  clock: Clock;
  log: Log;
  limiter: LogLimiter;
  counters: OrekaCounters;
  byeGraceMs: number;
  inactivityMs: number | null;
}

/** How a message came. */
export interface Arrival {
  timeMs: number;
  datagram: Uint8Array;
  remote: Endpoint;
  /** The listener's address, as bound. */
  local: Endpoint;
}

const WILDCARDS = new Set(['0.0.0.0', '::']);

export class Calls {
  readonly #parts: CallsParts;
  readonly #environment: CallEnvironment;
  readonly #running = new Map<string, Call>();
  /** Over for FreeSWITCH, but their recordings are still being closed. */
  readonly #closing = new Set<Promise<void>>();
  readonly #ended: EndedCalls;
  readonly #restored: RestoredCalls;

  constructor(parts: CallsParts) {
    this.#parts = parts;
    this.#restored = new RestoredCalls(parts.clock, parts.byeGraceMs);
    this.#ended = new EndedCalls(parts.clock);
    const { recorder, clock, log, limiter, counters, byeGraceMs, inactivityMs } = parts;
    this.#environment = {
      recorder,
      clock,
      log,
      byeGraceMs,
      inactivityMs,
      onStarted: () => {
        counters.started++;
      },
      onRefused: (callId, error) => {
        counters.refused++;
        const suppressed = limiter.pass('refused-recording');
        const level = isRecorderError(error) ? 'warn' : 'error';
        if (suppressed !== null) log[level]({ err: error, callId, suppressed }, 'a mod_oreka call is not recorded');
      },
      onPortUnavailable: (callId, { key, port }, error) => {
        counters.portsUnavailable++;
        const suppressed = limiter.pass('port-unavailable');
        const address = formatEndpoint(port.address);
        if (suppressed !== null)
          log.warn(
            { err: error, callId, stream: key, address, suppressed },
            'a port that FreeSWITCH announced cannot be had',
          );
      },
      onOver: (call) => this.#over(call),
    };
  }

  get size(): number {
    return this.#running.size + this.#restored.size;
  }

  /** Goes on with a recording of a previous process. Returns what is to be called when the recorder ends it. */
  restore(recording: ActiveRecording, { callId }: OrekaDoorState): () => void {
    const forget = this.#restored.add(callId, recording);
    return () => {
      forget();
      this.#ended.remember(callId, Promise.resolve(recording.id));
    };
  }

  /** Takes a message to its call. Returns how to journal what is sent in answer, null if it belongs to no call. */
  receive(message: OrekaMessage, arrival: Arrival): ((sent: Uint8Array) => void) | null {
    const isRestored = message.method === 'BYE' && this.#restored.bye(message);
    // A stream that was announced since the restart has a recording beside the restored one.
    const isRestoredAlone = isRestored && !this.#running.has(message.callId);
    const call =
      message.method === 'INVITE' ? this.#invite(message, arrival) : isRestoredAlone ? null : this.#bye(message);
    if (!call && !isRestored) return null;
    const { remote, local } = arrival;
    const record = (direction: SipRecord['direction'], timeMs: number, bytes: Uint8Array) => {
      const text = {
        timeMs,
        direction,
        transport: 'udp',
        local: call?.local ?? local,
        remote,
        message: bytes,
      } as const;
      call?.journal(text);
      if (isRestored) this.#restored.journal(message.callId, text);
    };
    record('received', arrival.timeMs, arrival.datagram);
    return (sent) => record('sent', this.#parts.clock.nowMs(), sent);
  }

  /** Ends every recording. Resolves when all are closed, also those that ended by themselves just now. */
  async close(reason: EndReason): Promise<void> {
    for (const call of [...this.#running.values()]) void call.close(reason);
    await Promise.all([...this.#closing, this.#restored.close(reason)]);
  }

  #invite(message: OrekaInvite, arrival: Arrival): Call {
    const { counters } = this.#parts;
    let call = this.#running.get(message.callId);
    if (call && !call.takesInvites) {
      void call.close('ended');
      call = undefined;
    }
    // Recording was stopped and is started again; the stop was not heard.
    const before = this.#restored.hasSide(message) ? this.#restored.end(message.callId, 'ended') : null;
    if (before) this.#ended.remember(message.callId, Promise.resolve(before.recordingId));
    if (!call) {
      const { remote, local } = arrival;
      // A listener on all addresses does not see which one the datagram was sent to; an INVITE says it.
      const host = WILDCARDS.has(local.host) ? (message.media.host ?? local.host) : local.host;
      const previous = this.#ended.lastRecording(message.callId);
      const parts = { environment: this.#environment, remote, local: { host, port: local.port }, previous };
      call = new Call(message, parts);
      this.#running.set(message.callId, call);
    }
    const outcome = call.invite(message);
    if (outcome === 'duplicate') counters.duplicateInvites++;
    if (outcome === 'excessive') counters.excessiveInvites++;
    return call;
  }

  #bye(message: Extract<OrekaMessage, { method: 'BYE' }>): Call | null {
    const call = this.#running.get(message.callId) ?? null;
    if (!call?.bye(message)) this.#parts.counters.byesWithoutInvite++;
    return call;
  }

  #over(call: Call): void {
    this.#running.delete(call.callId);
    this.#ended.remember(call.callId, call.recordingId);
    // close() of a call that is over only waits.
    const closed = call.close('ended').finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
