// The body of a recording request: SDP and metadata, in one of the many shapes that clients send (RFC 2046 §5.1, RFC 7866 §9.1).
import type { Warning } from '../recording/call.ts';
import { type MimePart, readParts, startsWithDelimiter } from './mime-parts.ts';
import { headerValue, type SipHeader } from './sip-headers.ts';

export interface RecordingBody {
  /** Empty if there was an SDP part with nothing in it; null if there was none. */
  sdp: string | null;
  metadata: { contentType: string; text: string } | null;
  /** Parts of other types: they are named, not kept. */
  others: { contentType: string | null; octets: number }[];
  warnings: Warning[];
}

export const MAX_BODY_OCTETS = 1024 * 1024;
const MAX_PARTS = 32;
const MAX_NESTING = 4;

const METADATA_TYPES = new Set(['application/rs-metadata+xml', 'application/rs-metadata']);

interface Reading extends RecordingBody {
  parts: number;
}

/** Of a request with its header fields. */
export function bodyOf({ headers, body }: { headers: readonly SipHeader[]; body: string }): RecordingBody {
  return readRecordingBody(headerValue(headers, 'content-type'), body);
}

/**
 * Takes a message body apart. Bad input gives warnings, never an exception.
 * Only the first SDP and the first metadata part count, but something beats nothing: an empty one gives way to a later one.
 */
export function readRecordingBody(contentType: string | null, body: string | Uint8Array): RecordingBody {
  const reading: Reading = { sdp: null, metadata: null, others: [], warnings: [], parts: 0 };
  let bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body);
  if (bytes.length > MAX_BODY_OCTETS) {
    warn(
      reading,
      'body-too-large',
      `The body has ${bytes.length} octets; only the first ${MAX_BODY_OCTETS} were read.`,
    );
    bytes = bytes.subarray(0, MAX_BODY_OCTETS);
  }
  if (bytes.length > 0) readEntity(reading, contentType, bytes, 0);
  const { sdp, metadata, others, warnings } = reading;
  return { sdp, metadata, others, warnings };
}

function readEntity(reading: Reading, contentType: string | null, bytes: Buffer, nesting: number): void {
  const type = mediaType(contentType);
  if (type?.startsWith('multipart/') || (type === null && startsWithDelimiter(bytes))) {
    if (nesting < MAX_NESTING) {
      readMultipart(reading, contentType, bytes, nesting);
      return;
    }
    warn(reading, 'multipart-too-deep', 'Multipart bodies were nested too deeply; the innermost were left unread.');
  }
  keep(reading, contentType, type, bytes);
}

function readMultipart(reading: Reading, contentType: string | null, bytes: Buffer, nesting: number): void {
  const { parts, warnings } = readParts(bytes, boundaryOf(contentType));
  reading.warnings.push(...warnings);
  // A multipart type on a body without a single delimiter: it may still be bare SDP or bare metadata.
  if (parts.length === 0) keep(reading, null, null, bytes);
  for (const part of parts) {
    if (++reading.parts > MAX_PARTS) {
      if (reading.parts === MAX_PARTS + 1) {
        warn(reading, 'too-many-parts', `The body has more than ${MAX_PARTS} parts; the rest was left unread.`);
      }
      return;
    }
    readEntity(reading, part.headers.get('content-type') ?? null, decoded(part), nesting + 1);
  }
}

/** SIP transports eight bits (RFC 3261 §7.4), but mail libraries write bodies too. */
function decoded({ headers, body }: MimePart): Buffer {
  const isBase64 = /^base64$/i.test(headers.get('content-transfer-encoding') ?? '');
  return isBase64 ? Buffer.from(body.toString('latin1'), 'base64') : body;
}

function keep(reading: Reading, contentType: string | null, type: string | null, bytes: Buffer): void {
  const text = decode(reading, bytes);
  const kind = kindOf(type, text);
  if (kind === 'sdp') {
    if (type !== 'application/sdp') noteType(reading, contentType, 'SDP');
    if (reading.sdp) second(reading, contentType, bytes, 'SDP');
    else reading.sdp = text.trim() === '' ? '' : text.trimStart();
  } else if (kind === 'metadata') {
    if (!type || !METADATA_TYPES.has(type)) noteType(reading, contentType, 'metadata');
    if (reading.metadata && reading.metadata.text.trim() !== '') second(reading, contentType, bytes, 'metadata');
    else reading.metadata = { contentType: contentType ?? 'application/rs-metadata+xml', text };
  } else reading.others.push({ contentType, octets: bytes.length });
}

/** What a body is: its type decides, unless its first characters contradict it. */
function kindOf(type: string | null, text: string): 'sdp' | 'metadata' | 'other' {
  const start = text.trimStart();
  const looksLikeSdp = /^v=0\s*[\r\n]/.test(start);
  const looksLikeMetadata = start.startsWith('<') && /<[^<>]{0,200}recording/i.test(start.slice(0, 4096));
  if (type === 'application/sdp') return looksLikeMetadata ? 'metadata' : 'sdp';
  if (type !== null && METADATA_TYPES.has(type)) return looksLikeSdp ? 'sdp' : 'metadata';
  if (looksLikeSdp) return 'sdp';
  return looksLikeMetadata ? 'metadata' : 'other';
}

function decode(reading: Reading, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    warn(reading, 'not-utf8', 'A body part is not valid UTF-8 and was read as ISO 8859-1.');
    return bytes.toString('latin1');
  }
}

/** `application/sdp` of `Application/SDP; charset=utf-8`; null if there is no type to speak of. */
function mediaType(contentType: string | null): string | null {
  return /^\s*([^\s;,/]+\/[^\s;,]+)/.exec(contentType ?? '')?.[1]?.toLowerCase() ?? null;
}

/** The boundary parameter wherever it stands among the others, quoted or not; null without one. */
export function boundaryOf(contentType: string | null): string | null {
  const match = /[;\s,]boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\r\n]*))/i.exec(contentType ?? '');
  if (!match) return null;
  const boundary = match[1] !== undefined ? match[1].replace(/\\(.)/g, '$1') : (match[2] ?? '');
  // Boundaries never end in white space (RFC 2046 §5.1.1); parameters of real clients do.
  return boundary.trimEnd() === '' ? null : boundary.trimEnd();
}

function noteType(reading: Reading, contentType: string | null, what: string): void {
  const said = contentType === null ? 'no Content-Type' : `the Content-Type ${contentType.slice(0, 100)}`;
  warn(reading, 'part-type-wrong', `A body part with ${said} was taken as ${what} by its content.`);
}

function second(reading: Reading, contentType: string | null, bytes: Buffer, what: string): void {
  reading.others.push({ contentType, octets: bytes.length });
  warn(reading, 'part-repeated', `The body has more than one ${what} part; the first was used.`);
}

function warn(reading: Reading, code: string, message: string): void {
  reading.warnings.push({ code, message });
}
