// A multipart body in octets: delimiter lines, part headers, part bodies (RFC 2046 §5.1), read as leniently as possible.
import type { Warning } from '../recording/call.ts';

export interface MimePart {
  /** Names in lower case; the first of several counts. */
  headers: Map<string, string>;
  /** A view into the input. */
  body: Buffer;
}

const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;
const MAX_HEADER_OCTETS = 16 * 1024;
const MAX_PARTS_READ = 256;

/** A line `--boundary` or `--boundary--`. */
interface Delimiter {
  /** Where the part before it ends: the line break in front of the delimiter belongs to the delimiter. */
  partEnd: number;
  /** Where the part after it begins. */
  next: number;
  closing: boolean;
}

/**
 * All parts of a multipart body. If the boundary is missing or never occurs, the first line that looks like a delimiter
 * tells it. What stands before the first delimiter and after the closing one is ignored; a missing closing delimiter
 * ends the last part with the body.
 */
export function readParts(bytes: Buffer, boundary: string | null): { parts: MimePart[]; warnings: Warning[] } {
  const warnings: Warning[] = [];
  let mark = boundary;
  let delimiter = mark === null ? null : findDelimiter(bytes, mark, 0);
  if (!delimiter) {
    mark = sniffBoundary(bytes);
    delimiter = mark === null ? null : findDelimiter(bytes, mark, 0);
    if (delimiter) {
      warnings.push({
        code: 'boundary-mismatch',
        message: 'The boundary was not the declared one; the first delimiter line told it.',
      });
    }
  }
  const parts: MimePart[] = [];
  while (mark !== null && delimiter && !delimiter.closing && parts.length < MAX_PARTS_READ) {
    const { part, next }: { part: MimePart; next: Delimiter | null } = readPart(bytes, delimiter.next, mark, warnings);
    parts.push(part);
    if (!next)
      warnings.push({ code: 'closing-delimiter-missing', message: 'The multipart body has no closing delimiter.' });
    delimiter = next;
  }
  return { parts, warnings };
}

/** True if the first line that is not empty begins with two dashes, as a multipart body does. */
export function startsWithDelimiter(bytes: Buffer): boolean {
  return sniffBoundary(bytes.subarray(0, 1024)) !== null;
}

function readPart(
  bytes: Buffer,
  start: number,
  boundary: string,
  warnings: Warning[],
): { part: MimePart; next: Delimiter | null } {
  const { headers, bodyStart } = readHeaders(bytes, start, warnings);
  const announced = headers.get('content-length');
  if (announced !== undefined) {
    const exact = delimiterAfter(bytes, bodyStart, announced, boundary);
    if (exact) return { part: { headers, body: bytes.subarray(bodyStart, exact.bodyEnd) }, next: exact.delimiter };
    warnings.push({
      code: 'part-length-wrong',
      message: 'The Content-Length of a body part is wrong and was ignored.',
    });
  }
  // One octet back: the line break that ended the headers may be the one in front of the delimiter of an empty part.
  const next = findDelimiter(bytes, boundary, Math.max(start, bodyStart - 1));
  const bodyEnd = next ? Math.max(bodyStart, next.partEnd) : bytes.length;
  return { part: { headers, body: bytes.subarray(bodyStart, bodyEnd) }, next };
}

/** The delimiter that follows a body of the announced length, at once or after line breaks; null if there is none. */
function delimiterAfter(
  bytes: Buffer,
  bodyStart: number,
  announced: string,
  boundary: string,
): { bodyEnd: number; delimiter: Delimiter | null } | null {
  if (!/^\d{1,9}$/.test(announced)) return null;
  const bodyEnd = bodyStart + Number(announced);
  if (bodyEnd > bytes.length) return null;
  let at = bodyEnd;
  while (at < bytes.length && (bytes[at] === CR || bytes[at] === LF) && at - bodyEnd < 8) at++;
  if (at === bytes.length) return { bodyEnd, delimiter: null };
  const atLineStart = at === 0 || bytes[at - 1] === LF;
  const delimiter = atLineStart ? delimiterAt(bytes, at, boundary) : null;
  return delimiter && { bodyEnd, delimiter };
}

/** Reads header lines up to the empty line, or up to the first line that cannot be a header: then the empty line was forgotten. */
function readHeaders(
  bytes: Buffer,
  start: number,
  warnings: Warning[],
): { headers: Map<string, string>; bodyStart: number } {
  const headers = new Map<string, string>();
  let at = start;
  let last: string | null = null;
  while (at < bytes.length && at - start < MAX_HEADER_OCTETS) {
    const lineEnd = endOfLine(bytes, at);
    const line = bytes.toString('latin1', at, lineEnd.end);
    if (line.trim() === '') {
      // Empty lines before the headers, as some clients put them, are not the end of the headers.
      if (headers.size > 0 || !/^content-/i.test(bytes.toString('latin1', lineEnd.next, lineEnd.next + 8))) {
        return { headers, bodyStart: lineEnd.next };
      }
    } else if (/^[ \t]/.test(line) && last !== null) {
      headers.set(last, `${headers.get(last) ?? ''} ${line.trim()}`);
    } else {
      const match = /^([\w!#$%&'*+.^`|~-]+)[ \t]*:(.*)$/s.exec(line);
      if (!match) break;
      last = (match[1] ?? '').toLowerCase();
      if (!headers.has(last)) headers.set(last, (match[2] ?? '').trim());
    }
    at = lineEnd.next;
  }
  if (headers.size > 0 && at < bytes.length && bytes[at] !== DASH) {
    warnings.push({ code: 'part-headers-open', message: 'The headers of a body part do not end with an empty line.' });
  }
  return { headers, bodyStart: at };
}

function findDelimiter(bytes: Buffer, boundary: string, from: number): Delimiter | null {
  const needle = Buffer.from(`--${boundary}`, 'utf8');
  for (let at = bytes.indexOf(needle, from); at >= 0; at = bytes.indexOf(needle, at + 1)) {
    if (at > 0 && bytes[at - 1] !== LF) continue;
    const delimiter = delimiterAt(bytes, at, boundary);
    if (delimiter) return delimiter;
  }
  return null;
}

/** The delimiter line that begins at `at`; null if what stands there is something longer. */
function delimiterAt(bytes: Buffer, at: number, boundary: string): Delimiter | null {
  const needle = Buffer.from(`--${boundary}`, 'utf8');
  if (bytes.compare(needle, 0, needle.length, at, Math.min(bytes.length, at + needle.length)) !== 0) return null;
  const lineEnd = endOfLine(bytes, at + needle.length);
  const rest = bytes.toString('latin1', at + needle.length, Math.min(lineEnd.end, at + needle.length + 64));
  if (!/^(--)?[ \t]*$/.test(rest)) return null;
  let partEnd = at;
  if (partEnd > 0 && bytes[partEnd - 1] === LF) partEnd--;
  if (partEnd > 0 && bytes[partEnd] === LF && bytes[partEnd - 1] === CR) partEnd--;
  return { partEnd, next: lineEnd.next, closing: rest.startsWith('--') };
}

/** Where the line that holds `from` ends, without and with its line break. */
function endOfLine(bytes: Buffer, from: number): { end: number; next: number } {
  const lf = bytes.indexOf(LF, from);
  if (lf < 0) return { end: bytes.length, next: bytes.length };
  return { end: lf > from && bytes[lf - 1] === CR ? lf - 1 : lf, next: lf + 1 };
}

/** The boundary that the first line beginning with `--` implies; only empty lines may stand before it. */
function sniffBoundary(bytes: Buffer): string | null {
  const match = /^\s*--([^\s\r\n](?:[^\r\n]{0,198}[^\s\r\n])?)[ \t]*(?:\r?\n|$)/.exec(
    bytes.toString('latin1', 0, 1024),
  );
  const boundary = match?.[1] ?? null;
  return boundary === null ? null : Buffer.from(boundary, 'latin1').toString('utf8');
}
