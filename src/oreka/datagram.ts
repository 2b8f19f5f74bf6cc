// mod_oreka's datagrams: text that looks like SIP (RFC 3261 §7) with SDP (RFC 4566) and obeys neither. A tolerant reader of its own.
//
// The module copies names and custom values into the text as they are: blanks in the request-URI, line breaks in values,
// any header name. The first occurrence of a header counts, because the module's own ones come first.
// Content-Length is one octet short, c= stands before s=, t= is missing: none of it is looked at.
import { isIP } from 'node:net';

/** RX is what FreeSWITCH receives from the recorded channel's party, TX what it sends to it. */
export type Side = 'rx' | 'tx';

export interface OrekaHeader {
  /** As received. */
  name: string;
  /** Without blanks around it; line breaks inside are single LFs. */
  value: string;
}

interface OrekaText {
  /** Everything between the first and the last blank of the first line. */
  requestUri: string;
  /** In their order, repeated ones included. */
  headers: OrekaHeader[];
  /** FreeSWITCH's UUID of the recorded channel. Printable ASCII, at most 256 characters. */
  callId: string;
  /** Null if the text does not tell. */
  side: Side | null;
}

export interface OrekaInvite extends OrekaText {
  method: 'INVITE';
  media: AnnouncedMedia;
}

export interface OrekaBye extends OrekaText {
  method: 'BYE';
}

export type OrekaMessage = OrekaInvite | OrekaBye;

/** What the SDP says. */
export interface AnnouncedMedia {
  /** `c=`: the recorder's address as FreeSWITCH knows it; null if it is no IP address. */
  host: string | null;
  /** `m=audio`: ours and FreeSWITCH's at once. */
  port: number;
  /** `o=`: FreeSWITCH's address, from which the RTP comes; null if it is no IP address. */
  sourceHost: string | null;
  /** From `i=`: FreeSWITCH's process id. */
  pid: string | null;
}

export type UnreadableReason =
  | 'empty'
  /** A SIP response: nobody asked. */
  | 'response'
  | 'no-start-line'
  | 'other-method'
  | 'no-call-id'
  | 'no-media'
  | 'port-unusable';

export type DatagramReading = { ok: true; message: OrekaMessage } | { ok: false; reason: UnreadableReason };

const MAX_START_LINES = 8;
const MAX_HEADERS = 256;
const CALL_ID = /^[\x21-\x7e]{1,256}$/;
/** RFC 3261 §25.1 `token`. */
const TOKEN = /^[A-Za-z0-9.!%*_+`'~-]+$/;
const LOWEST_PORT = 1_024;

/** Reads one datagram of at most 64 KiB. Never throws. */
export function readDatagram(datagram: Buffer): DatagramReading {
  const lines = datagram
    .toString('utf8')
    .split('\n')
    .map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  let at = lines.findIndex((line) => line.trim() !== '');
  if (at < 0) return unreadable('empty');
  if (/^SIP\/2\.0 /i.test(lines[at]!)) return unreadable('response');

  // A name with a line break in it breaks the first line, too.
  let startLine = lines[at++]!;
  for (let joined = 1; !/ SIP\/2\.0$/i.test(startLine) && joined < MAX_START_LINES && at < lines.length; joined++)
    startLine += ` ${lines[at++]}`;
  const firstBlank = startLine.indexOf(' ');
  const lastBlank = startLine.lastIndexOf(' ');
  if (lastBlank <= firstBlank || !/ SIP\/2\.0$/i.test(startLine)) return unreadable('no-start-line');
  const method = startLine.slice(0, firstBlank).toUpperCase();
  if (method !== 'INVITE' && method !== 'BYE') return unreadable('other-method');

  const headerEnd = lines.indexOf('', at);
  const headers = readHeaders(lines.slice(at, headerEnd < 0 ? undefined : headerEnd));
  const callId = firstValue(headers, 'call-id') ?? '';
  if (!CALL_ID.test(callId)) return unreadable('no-call-id');
  const requestUri = startLine.slice(firstBlank + 1, lastBlank).trim();
  const subject = readSubject(firstValue(headers, 'subject') ?? '');
  if (method === 'BYE') return { ok: true, message: { method, requestUri, headers, callId, side: subject.side } };

  const sdp = readSdp(headerEnd < 0 ? [] : lines.slice(headerEnd + 1));
  if (sdp.port === null) return unreadable('no-media');
  if (sdp.port < LOWEST_PORT || sdp.port > 65_535) return unreadable('port-unusable');
  const media = { host: sdp.host, port: sdp.port, sourceHost: sdp.sourceHost, pid: sdp.pid };
  return { ok: true, message: { method, requestUri, headers, callId, side: subject.side ?? sdp.side, media } };
}

/** The first header of that name (lower case); null without. */
export function firstValue(headers: readonly OrekaHeader[], name: string): string | null {
  return headers.find((header) => header.name.toLowerCase() === name)?.value ?? null;
}

/** `BEGIN RX recording of <caller name>`, `END TX recording of <caller name>`. */
export function readSubject(subject: string): { side: Side | null; callerName: string } {
  const match = /^(?:BEGIN|END)\s+(RX|TX)\b(?:\s+recording of\b)?/i.exec(subject);
  if (!match) return { side: null, callerName: '' };
  return { side: sideOf(match[1]!), callerName: subject.slice(match[0].length).trim() };
}

/** What is no header continues the one before it: a value with a line break. */
function readHeaders(lines: readonly string[]): OrekaHeader[] {
  const headers: OrekaHeader[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trimEnd();
    const previous = headers.at(-1);
    if (TOKEN.test(name)) {
      if (headers.length < MAX_HEADERS) headers.push({ name, value: line.slice(colon + 1).trim() });
    } else if (previous) previous.value += `\n${line.trim()}`;
  }
  return headers;
}

function readSdp(body: readonly string[]) {
  // A custom value with an empty line in it ends the headers early. The module's own SDP comes last, from its v= line on.
  const start = body.findLastIndex((line) => line.startsWith('v=0'));
  const lines = start < 0 ? body : body.slice(start);
  const first = (type: string) => lines.find((line) => line.startsWith(type))?.slice(type.length) ?? '';
  const port = /^\s*(\d{1,6})\b/.exec(first('m=audio '))?.[1];
  const side = /\((RX|TX)\)/i.exec(first('s='))?.[1];
  return {
    port: port === undefined ? null : Number(port),
    host: lastAddress(first('c=')),
    sourceHost: lastAddress(first('o=')),
    pid: /\bpid=(\d{1,10})\b/.exec(first('i='))?.[1] ?? null,
    side: side === undefined ? null : sideOf(side),
  };
}

/** The address at the end of an o= or c= line. The label before it (IP4, IP6) may be wrong: the module always says IP4. */
function lastAddress(value: string): string | null {
  const address = value.trim().split(/\s+/).at(-1)?.split('/')[0] ?? '';
  return isIP(address) === 0 ? null : address;
}

function sideOf(text: string): Side {
  return text.toUpperCase() === 'RX' ? 'rx' : 'tx';
}

function unreadable(reason: UnreadableReason): DatagramReading {
  return { ok: false, reason };
}
