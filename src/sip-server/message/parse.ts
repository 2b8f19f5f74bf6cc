// Reading a SIP message from bytes (RFC 3261 §7, §18.3): tolerant where recording clients are sloppy, bounded, never throws.
import { isUtf8 } from 'node:buffer';
import { isToken } from './header-names.ts';
import { SipMessage, type StartLine } from './message.ts';
import { trimLws } from './scan.ts';

export interface MessageLimits {
  /** Start line and headers together. */
  headBytes: number;
  headerLines: number;
  bodyBytes: number;
}

export const DEFAULT_MESSAGE_LIMITS: MessageLimits = { headBytes: 65_536, headerLines: 256, bodyBytes: 1_048_576 };

export type MalformedReason =
  | 'empty' // nothing but line breaks
  | 'start-line'
  | 'version' // a SIP version other than 2.0
  | 'nul' // a NUL byte in the head
  | 'no-empty-line' // the head does not end
  | 'head-too-large'
  | 'too-many-headers'
  | 'missing-header' // Via, From, To, Call-ID or CSeq is missing or unreadable
  | 'duplicate-header' // one of them, or Content-Length, stands there twice with different values
  | 'content-length'
  | 'truncated' // the body is shorter than Content-Length
  | 'body-too-large';

export interface Malformed {
  malformed: MalformedReason;
  /** The request, as far as it was read, if an error response can be built from it; never an ACK. */
  answerable: SipMessage | null;
}

/** `unreadableLines`: header lines without a colon or with an impossible name, which were left out. */
export type ParseResult = { message: SipMessage; unreadableLines: number } | Malformed;

const LF = 0x0a;
const CR = 0x0d;

/**
 * The first empty line at or after `from`, line breaks being CRLF or bare LF. `resume` is where a search in the same
 * bytes, grown, may go on. A message that begins with an empty line must have it skipped before.
 */
export function findHeadEnd(bytes: Buffer, from: number): { headEnd: number; bodyStart: number } | { resume: number } {
  let at = from;
  for (;;) {
    const lf = bytes.indexOf(LF, at);
    if (lf < 0) return { resume: bytes.length };
    if (bytes[lf + 1] === LF) return { headEnd: lf + 1, bodyStart: lf + 2 };
    if (bytes[lf + 1] === CR && bytes[lf + 2] === LF) return { headEnd: lf + 1, bodyStart: lf + 3 };
    if (lf + 2 >= bytes.length) return { resume: lf };
    at = lf + 1;
  }
}

/**
 * Reads one message. Without Content-Length the body is the rest of `bytes`; with one, more bytes than that are cut
 * off and fewer are malformed. Leading line breaks (keep-alives) are skipped.
 */
export function parseMessage(bytes: Buffer, limits: MessageLimits = DEFAULT_MESSAGE_LIMITS): ParseResult {
  let start = 0;
  while (bytes[start] === CR || bytes[start] === LF) start++;
  if (start === bytes.length) return { malformed: 'empty', answerable: null };
  const split = findHeadEnd(bytes, start);
  const found = 'headEnd' in split ? split : { headEnd: bytes.length, bodyStart: bytes.length };
  const headIsTooLarge = found.headEnd - start > limits.headBytes;
  const headBytes = bytes.subarray(start, headIsTooLarge ? start + limits.headBytes : found.headEnd);
  if (headBytes.includes(0)) return { malformed: 'nul', answerable: null };

  const encoding = isUtf8(headBytes) ? 'utf8' : 'latin1';
  const lines = unfold(headBytes.toString(encoding));
  const startLine = parseStartLine(lines[0]!);
  if (!startLine) return { malformed: 'start-line', answerable: null };
  const rest = bytes.subarray(found.bodyStart);
  const message = new SipMessage(startLine.start, undefined, encoding);
  const read = readHeaders(message, lines, limits.headerLines);

  const fault =
    (headIsTooLarge && 'head-too-large') ||
    (!('headEnd' in split) && 'no-empty-line') ||
    startLine.fault ||
    read.fault ||
    identityFault(message) ||
    setBody(message, rest, limits.bodyBytes);
  if (fault) return { malformed: fault, answerable: isAnswerable(message) ? message : null };
  return { message, unreadableLines: read.unreadableLines };
}

/** Content-Length as the message gives it: undefined without one, null if it cannot be believed. */
export function contentLength(message: SipMessage): number | undefined | null {
  const values = message.headerValues('Content-Length');
  if (values.length === 0) return undefined;
  if (values.some((value) => value !== values[0])) return null;
  return /^[0-9]{1,10}$/.test(values[0]!) ? Number(values[0]) : null;
}

/** The lines of a head, folded ones joined by one space (§7.3.1). Linear also for a head that is all folds. */
function unfold(head: string): string[] {
  const lines: string[] = [];
  let parts: string[] = [];
  for (const raw of head.split('\n')) {
    // A CR inside a line is neither a line break nor printable: it counts as white space.
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const isFolded = line.startsWith(' ') || line.startsWith('\t');
    if (!isFolded && parts.length > 0) {
      lines.push(parts.join(' '));
      parts = [];
    }
    parts.push(trimLws(line));
  }
  lines.push(parts.join(' '));
  return lines;
}

function parseStartLine(line: string): { start: StartLine; fault: MalformedReason | null } | null {
  const status = /^SIP\/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+(.*))?$/i.exec(line);
  if (status) {
    return { start: { kind: 'response', statusCode: Number(status[1]), reasonPhrase: status[2] ?? '' }, fault: null };
  }
  const first = line.search(/[ \t]/);
  const version = /[ \t]SIP\/([0-9]{1,4})\.([0-9]{1,4})$/i.exec(line);
  if (first <= 0 || !version || !isToken(line.slice(0, first))) return null;
  const requestUri = trimLws(line.slice(first, version.index));
  const start: StartLine = { kind: 'request', method: line.slice(0, first), requestUri: withoutBrackets(requestUri) };
  if (Number(version[1]) !== 2 || Number(version[2]) !== 0) return { start, fault: 'version' };
  return { start, fault: requestUri === '' || /\s/.test(requestUri) ? 'start-line' : null };
}

/** A Request-URI in angle brackets is wrong but clear (RFC 4475 §3.1.2.7). */
function withoutBrackets(uri: string): string {
  return uri.length > 2 && uri.startsWith('<') && uri.endsWith('>') ? uri.slice(1, -1) : uri;
}

function readHeaders(message: SipMessage, lines: readonly string[], maxLines: number) {
  let unreadableLines = 0;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === '') continue;
    if (i > maxLines) return { unreadableLines, fault: 'too-many-headers' as const };
    const colon = line.indexOf(':');
    const name = trimLws(line.slice(0, Math.max(colon, 0)));
    // OpenSIPS lets operators add header lines verbatim: one without a colon must not cost the recording.
    if (!isToken(name)) unreadableLines++;
    else message.append(name, trimLws(line.slice(colon + 1)));
  }
  return { unreadableLines, fault: null };
}

/** What every message must have to be matched and answered (§8.1.1), each once. */
function identityFault(message: SipMessage): MalformedReason | null {
  for (const name of ['From', 'To', 'Call-ID', 'CSeq']) {
    const values = message.headerValues(name);
    if (!values[0]) return 'missing-header';
    if (values.some((value) => value !== values[0])) return 'duplicate-header';
  }
  if (message.topVia === null || message.cseq === null) return 'missing-header';
  if (message.kind === 'request' && message.cseq.method !== message.method) return 'missing-header';
  return null;
}

function setBody(message: SipMessage, rest: Buffer, maxBytes: number): MalformedReason | null {
  const length = contentLength(message);
  if (length === null) return 'content-length';
  if ((length ?? rest.length) > maxBytes) return 'body-too-large';
  if (length !== undefined && length > rest.length) return 'truncated';
  message.body = rest.subarray(0, length ?? rest.length);
  return null;
}

function isAnswerable(message: SipMessage): boolean {
  if (message.kind !== 'request' || message.method === 'ACK' || message.topVia === null) return false;
  return ['From', 'To', 'Call-ID', 'CSeq'].every((name) => message.header(name));
}
