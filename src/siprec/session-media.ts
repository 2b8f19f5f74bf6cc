// The media side of one recording session: offers in, streams and answers out (RFC 3264 §8).
import { randomBytes } from 'node:crypto';
import type { Warning } from '../recording/call.ts';
import type { OfferedStream, StreamAddress } from '../recording/media.ts';
import type { Unwanted } from '../recording/recorder-interface.ts';
import { type AnswerState, answerOffer } from './answer.ts';
import { MediaKeys, type MediaKeysSnapshot } from './media-keys.ts';
import { type OfferedMediaLine, type Refusal, readOffer, refusalOf } from './sdp.ts';
import type { NamedStream } from './session-call.ts';
import { StreamKeys, type StreamKeysSnapshot } from './stream-keys.ts';

const REFUSAL_WARNINGS: Record<Exclude<Refusal, 'port-zero'>, string> = {
  'not-audio': 'was refused: only audio is recorded.',
  'no-formats': 'was refused: it lists no formats.',
  'dtls-not-supported': 'was refused: it asks for DTLS-SRTP; only keys in the SDP (a=crypto) are supported.',
  'srtp-without-key': 'was refused: it asks for SRTP, but none of its crypto lines can be used.',
  'transport-not-supported': 'was refused: only RTP/AVP, RTP/AVPF, RTP/SAVP and RTP/SAVPF are supported.',
};

/** The streams as the offer has them now; null if it holds no m-line, and then nothing changes. */
export interface OfferOutcome {
  streams: OfferedStream[] | null;
  warnings: Warning[];
}

/** Plain data. Holds key material: never to be logged. */
export interface SessionMediaSnapshot {
  sessionId: string;
  /** Absent in older snapshots. */
  recordingAware?: boolean;
  /** The latest offer. */
  offer: string;
  keys: StreamKeysSnapshot;
  mediaKeys: MediaKeysSnapshot;
  answer: AnswerState | null;
  /** Keys of streams that we did not want, and of those whose hold may mean nothing but that. Absent in older snapshots. */
  unwanted?: string[];
  doubtful?: string[];
  /** By m-line: what the client's answers to offers of ours have changed. */
  held?: boolean[];
}

export class SessionMedia {
  readonly #sessionId: string;
  readonly #recordingAware: boolean;
  readonly #keys: StreamKeys;
  readonly #mediaKeys: MediaKeys;
  #offer = '';
  #lines: OfferedMediaLine[] = [];
  #keyOfLine = new Map<number, string>();
  #answer: AnswerState | null = null;
  /** Keys of the streams that our latest SDP made `inactive` by our own wish. */
  #unwanted: ReadonlySet<string> = new Set();
  /** Keys of streams that the client offered as held after that: it may have meant nothing but our wish. */
  #doubtful = new Set<string>();

  /** `sessionId` is the o= session id of our answers: digits. */
  constructor(
    { sessionId, recordingAware = false }: { sessionId: string; recordingAware?: boolean },
    keys = new StreamKeys(),
    mediaKeys = new MediaKeys(randomBytes),
  ) {
    this.#sessionId = sessionId;
    this.#recordingAware = recordingAware;
    this.#keys = keys;
    this.#mediaKeys = mediaKeys;
  }

  static restore(snapshot: SessionMediaSnapshot): SessionMedia {
    const { keys, mediaKeys } = snapshot;
    const media = new SessionMedia(snapshot, new StreamKeys(keys), new MediaKeys(randomBytes, mediaKeys));
    // The known streams meet the offer that they come from: each gets its own key again.
    media.applyOffer(snapshot.offer);
    media.#answer = snapshot.answer;
    media.#unwanted = new Set(snapshot.unwanted);
    media.#doubtful = new Set(snapshot.doubtful);
    snapshot.held?.forEach((held, index) => {
      const line = media.#lines[index];
      if (line) line.held = held;
    });
    return media;
  }

  snapshot(): SessionMediaSnapshot {
    return {
      sessionId: this.#sessionId,
      recordingAware: this.#recordingAware,
      offer: this.#offer,
      keys: this.#keys.snapshot(),
      mediaKeys: this.#mediaKeys.snapshot(),
      answer: this.#answer,
      unwanted: [...this.#unwanted],
      doubtful: [...this.#doubtful],
      held: this.#lines.map(({ held }) => held),
    };
  }

  get mediaLines(): readonly OfferedMediaLine[] {
    return this.#lines;
  }

  /** The audio streams of the latest offer, with the label that each has there. */
  get streams(): NamedStream[] {
    return this.#lines.flatMap(({ index, label, preference }) => {
      const key = this.#keyOfLine.get(index);
      return key === undefined ? [] : [{ key, label, preference }];
    });
  }

  /** Our latest SDP; null before the first answer. */
  get localSdp(): string | null {
    return this.#answer?.text ?? null;
  }

  applyOffer(sdp: string): OfferOutcome {
    const { mediaLines, warnings } = readOffer(sdp);
    if (mediaLines.length === 0) return { streams: null, warnings };
    this.#offer = sdp;
    this.#lines = mediaLines;
    this.#keyOfLine = this.#keys.assign(mediaLines);
    this.#mediaKeys.offered(mediaLines);
    for (const line of mediaLines) {
      const refusal = refusalOf(line);
      if (refusal !== null && refusal !== 'port-zero') warnings.push(refusalWarning(line, refusal));
      this.#doubt(line);
    }
    const streams = this.#offered();
    if (streams.length > 1 && streams.some((stream) => stream.label === null)) {
      warnings.push({ code: 'label-missing', message: 'Streams without a label are told apart by their order.' });
    }
    return { streams, warnings };
  }

  /**
   * The answer to the latest offer. A stream without address, because no port was free, is refused with port 0;
   * one of the `unwanted` is inactive.
   */
  answer(addresses: ReadonlyMap<string, StreamAddress>, host: string, unwanted: ReadonlyMap<string, Unwanted>): string {
    const byLine = new Map<number, StreamAddress>();
    const crypto = new Map<number, string>();
    const unwantedLines = new Map<number, Unwanted>();
    for (const line of this.#lines) {
      const key = this.#keyOfLine.get(line.index);
      const address = key === undefined ? undefined : addresses.get(key);
      if (key === undefined || !address || refusalOf(line) !== null) continue;
      byLine.set(line.index, address);
      const why = unwanted.get(key);
      if (why) unwantedLines.set(line.index, why);
      const ours = this.#mediaKeys.answerFor(line, key);
      if (ours !== null) crypto.set(line.index, ours);
    }
    this.#unwanted = new Set(unwanted.keys());
    this.#answer = answerOffer({
      mediaLines: this.#lines,
      addresses: byLine,
      crypto,
      unwanted: unwantedLines,
      recordingAware: this.#recordingAware,
      host,
      sessionId: this.#sessionId,
      previous: this.#answer,
    });
    return this.#answer.text;
  }

  /** An offer of ours: the same, but what is wanted again is asked for. `acceptOffer` takes the client's answer. */
  offer(addresses: ReadonlyMap<string, StreamAddress>, host: string, unwanted: ReadonlyMap<string, Unwanted>): string {
    for (const line of this.#lines) {
      const key = this.#keyOfLine.get(line.index) ?? '';
      if (!unwanted.has(key) && this.#doubtful.delete(key)) line.held = false;
    }
    return this.answer(addresses, host, unwanted);
  }

  /** The client's answer to `offer`. Of a stream that we do not want it says nothing new. Null: nothing has changed. */
  acceptOffer(sdp: string): OfferedStream[] | null {
    const { mediaLines } = readOffer(sdp);
    if (mediaLines.length !== this.#lines.length) return null;
    for (const line of this.#lines) {
      const key = this.#keyOfLine.get(line.index);
      const answered = mediaLines[line.index];
      if (key !== undefined && answered && !this.#unwanted.has(key)) line.held = answered.held;
    }
    return this.#offered();
  }

  #offered(): OfferedStream[] {
    return this.#lines.flatMap((line) => {
      const key = this.#keyOfLine.get(line.index);
      if (key === undefined) return [];
      const srtp = this.#mediaKeys.srtpOf(line, key);
      const sending = refusalOf(line) === null && !line.held;
      return [{ label: line.label, formats: line.formats, sending, ...(srtp && { srtp }), key }];
    });
  }

  #doubt(line: OfferedMediaLine): void {
    const key = this.#keyOfLine.get(line.index);
    if (key === undefined) return;
    if (line.held && this.#unwanted.has(key)) this.#doubtful.add(key);
    else this.#doubtful.delete(key);
  }
}

function refusalWarning(line: OfferedMediaLine, refusal: Exclude<Refusal, 'port-zero'>): Warning {
  const code = refusal === 'not-audio' ? 'media-not-recorded' : refusal;
  const label = line.label === null ? '' : ` with label ${line.label}`;
  return { code, message: `The ${line.media || 'unknown'} stream${label} ${REFUSAL_WARNINGS[refusal]}` };
}
