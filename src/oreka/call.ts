// One recording of one channel: the RX and TX streams that FreeSWITCH announces under a Call-ID, until their BYEs.
//
//                   first INVITE
//                        │ its port is announced to the recorder
//                     starting ──the recorder refuses──────────────▶ ended
//       port is bound, │    ▲ └─port not to be had─▶ portless ─┐
//      recorder has it │    └──────INVITE of the other side────┤
//                      │                                       └──byeGraceMs──▶ ended
//                     running ──the recorder ends it, close───────▶ ended
//                        │ BYE (from starting and portless, too)
//                     leaving ──every announced side said it, SETTLE_MS──▶ ended
//                        └──────one did, the other is silent, byeGraceMs─▶ ended
//
// Events change what is wanted at once; the recorder is brought up to it by steps that run one after the other.
// RTP that comes after the end opens nothing again: only a new INVITE does, and that is a new recording.
import type { Clock } from '../lib/clock.ts';
import { isRecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { Timers } from '../lib/timers.ts';
import type { Warning } from '../recording/call.ts';
import type { SipRecord } from '../recording/media.ts';
import type { ActiveRecording, Recorder } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { addressOf, type CallStream, offered, sameAddress } from './call-stream.ts';
import type { OrekaBye, OrekaInvite, Side } from './datagram.ts';
import { CallTexts } from './description.ts';
import { type Endpoint, formatEndpoint } from './listener.ts';
import type { OrekaDoorState } from './restored-calls.ts';
import { noPort, oneStreamOnly } from './warnings.ts';

export type CallPhase = 'starting' | 'portless' | 'running' | 'leaving' | 'ended';

/** What this door asks of the recorder. */
export type OrekaRecorder = Pick<Recorder, 'announce' | 'start'>;

export interface CallEnvironment {
  recorder: OrekaRecorder;
  clock: Clock;
  log: Log;
  /** How long the second BYE is waited for. */
  byeGraceMs: number;
  /** Null: the recorder's own limit. */
  inactivityMs: number | null;
  onStarted: () => void;
  onRefused: (callId: string, error: unknown) => void;
  onPortUnavailable: (callId: string, stream: CallStream, error: unknown) => void;
  /** The call takes no more texts. Its recording may still be closing. */
  onOver: (call: Call) => void;
}

/** Both BYEs come within a millisecond; until then one of them is no news. Also lets reordered last packets in. */
export const SETTLE_MS = 50;
/** A recording does not collect streams without end. */
const MAX_STREAMS = 32;
const MAX_EARLY_TEXTS = 64;

export class Call {
  readonly callId: string;
  readonly remote: Endpoint;
  /** Our address, as FreeSWITCH knows it. */
  readonly local: Endpoint;
  /** The id of this recording; of the one before it if this never became one; null if there is neither. */
  readonly recordingId: Promise<string | null>;
  readonly #environment: CallEnvironment;
  readonly #texts: CallTexts;
  readonly #previous: Promise<string | null>;
  readonly #streams: CallStream[] = [];
  readonly #left = new Set<Side>();
  readonly #leftUnannounced = new Set<Side>();
  readonly #timers: Timers<'settle' | 'grace' | 'portless'>;
  readonly #named = Promise.withResolvers<string | null>();
  readonly #over = Promise.withResolvers<void>();
  #phase: CallPhase = 'starting';
  #recording: ActiveRecording | null = null;
  #refused = false;
  /** Why the recorder would not even bind a port. */
  #refusal: unknown = null;
  /** What the recorder has not been told yet. */
  #news = true;
  #warnings: Warning[] = [];
  #earlyTexts: SipRecord[] = [];
  #steps: Promise<void> = Promise.resolve();

  /** Follow with `invite` for the same message. `previous`: the id of the last recording with this Call-ID. */
  constructor(
    invite: OrekaInvite,
    parts: { environment: CallEnvironment; remote: Endpoint; local: Endpoint; previous: Promise<string | null> },
  ) {
    this.callId = invite.callId;
    this.recordingId = this.#named.promise;
    this.#environment = parts.environment;
    this.remote = parts.remote;
    this.local = parts.local;
    this.#previous = parts.previous;
    this.#texts = new CallTexts(invite);
    this.#timers = new Timers(parts.environment.clock);
  }

  get phase(): CallPhase {
    return this.#phase;
  }

  /** After a BYE, an INVITE with the same Call-ID means that recording was started again. */
  get takesInvites(): boolean {
    return this.#phase !== 'ended' && this.#phase !== 'leaving';
  }

  /** The port is requested before this returns. */
  invite(message: OrekaInvite): 'taken' | 'duplicate' | 'excessive' {
    const address = addressOf(message.media, this.local.host);
    const current = this.#streams.filter((stream) => stream.state !== 'removed');
    const side = message.side ?? guessSide(current, address.port);
    const known = current.find((stream) => stream.side === side);
    if (known && sameAddress(known.port.address, address)) return 'duplicate';
    if (this.#streams.length >= MAX_STREAMS) return 'excessive';

    const port = this.#environment.recorder.announce(address);
    const earlier = this.#streams.filter((stream) => stream.side === side).length;
    const stream: CallStream = { key: earlier === 0 ? side : `${side}#${earlier + 1}`, side, port, state: 'binding' };
    if (known) known.state = 'removed';
    this.#streams.push(stream);
    port.bound.then(
      () => this.#portBound(stream),
      (error) => this.#portFailed(stream, error),
    );
    this.#texts.add(message);
    if (this.#phase === 'portless') this.#phase = 'starting';
    this.#timers.clearAll();
    this.#news = true;
    return 'taken';
  }

  /** False if the stream that it ends was never announced. */
  bye(message: OrekaBye): boolean {
    if (this.#phase === 'ended') return false;
    const sides: Side[] = message.side === null ? [...this.#announced] : [message.side];
    const known = sides.filter((side) => this.#announced.has(side));
    for (const side of sides) if (!this.#announced.has(side)) this.#leftUnannounced.add(side);
    this.#texts.add(message);
    this.#news = true;
    if (known.length === 0) {
      // Both BYEs belong together: the channel is gone, even if the other one was lost.
      this.#timers.set('grace', this.#environment.byeGraceMs, () => this.#finish('ended'));
      return false;
    }
    for (const side of known) this.#left.add(side);
    this.#phase = 'leaving';
    this.#timers.clear('portless');
    this.#timers.set('settle', SETTLE_MS, () => this.#settled());
    return true;
  }

  /** A text of this call, received or sent. */
  journal(record: SipRecord): void {
    if (this.#recording) this.#recording.journalSip(record);
    else if (this.#earlyTexts.length < MAX_EARLY_TEXTS) this.#earlyTexts.push(record);
  }

  /** Ends the recording, however far it is. Resolves when that is done. */
  close(reason: EndReason): Promise<void> {
    this.#finish(reason);
    return this.#over.promise;
  }

  get #bound(): CallStream[] {
    return this.#streams.filter((stream) => stream.state === 'bound');
  }

  get #announced(): Set<Side> {
    return new Set(this.#streams.map((stream) => stream.side));
  }

  #settled(): void {
    if ([...this.#announced].every((side) => this.#left.has(side))) {
      this.#finish('ended');
      return;
    }
    for (const stream of this.#streams) if (this.#left.has(stream.side)) stream.state = 'removed';
    this.#tell();
    this.#timers.set('grace', this.#environment.byeGraceMs, () => this.#finish('ended'));
  }

  #portBound(stream: CallStream): void {
    if (stream.state !== 'binding') return;
    stream.state = 'bound';
    this.#tell();
  }

  #portFailed(stream: CallStream, error: unknown): void {
    if (stream.state !== 'binding' && stream.state !== 'bound') return;
    stream.state = 'unavailable';
    this.#warnings.push(noPort(stream, error));
    // A recorder that takes no recordings binds no ports either.
    if (isRecorderError(error, 'PORT_UNAVAILABLE')) this.#environment.onPortUnavailable(this.callId, stream, error);
    else this.#refusal ??= error;
    this.#tell();
  }

  #recorderEnded(reason: EndReason): void {
    if (!this.#leave()) return;
    this.#environment.log.info({ callId: this.callId, reason }, 'mod_oreka call ended by the recorder');
    this.#steps = this.#steps.then(() => this.#release());
  }

  #finish(reason: EndReason): void {
    if (!this.#leave()) return;
    this.#environment.log.info({ callId: this.callId, reason }, 'mod_oreka call ended');
    this.#step(async () => {
      const warning = oneStreamOnly(this.#announced, this.#leftUnannounced);
      if (warning) this.#warnings.push(warning);
      if (!this.#refused) await this.#apply();
    });
    this.#step(async () => this.#recording?.stop(reason));
    this.#steps = this.#steps.then(() => this.#release());
  }

  /** False if the call has ended before. */
  #leave(): boolean {
    if (this.#phase === 'ended') return false;
    this.#phase = 'ended';
    this.#timers.clearAll();
    this.#environment.onOver(this);
    return true;
  }

  #release(): void {
    for (const { port } of this.#streams) port.release();
    this.#earlyTexts = [];
    this.#named.resolve(this.#previous);
    this.#over.resolve();
  }

  #tell(): void {
    if (this.#phase === 'ended') return;
    this.#news = true;
    this.#step(() => this.#apply());
  }

  #step(step: () => Promise<void>): void {
    this.#steps = this.#steps.then(step).catch((error) => {
      this.#environment.log.error({ err: error, callId: this.callId }, 'a step of a mod_oreka call failed');
    });
  }

  async #apply(): Promise<void> {
    if (this.#recording) await this.#update(this.#recording);
    else if (!this.#refused) await this.#start();
  }

  /** Only with ports that are bound: a start that fails for one of several streams would cost the others theirs. */
  async #start(): Promise<void> {
    const continues = await this.#previous;
    const streams = this.#bound;
    if (streams.length === 0) {
      if (this.#streams.some((stream) => stream.state === 'binding')) return;
      if (this.#refusal === null) this.#wait();
      else this.#refuse(this.#refusal);
      return;
    }
    const { recorder, inactivityMs, onStarted } = this.#environment;
    this.#news = false;
    try {
      this.#recording = await recorder.start({
        source: 'oreka',
        call: this.#texts.describe(this.#sends(), continues),
        streams: streams.map(offered),
        metadata: null,
        warnings: this.#warnings.splice(0),
        peer: `udp:${formatEndpoint(this.remote)}`,
        brought: { door: { kind: 'oreka', callId: this.callId } satisfies OrekaDoorState },
        ...(inactivityMs === null ? {} : { inactivityMs }),
        onEnded: (reason) => this.#recorderEnded(reason),
      });
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.#named.resolve(this.#recording.id);
    if (this.#phase === 'starting') this.#phase = 'running';
    for (const text of this.#earlyTexts.splice(0)) this.#recording.journalSip(text);
    onStarted();
  }

  async #update(recording: ActiveRecording): Promise<void> {
    while (this.#news || this.#warnings.length > 0) {
      this.#news = false;
      const streams = this.#bound;
      const call = this.#texts.describe(this.#sends(), await this.#previous);
      try {
        await recording.update({ call, streams: streams.map(offered), warnings: this.#warnings.splice(0) });
      } catch (error) {
        if (isRecorderError(error, 'RECORDING_ENDED')) return;
        // What could be applied has been.
        const had = recording.addresses();
        const missing = streams.filter((stream) => !had.has(stream.key));
        for (const stream of missing) this.#portFailed(stream, error);
        if (missing.length === 0)
          this.#environment.log.warn({ err: error, callId: this.callId }, 'a change was applied only in part');
      }
    }
  }

  /** No port could be had so far: the other side's INVITE may still come. */
  #wait(): void {
    if (this.#phase !== 'starting') return;
    this.#phase = 'portless';
    this.#timers.set('portless', this.#environment.byeGraceMs, () => this.#finish('failed'));
  }

  #refuse(error: unknown): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#environment.onRefused(this.callId, error);
    if (this.#leave()) this.#steps = this.#steps.then(() => this.#release());
  }

  #sends(): Record<Side, string[]> {
    const keys = (side: Side) => this.#streams.filter((stream) => stream.side === side).map((stream) => stream.key);
    return { rx: keys('rx'), tx: keys('tx') };
  }
}

/** For sources that tell no side: the one with that port, else the first that is free. */
function guessSide(current: readonly CallStream[], port: number): Side {
  const samePort = current.find((stream) => stream.port.address.port === port);
  return samePort?.side ?? (current.some((stream) => stream.side === 'rx') ? 'tx' : 'rx');
}
