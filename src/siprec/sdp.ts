// An SDP offer, m-line by m-line (RFC 8866, RFC 3264 §5). Bad lines are left out; the m-lines keep their number and order.
import { parse, type SessionDescription } from 'sdp-transform';
import type { CallDescription, Warning } from '../recording/call.ts';
import type { MediaFormat } from '../recording/media.ts';
import { STATIC_PAYLOAD_TYPES } from '../rtp/static-payload-types.ts';
import { type CryptoOffer, chooseCrypto, readCrypto } from './sdes.ts';

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export type RecordingPreference = NonNullable<CallDescription['preference']>;

export interface OfferedMediaLine {
  index: number;
  /** `audio`, `video`, … */
  media: string;
  port: number;
  /** As written: `RTP/AVP`. */
  protocol: string;
  /** The formats as the m-line lists them. */
  formatTokens: string[];
  /** Values of rtpmap and fmtp by format token, as written; the answer repeats them. */
  rtpmaps: Map<string, string>;
  fmtps: Map<string, string>;
  /** What the formats mean: rtpmap, else the static types of RFC 3551. Formats that mean nothing are left out. */
  formats: MediaFormat[];
  /** As written (RFC 4574), without surrounding spaces. */
  label: string | null;
  direction: Direction;
  /** True if the client says that it sends nothing now: inactive, recvonly, or an old-style hold (c=0.0.0.0). */
  held: boolean;
  /** The crypto lines that can be read (RFC 4568); the session's where the m-line has none. Key material. */
  crypto: CryptoOffer[];
  /** What a recording-aware party wishes (`a=recordpref`, RFC 7866 §7.3.2), on the m-line or for the session. */
  preference: RecordingPreference | null;
  /** A certificate fingerprint: the client would do DTLS (RFC 5763). */
  hasFingerprint: boolean;
}

/** Why an m-line cannot be recorded. */
export type Refusal = 'not-audio' | 'port-zero' | 'no-formats' | Protected | 'transport-not-supported';
type Protected = 'dtls-not-supported' | 'srtp-without-key';

const MAX_MEDIA_LINES = 256;
const MAX_CRYPTO_LINES = 16;

/** Every m-line of an offer; empty if the text holds none. Never throws. */
export function readOffer(text: string): { mediaLines: OfferedMediaLine[]; warnings: Warning[] } {
  const warnings: Warning[] = [];
  const session = parseLeniently(text);
  if (!session)
    return { mediaLines: [], warnings: [{ code: 'sdp-unreadable', message: 'The SDP could not be read.' }] };
  // sdp-transform leaves an m-line that it does not understand without fields: the line itself still tells its place.
  const sections = readSections(text);
  const lines = sections.media.map(([line = '']) => line);
  if (lines.length > MAX_MEDIA_LINES) {
    warnings.push({
      code: 'sdp-too-many-streams',
      message: `The SDP has ${lines.length} m-lines; only ${MAX_MEDIA_LINES} were read.`,
    });
  }
  const mediaLines = lines
    .slice(0, MAX_MEDIA_LINES)
    .map((line, index) => readMediaLine(session, sections, line, index));
  const labels = mediaLines.filter((line) => refusalOf(line) === null && line.label !== null).map((line) => line.label);
  for (const label of new Set(labels.filter((each, index) => labels.indexOf(each) !== index))) {
    warnings.push({
      code: 'label-repeated',
      message: `The label ${label} stands on several m-lines; they were kept apart by order.`,
    });
  }
  return { mediaLines, warnings };
}

/** Null if the m-line can be recorded. */
export function refusalOf(line: OfferedMediaLine): Refusal | null {
  if (line.media !== 'audio') return 'not-audio';
  if (line.port === 0) return 'port-zero';
  const protocol = line.protocol.toUpperCase();
  if (protocol.includes('SAVP')) {
    const wantsDtls = line.hasFingerprint || protocol.includes('TLS');
    if (chooseCrypto(line.crypto) === null) return wantsDtls ? 'dtls-not-supported' : 'srtp-without-key';
  } else if (protocol !== 'RTP/AVP' && protocol !== 'RTP/AVPF') return 'transport-not-supported';
  return line.formatTokens.length === 0 ? 'no-formats' : null;
}

function parseLeniently(text: string): SessionDescription | null {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

interface Sections {
  session: string[];
  /** Each begins with its m= line. */
  media: string[][];
}

/** The lines as they are: sdp-transform knows neither several keys in a crypto line nor a line that is not well-formed. */
function readSections(text: string): Sections {
  const sections: Sections = { session: [], media: [] };
  for (const line of text.split(/\r\n|\r|\n/)) {
    if (line.startsWith('m=')) sections.media.push([line]);
    else (sections.media.at(-1) ?? sections.session).push(line);
  }
  return sections;
}

function readCryptoLines(lines: readonly string[]): CryptoOffer[] {
  const values = lines.flatMap((line) => /^a=crypto:(.*)$/i.exec(line)?.[1] ?? []);
  return values.slice(0, MAX_CRYPTO_LINES).flatMap((value) => readCrypto(value) ?? []);
}

function readPreference(lines: readonly string[]): RecordingPreference | null {
  for (const line of lines) {
    const said = /^a=recordpref:\s*(on|off|pause|nopreference)\s*$/i.exec(line)?.[1];
    if (said) return said.toLowerCase() as RecordingPreference;
  }
  return null;
}

const isFingerprint = (line: string) => /^a=fingerprint:/i.test(line);

function readMediaLine(session: SessionDescription, sections: Sections, line: string, index: number): OfferedMediaLine {
  const parsed = session.media[index];
  const [media = '', port = '', protocol = '', ...formatTokens] = line.slice(2).trim().split(/\s+/);
  const rtpmaps = new Map<string, string>();
  for (const { payload, codec, rate, encoding } of parsed?.rtp ?? []) {
    const parts = [codec, rate, encoding].filter((part) => part !== undefined && part !== '');
    if (!rtpmaps.has(String(payload))) rtpmaps.set(String(payload), parts.join('/'));
  }
  const fmtps = new Map<string, string>();
  for (const { payload, config } of parsed?.fmtp ?? []) {
    if (!fmtps.has(String(payload))) fmtps.set(String(payload), String(config));
  }
  const label = parsed?.label === undefined ? '' : String(parsed.label).trim();
  const direction = (parsed?.direction ?? session.direction ?? 'sendrecv') as Direction;
  const stated = parsed?.direction ?? session.direction;
  const connection = parsed?.connection ?? session.connection;
  const own = sections.media[index] ?? [];
  const crypto = readCryptoLines(own);
  const nowhere = connection !== undefined && ['0.0.0.0', '::', '0:0:0:0:0:0:0:0'].includes(String(connection.ip));
  return {
    index,
    media: media.toLowerCase(),
    // `49170/2` announces two ports; the first one counts.
    port: Number.parseInt(port, 10) || 0,
    protocol,
    formatTokens,
    rtpmaps,
    fmtps,
    formats: readFormats(formatTokens, rtpmaps, fmtps),
    label: label === '' ? null : label,
    direction,
    // A client that says sendonly sends, whatever its address: some have no address, because they receive nothing.
    held: direction === 'inactive' || direction === 'recvonly' || (nowhere && stated !== 'sendonly'),
    crypto: crypto.length > 0 ? crypto : readCryptoLines(sections.session),
    preference: readPreference(own) ?? readPreference(sections.session),
    hasFingerprint: own.some(isFingerprint) || sections.session.some(isFingerprint),
  };
}

function readFormats(tokens: string[], rtpmaps: Map<string, string>, fmtps: Map<string, string>): MediaFormat[] {
  const formats: MediaFormat[] = [];
  for (const token of new Set(tokens)) {
    if (!/^\d{1,3}$/.test(token) || Number(token) > 127) continue;
    const payloadType = Number(token);
    const [name = '', rate = '', channels = ''] = (rtpmaps.get(token) ?? '').split('/');
    const known = STATIC_PAYLOAD_TYPES.get(payloadType);
    const encoding = name.toUpperCase() || known?.encoding;
    const clockRateHz = Number.parseInt(rate, 10) || (name === '' ? known?.clockRateHz : 0);
    if (!encoding || !clockRateHz) continue;
    formats.push({
      payloadType,
      encoding,
      clockRateHz,
      channels: Number.parseInt(channels, 10) || (name === '' ? (known?.channels ?? 1) : 1),
      fmtp: fmtps.get(token) ?? null,
    });
  }
  return formats;
}
