// One recording session read out of captured SIP: who takes part, where each stream was sent, when it was held.

import type { Warning } from '../recording/call.ts';
import { declareFormats } from '../recording/declared-formats.ts';
import type { SessionEvent, SessionState, SessionStream } from '../recording/session-state.ts';
import { describeCall } from '../siprec/call-description.ts';
import { judgeInvite } from '../siprec/invite.ts';
import { mergeMetadata } from '../siprec/metadata/merge.ts';
import type { RecordingMetadata } from '../siprec/metadata/model.ts';
import { readMetadata } from '../siprec/metadata/read.ts';
import { readRecordingBody } from '../siprec/multipart.ts';
import { type OfferedMediaLine, readOffer } from '../siprec/sdp.ts';
import { bodyOfSipMessage, headerValue, readSipHeaders, type SipHeader } from '../siprec/sip-headers.ts';
import { StreamKeys } from '../siprec/stream-keys.ts';
import type { CapturedSip, Endpoint } from './captured.ts';

/** A recording session as far as the capture tells. */
export interface CapturedSession {
  startMs: number;
  /** The BYE; null if the capture has none. */
  endMs: number | null;
  call: SessionState['call'];
  streams: SessionStream[];
  /** Where a stream's packets were sent to, by `host port`: its stream id. */
  destinations: Map<string, string>;
  events: SessionEvent[];
  metadata: SessionState['metadata'];
  warnings: Warning[];
  peer: string;
  messages: CapturedSip[];
}

interface Read {
  sip: CapturedSip;
  headers: SipHeader[];
  /** Of the request, or of the one that it answers. */
  method: string;
  sequence: number;
  /** 0 for a request. */
  status: number;
}

/** Every recording session of the capture, in order. Dialogs that would not be recorded are left out. */
export function capturedSessions(messages: readonly CapturedSip[]): CapturedSession[] {
  const dialogs = new Map<string, Read[]>();
  for (const sip of messages) {
    const read = readMessage(sip);
    if (!read) continue;
    const callId = headerValue(read.headers, 'call-id') ?? '';
    dialogs.set(callId, [...(dialogs.get(callId) ?? []), read]);
  }
  return [...dialogs.values()].map(sessionOf).filter((session) => session !== null);
}

function readMessage(sip: CapturedSip): Read | null {
  const headers = readSipHeaders(sip.text);
  const cseq = /^(\d+)\s+(\S+)/.exec(headerValue(headers, 'cseq') ?? '');
  if (!cseq) return null;
  const status = Number(/^SIP\/2\.0 (\d{3})/.exec(sip.text)?.[1] ?? 0);
  return { sip, headers, method: cseq[2]!.toUpperCase(), sequence: Number(cseq[1]), status };
}

function sessionOf(messages: Read[]): CapturedSession | null {
  const invite = messages.find(({ method, status }) => method === 'INVITE' && status === 0);
  if (!invite) return null;
  const body = bodyOf(invite);
  if (judgeInvite(invite.headers, body, readOffer(body.sdp ?? '').mediaLines, false)) return null;
  const reading = new SessionReading(invite);
  for (const message of messages) reading.take(message);
  return reading.session(messages.map(({ sip }) => sip));
}

class SessionReading {
  readonly #invite: Read;
  readonly #keys = new StreamKeys();
  readonly #offers = new Map<string, OfferedMediaLine[]>();
  readonly #streams: SessionStream[] = [];
  readonly #destinations = new Map<string, string>();
  readonly #events: SessionEvent[] = [];
  readonly #metadataTexts: SessionState['metadata'] = [];
  readonly #warnings: Warning[] = [];
  #metadata: RecordingMetadata | null = null;
  #labels: string[] = [];
  #startMs: number;
  #endMs: number | null = null;

  constructor(invite: Read) {
    this.#invite = invite;
    this.#startMs = invite.sip.timeMs;
  }

  take(message: Read): void {
    const { method, status, sequence, sip } = message;
    const key = `${sequence} ${method}`;
    if (method === 'BYE') this.#endMs ??= sip.timeMs;
    if (status === 0 && method !== 'BYE') {
      const body = bodyOf(message);
      this.#takeMetadata(body.metadata, sip.timeMs);
      if (body.sdp && (method === 'INVITE' || method === 'UPDATE'))
        this.#offers.set(key, readOffer(body.sdp).mediaLines);
    } else if (status >= 200 && status < 300 && (method === 'INVITE' || method === 'UPDATE')) {
      const offer = this.#offers.get(key);
      this.#offers.delete(key);
      if (offer) this.#takeAnswer(offer, bodyOf(message).sdp ?? '', sip.timeMs);
    }
  }

  session(messages: CapturedSip[]): CapturedSession {
    const { headers, sip } = this.#invite;
    const call = describeCall({
      sipCallId: headerValue(headers, 'call-id') ?? '',
      requestUri: sip.text.split(' ')[1] ?? '',
      headers,
      metadata: this.#metadata,
      labels: this.#labels,
    });
    if (this.#streams.length === 0) {
      this.#warnings.push({
        code: 'answer-missing',
        message: 'The capture holds no answer that says where media was sent.',
      });
    }
    const { transport, source } = sip;
    return {
      startMs: this.#startMs,
      endMs: this.#endMs,
      call,
      streams: this.#streams,
      destinations: this.#destinations,
      events: this.#events,
      metadata: this.#metadataTexts,
      warnings: this.#warnings,
      peer: `${transport}:${source.host.includes(':') ? `[${source.host}]` : source.host}:${source.port}`,
      messages,
    };
  }

  #takeMetadata(metadata: { contentType: string; text: string } | null, timeMs: number): void {
    if (!metadata || this.#metadataTexts.at(-1)?.text === metadata.text) return;
    this.#metadataTexts.push({ receivedMs: Math.floor(timeMs), ...metadata });
    const read = readMetadata(metadata.text);
    this.#warnings.push(...read.warnings);
    if (read.metadata.participants.length > 0 || !this.#metadata) {
      this.#metadata = mergeMetadata(this.#metadata, read.metadata);
    }
  }

  #takeAnswer(offer: OfferedMediaLine[], answer: string, timeMs: number): void {
    const keys = this.#keys.assign(offer);
    const answered = answeredAddresses(answer);
    this.#labels = offer.map(({ label }) => label).filter((label) => label !== null);
    for (const stream of this.#streams) {
      if (stream.present && ![...keys.values()].includes(stream.key)) {
        stream.present = false;
        this.#events.push({ type: 'stream-removed', atMs: timeMs, streamId: stream.streamId });
      }
    }
    for (const line of offer) {
      const address = answered[line.index];
      const key = keys.get(line.index);
      if (key === undefined || !address || address.port === 0) continue;
      const stream = this.#stream(key, line, address, timeMs);
      this.#destinations.set(`${address.host} ${address.port}`, stream.streamId);
    }
  }

  #stream(key: string, line: OfferedMediaLine, { port }: Endpoint, timeMs: number): SessionStream {
    let stream = this.#streams.find((known) => known.key === key && known.present);
    if (!stream) {
      const streamId = `s${this.#streams.length}`;
      const address = { rtpPort: port, rtcpPort: port + 1 };
      stream = { streamId, key, label: line.label, formats: [], receiving: true, address, present: true };
      if (this.#streams.length > 0 && timeMs > this.#startMs + 1000) {
        this.#events.push({ type: 'stream-added', atMs: timeMs, streamId });
      }
      this.#streams.push(stream);
    }
    stream.formats = declareFormats(stream.formats, line.formats, timeMs);
    if (stream.receiving === line.held) {
      stream.receiving = !line.held;
      this.#events.push({ type: line.held ? 'hold' : 'resume', atMs: timeMs, streamId: stream.streamId });
    }
    return stream;
  }
}

/** Address and port by m-line; the m-line's own c= goes before the session's. */
function answeredAddresses(sdp: string): Endpoint[] {
  const addresses: Endpoint[] = [];
  let sessionHost = '';
  for (const line of sdp.split(/\r\n|\r|\n/)) {
    const connection = /^c=IN IP[46] ([^\s/]+)/.exec(line)?.[1];
    const media = /^m=\S+ (\d+)/.exec(line);
    if (media) addresses.push({ host: sessionHost, port: Number(media[1]) });
    else if (connection && addresses.length > 0) addresses.at(-1)!.host = connection;
    else if (connection) sessionHost = connection;
  }
  return addresses;
}

function bodyOf({ headers, sip }: Read) {
  return readRecordingBody(headerValue(headers, 'content-type'), bodyOfSipMessage(sip.text));
}
