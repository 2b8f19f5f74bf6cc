// The media side of one recording session: offers in, streams and answers out (RFC 3264 §8).
import type { Warning } from '../recording/call.ts';
import type { OfferedStream, StreamAddress } from '../recording/media.ts';
import { type AnswerState, answerOffer } from './answer.ts';
import { type OfferedMediaLine, type Refusal, readOffer, refusalOf } from './sdp.ts';
import type { NamedStream } from './session-call.ts';
import { StreamKeys, type StreamKeysSnapshot } from './stream-keys.ts';

const REFUSAL_WARNINGS: Record<Exclude<Refusal, 'port-zero'>, string> = {
  'not-audio': 'was refused: only audio is recorded.',
  'no-formats': 'was refused: it lists no formats.',
  'srtp-not-supported': 'was refused: SRTP is not supported.',
  'transport-not-supported': 'was refused: only RTP/AVP and RTP/AVPF are supported.',
};

/** The streams as the offer has them now; null if it holds no m-line, and then nothing changes. */
export interface OfferOutcome {
  streams: OfferedStream[] | null;
  warnings: Warning[];
}

export interface SessionMediaSnapshot {
  sessionId: string;
  /** The latest offer. */
  offer: string;
  keys: StreamKeysSnapshot;
  answer: AnswerState | null;
}

export class SessionMedia {
  readonly #sessionId: string;
  readonly #keys: StreamKeys;
  #offer = '';
  #lines: OfferedMediaLine[] = [];
  #keyOfLine = new Map<number, string>();
  #answer: AnswerState | null = null;

  /** `sessionId` is the o= session id of our answers: digits. */
  constructor(sessionId: string, keys = new StreamKeys()) {
    this.#sessionId = sessionId;
    this.#keys = keys;
  }

  static restore(snapshot: SessionMediaSnapshot): SessionMedia {
    const media = new SessionMedia(snapshot.sessionId, new StreamKeys(snapshot.keys));
    // The known streams meet the offer that they come from: each gets its own key again.
    media.applyOffer(snapshot.offer);
    media.#answer = snapshot.answer;
    return media;
  }

  snapshot(): SessionMediaSnapshot {
    return { sessionId: this.#sessionId, offer: this.#offer, keys: this.#keys.snapshot(), answer: this.#answer };
  }

  get mediaLines(): readonly OfferedMediaLine[] {
    return this.#lines;
  }

  /** The audio streams of the latest offer, with the label that each has there. */
  get streams(): NamedStream[] {
    return this.#lines.flatMap(({ index, label }) => {
      const key = this.#keyOfLine.get(index);
      return key === undefined ? [] : [{ key, label }];
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
    const streams: OfferedStream[] = [];
    for (const line of mediaLines) {
      const refusal = refusalOf(line);
      if (refusal !== null && refusal !== 'port-zero') warnings.push(refusalWarning(line, refusal));
      const key = this.#keyOfLine.get(line.index);
      if (key === undefined) continue;
      streams.push({ label: line.label, formats: line.formats, sending: refusal === null && !line.held, key });
    }
    if (streams.length > 1 && streams.some((stream) => stream.label === null)) {
      warnings.push({ code: 'label-missing', message: 'Streams without a label are told apart by their order.' });
    }
    return { streams, warnings };
  }

  /** The answer to the latest offer. A stream without address, because no port was free, is refused with port 0. */
  answer(addresses: ReadonlyMap<string, StreamAddress>, host: string): string {
    const byLine = new Map<number, StreamAddress>();
    for (const line of this.#lines) {
      const key = this.#keyOfLine.get(line.index);
      const address = key === undefined ? undefined : addresses.get(key);
      if (address && refusalOf(line) === null) byLine.set(line.index, address);
    }
    this.#answer = answerOffer({
      mediaLines: this.#lines,
      addresses: byLine,
      host,
      sessionId: this.#sessionId,
      previous: this.#answer,
    });
    return this.#answer.text;
  }
}

function refusalWarning(line: OfferedMediaLine, refusal: Exclude<Refusal, 'port-zero'>): Warning {
  const code = refusal === 'not-audio' ? 'media-not-recorded' : refusal;
  const label = line.label === null ? '' : ` with label ${line.label}`;
  return { code, message: `The ${line.media || 'unknown'} stream${label} ${REFUSAL_WARNINGS[refusal]}` };
}
