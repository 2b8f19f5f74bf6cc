// What one recording session brings: the media and the metadata of its messages, sorted to the recordings of the
// communication sessions in it. Which message may arrive when, and how it is answered, is the session's business.
import type { Clock } from '../lib/clock.ts';
import { isRecorderError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { RawMetadata, Warning } from '../recording/call.ts';
import type { OfferedStream, SipRecord, StreamAddress } from '../recording/media.ts';
import type { Unwanted } from '../recording/recorder-interface.ts';
import type { EndReason } from '../recording/session-state.ts';
import { readMetadata } from './metadata/read.ts';
import type { RecordingBody } from './multipart.ts';
import { offerForClient } from './own-offer.ts';
import type { Recordings } from './recordings.ts';
import type { OfferedMediaLine } from './sdp.ts';
import { type BroughtCall, SessionCall, type SessionCallSnapshot } from './session-call.ts';
import { type OfferOutcome, SessionMedia, type SessionMediaSnapshot } from './session-media.ts';
import { peerOf, type SessionOrigin, sessionKey } from './session-origin.ts';
import type { RecordingHold, RestoredHold } from './shared-recording.ts';
import { headerList } from './sip-headers.ts';

export interface SessionContentParts {
  recordings: Recordings;
  clock: Clock;
  log: Log;
  origin: SessionOrigin;
  /** The last recording was ended by the recorder. */
  onEnded: (reason: EndReason) => void;
  /** Which streams we want has changed: the client is to be told by `offer`. */
  onUnwantedChanged: () => void;
  /** Of the whole session. */
  snapshot: () => unknown;
}

export interface SessionContentSnapshot {
  media: SessionMediaSnapshot;
  call: SessionCallSnapshot;
  /** Which recording has which communication session, and the keys of its streams. */
  held: { recordingId: string; sessionId: string | null; streams: OfferedStream[] }[];
  refused: (string | null)[];
}

/** A communication session of ours and its recording. */
interface Held {
  sessionId: string | null;
  streams: OfferedStream[];
  hold: RecordingHold;
}

/** A message's offer and metadata as they were understood. */
interface Change {
  /** Null: the streams are as before. */
  streams: OfferedStream[] | null;
  metadata: RawMetadata | null;
  warnings: Warning[];
  atMs: number;
}

export class SessionContent {
  readonly #parts: SessionContentParts;
  readonly #media: SessionMedia;
  readonly #call: SessionCall;
  #held: Held[] = [];
  #streams: OfferedStream[] = [];
  #latestMetadata: RawMetadata | null = null;
  /** Communication sessions whose recording the recorder has ended: they are not recorded again. */
  readonly #refused = new Set<string | null>();

  constructor(parts: SessionContentParts, media?: SessionMedia, call?: SessionCall) {
    this.#parts = parts;
    this.#media = media ?? newMedia(parts);
    this.#call = call ?? new SessionCall(parts.origin);
  }

  /** `restored` are its holds on those recordings that are still there. */
  static restore(
    parts: SessionContentParts,
    snapshot: SessionContentSnapshot,
    restored: readonly RestoredHold[],
  ): SessionContent {
    const call = new SessionCall(parts.origin, snapshot.call);
    const content = new SessionContent(parts, SessionMedia.restore(snapshot.media), call);
    for (const { hold, give } of restored) {
      const known = snapshot.held.find(({ recordingId }) => recordingId === hold.recordingId);
      if (!known) continue;
      const held = { sessionId: known.sessionId, streams: known.streams, hold };
      content.#held.push(held);
      give({
        ended: (reason) => content.#endedByRecorder(held, reason),
        unwantedChanged: parts.onUnwantedChanged,
        snapshot: parts.snapshot,
      });
    }
    for (const sessionId of snapshot.refused) content.#refused.add(sessionId);
    content.#streams = content.#held.flatMap(({ streams }) => streams);
    return content;
  }

  snapshot(): SessionContentSnapshot {
    const held = this.#held.map(({ sessionId, streams, hold }) => ({
      recordingId: hold.recordingId,
      sessionId,
      streams,
    }));
    return { media: this.#media.snapshot(), call: this.#call.snapshot(), held, refused: [...this.#refused] };
  }

  get recordingIds(): string[] {
    return this.#held.map(({ hold }) => hold.recordingId);
  }

  get mediaLines(): readonly OfferedMediaLine[] {
    return this.#media.mediaLines;
  }

  get hasMetadata(): boolean {
    return this.#latestMetadata !== null;
  }

  /** Our latest SDP; null before the first answer. */
  get localSdp(): string | null {
    return this.#media.localSdp;
  }

  /** Takes in the SDP of a message that may carry an offer; null if it has none. To be followed by `begin` or `change`. */
  readOffer(body: RecordingBody): OfferOutcome | null {
    return body.sdp === null ? null : this.#media.applyOffer(body.sdp);
  }

  /** What we ask of a client that leaves the offer to us; `answer` makes our SDP of it. To be followed by `begin`. */
  offerOurselves(body: RecordingBody): OfferOutcome {
    const labels = body.metadata ? readMetadata(body.metadata.text).metadata.streams.map(({ label }) => label) : [];
    return this.#media.applyOffer(offerForClient(labels.filter((label) => label !== null)));
  }

  /** The answer to the latest offer. `host` is our media address. */
  answer(host: string): string {
    return this.#media.answer(this.#addresses(), host, this.#unwanted());
  }

  /** An offer of ours, with the streams as we want them now; null if the client has been told just that. */
  offer(host: string): string | null {
    const told = this.#media.localSdp;
    const offer = this.#media.offer(this.#addresses(), host, this.#unwanted());
    return offer === told ? null : offer;
  }

  /** The client's answer to `offer`. */
  async acceptOffer(body: RecordingBody, atMs: number): Promise<void> {
    const streams = body.sdp === null ? null : this.#media.acceptOffer(body.sdp);
    if (streams) await this.change({ ...body, sdp: null }, { streams, warnings: [] }, atMs);
  }

  /** Once for each message. */
  async warn(warning: Warning): Promise<void> {
    const warnings = this.#call.news([warning]);
    if (warnings.length > 0) await Promise.all(this.#held.map((held) => this.#update(held, { warnings })));
  }

  /** Starts or joins the recording of each communication session. Rejects as `Recorder.start` does if there is none. */
  async begin(body: RecordingBody, offer: OfferOutcome | null, atMs: number): Promise<void> {
    const change = this.#understand(body, offer, atMs);
    if (!body.metadata) change.warnings.unshift(...this.#call.news([noMetadata()]));
    const [first, ...others] = this.#call.describe(this.#media.streams, new Map());
    if (first) await this.#bring(first, change);
    for (const brought of others) await this.#bringFurther(brought, change);
  }

  /** False if the last recording is over. Anything else that fails becomes a warning: the other streams go on. */
  async change(body: RecordingBody, offer: OfferOutcome | null, atMs: number): Promise<boolean> {
    const change = this.#understand(body, offer, atMs);
    if (change.streams || change.metadata) await this.#reconcile(change);
    else await Promise.all(this.#held.map((held) => this.#update(held, { warnings: change.warnings })));
    return this.#held.length > 0 || this.#refused.size === 0;
  }

  /** Metadata of the request that ends the session. What it says is on its way to the recordings when this returns. */
  lastWords(body: RecordingBody, atMs: number): void {
    void this.change(body, null, atMs);
  }

  journalSip(record: SipRecord): void {
    for (const { hold } of this.#held) hold.journalSip(record);
  }

  noteChanged(): void {
    for (const { hold } of this.#held) hold.noteChanged();
  }

  leave(reason: EndReason, reasons: string[] = []): void {
    for (const { hold } of this.#held.splice(0)) hold.leave(reason, reasons);
  }

  /** The session was answered but never acknowledged. */
  lapse(reasons: string[]): void {
    for (const { hold } of this.#held.splice(0)) hold.lapse(reasons);
  }

  #addresses(): Map<string, StreamAddress> {
    return new Map(this.#held.flatMap(({ hold }) => [...hold.addresses()]));
  }

  #unwanted(): Map<string, Unwanted> {
    return new Map(this.#held.flatMap(({ hold }) => [...hold.unwanted()]));
  }

  #understand(body: RecordingBody, offer: OfferOutcome | null, atMs: number): Change {
    const metadata = body.metadata ? this.#call.apply(body.metadata, atMs) : null;
    this.#latestMetadata = metadata?.raw ?? this.#latestMetadata;
    this.#streams = offer?.streams ?? this.#streams;
    const warnings = [...body.warnings, ...(offer?.warnings ?? []), ...(metadata?.warnings ?? [])];
    return {
      streams: offer?.streams ?? null,
      metadata: metadata?.raw ?? null,
      warnings: this.#call.news(warnings),
      atMs,
    };
  }

  /** The communication sessions as they are now against those that are held. */
  async #reconcile(change: Change): Promise<void> {
    const pins = this.#pins(change.streams !== null);
    const brought = this.#call.describe(this.#media.streams, pins);
    const open = brought.filter(({ sessionId }) => !this.#refused.has(sessionId));
    const take = (index: number) => (index < 0 ? undefined : open.splice(index, 1)[0]);
    const pairs = this.#held.map((held) => ({
      held,
      now: take(open.findIndex(({ sessionId }) => sessionId === held.sessionId)),
    }));
    for (const pair of pairs) {
      // It has another id now, or has one at last: nothing said that it ended.
      if (!pair.now && !this.#call.hasEnded(pair.held.sessionId)) pair.now = take(0);
    }
    for (const further of open) {
      // A session may outlast its calls and wait for the next one.
      if (!this.#call.hasEnded(further.sessionId)) await this.#bringFurther(further, change);
    }
    await Promise.all(pairs.map(({ held, now }) => this.#continue(held, now, change)));
  }

  async #continue(held: Held, brought: BroughtCall | undefined, { streams, metadata, warnings }: Change) {
    if (streams) held.streams = brought ? streamsOf(brought, streams) : [];
    if (brought) held.sessionId = brought.sessionId;
    const contribution = brought ? { contribution: { call: brought.call, streams: held.streams } } : {};
    await this.#update(held, { ...contribution, warnings, ...(metadata ? { metadata } : {}) });
    const silent = !held.streams.some(({ sending }) => sending);
    if (silent && this.#call.hasEnded(held.sessionId)) {
      this.#held = this.#held.filter((other) => other !== held);
      held.hold.leave('ended', []);
    }
  }

  async #bring(brought: BroughtCall, { metadata, warnings, atMs }: Change): Promise<void> {
    const streams = streamsOf(brought, this.#streams);
    let held: Held | null = null;
    const hold = await this.#parts.recordings.bring({
      key: sessionKey(this.#parts.origin),
      sipCallId: this.#parts.origin.callId,
      peer: peerOf(this.#parts.origin),
      startMs: atMs,
      contribution: { call: brought.call, streams },
      metadata: metadata ?? this.#latestMetadata,
      warnings,
      owner: {
        ended: (reason) => {
          if (held) this.#endedByRecorder(held, reason);
        },
        unwantedChanged: this.#parts.onUnwantedChanged,
        snapshot: this.#parts.snapshot,
      },
    });
    held = { sessionId: brought.sessionId, streams, hold };
    this.#held.push(held);
  }

  /** Beside those that run: if it cannot be recorded, the others say so. */
  async #bringFurther(brought: BroughtCall, change: Change): Promise<void> {
    try {
      await this.#bring(brought, change);
    } catch (error) {
      this.#parts.log.warn(
        { err: error, sessionId: brought.sessionId },
        'a further communication session is not recorded',
      );
      change.warnings.push({
        code: 'communication-session-not-recorded',
        message: `A further communication session of the same recording session could not be recorded: ${textOf(error)}`,
      });
    }
  }

  async #update(held: Held, change: Parameters<RecordingHold['update']>[0]): Promise<void> {
    try {
      await held.hold.update(change);
    } catch (error) {
      if (isRecorderError(error, 'RECORDING_ENDED')) return this.#lost(held);
      this.#parts.log.warn({ err: error }, 'a change of the session was applied only in part');
      const message = `A change was applied only in part: ${textOf(error)}`;
      const warnings = this.#call.news([{ code: 'change-incomplete', message }]);
      if (warnings.length > 0) await held.hold.update({ warnings }).catch(() => {});
    }
  }

  /** Without an offer no stream moves: its port belongs to the recording that it is in. */
  #pins(offered: boolean): Map<string, string> {
    const pins = new Map<string, string>();
    if (offered) return pins;
    for (const { sessionId, streams } of this.#held)
      if (sessionId !== null) for (const { key } of streams) pins.set(key, sessionId);
    return pins;
  }

  #endedByRecorder(held: Held, reason: EndReason): void {
    this.#lost(held);
    if (this.#held.length === 0) this.#parts.onEnded(reason);
  }

  #lost(held: Held): void {
    this.#held = this.#held.filter((other) => other !== held);
    this.#refused.add(held.sessionId);
  }
}

function newMedia({ clock, origin }: SessionContentParts): SessionMedia {
  const tags = ['supported', 'require'].flatMap((name) => headerList(origin.headers, name));
  const recordingAware = tags.some((tag) => tag.toLowerCase() === 'record-aware');
  return new SessionMedia({ sessionId: String(Math.floor(clock.wallMs())), recordingAware });
}

function streamsOf(brought: BroughtCall, streams: readonly OfferedStream[]): OfferedStream[] {
  return streams.filter(({ key }) => brought.streamKeys.includes(key));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function noMetadata(): Warning {
  return {
    code: 'metadata-missing',
    message: 'The INVITE carried no metadata: the parties were taken from its headers.',
  };
}
