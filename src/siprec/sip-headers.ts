// SIP header fields as the INVITE carried them: lists, name-addr values, parameters (RFC 3261 §7.3, §20.10, §25.1).

export interface SipHeader {
  /** As received, compact forms included. */
  name: string;
  /** Unfolded and trimmed. */
  value: string;
}

export interface NameAddress {
  displayName: string | null;
  uri: string;
  /** Header parameters, names in lower case; an empty string for those without value. */
  parameters: Record<string, string>;
}

const COMPACT: Record<string, string> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

/** Headers that say nothing about the recorded call; every other one is kept with the recording. */
const PROTOCOL_HEADERS = new Set(
  `accept accept-contact accept-encoding accept-language allow allow-events authorization call-id contact
  content-disposition content-encoding content-language content-length content-type cseq date event expires from
  max-forwards mime-version min-expires min-se p-early-media path privacy proxy-authorization proxy-require record-route
  reject-contact request-disposition require route session-expires supported timestamp to unsupported via`.split(/\s+/),
);

/** The lower-case long name of a header. */
export function canonicalHeaderName(name: string): string {
  const lower = name.toLowerCase();
  return COMPACT[lower] ?? lower;
}

export function isProtocolHeader(name: string): boolean {
  return PROTOCOL_HEADERS.has(canonicalHeaderName(name));
}

/** The header fields of a SIP message in their order; lines that are no header are skipped. */
export function readSipHeaders(message: string): SipHeader[] {
  const end = message.search(/\r?\n\r?\n/);
  const head = end < 0 ? message : message.slice(0, end);
  const unfolded = head.replace(/\r?\n[ \t]+/g, ' ');
  const headers: SipHeader[] = [];
  for (const line of unfolded.split(/\r?\n/).slice(1)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const name = line.slice(0, colon).trim();
    if (/^[^\s"<>@,;]+$/.test(name)) headers.push({ name, value: line.slice(colon + 1).trim() });
  }
  return headers;
}

/** Everything after the first empty line; empty without one. */
export function bodyOfSipMessage(message: string): string {
  const end = /\r?\n\r?\n/.exec(message);
  return end ? message.slice(end.index + end[0].length) : '';
}

/** The first value of a header, null without one. `name` in lower case and long form. */
export function headerValue(headers: readonly SipHeader[], name: string): string | null {
  return headers.find((header) => canonicalHeaderName(header.name) === name)?.value ?? null;
}

/** Every value of a header as it stands, one per line: for those whose values hold commas. */
export function headerAll(headers: readonly SipHeader[], name: string): string[] {
  return headers.filter((header) => canonicalHeaderName(header.name) === name).map((header) => header.value);
}

/** All values of a header, comma-separated ones apart. */
export function headerList(headers: readonly SipHeader[], name: string): string[] {
  return headers
    .filter((header) => canonicalHeaderName(header.name) === name)
    .flatMap((header) => splitOutsideQuotes(header.value, ','));
}

/** Splits at `separator` where it stands outside of quotes and angle brackets; empty pieces are left out. */
export function splitOutsideQuotes(text: string, separator: string): string[] {
  const pieces: string[] = [];
  let quoted = false;
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === '\\') i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '<') depth++;
    else if (char === '>') depth = Math.max(0, depth - 1);
    else if (char === separator && depth === 0) {
      pieces.push(text.slice(start, i));
      start = i + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
}

/** A name-addr or addr-spec with its parameters; null if there is no URI in it. */
export function parseNameAddress(text: string): NameAddress | null {
  const quoted = /^\s*"((?:[^"\\]|\\.)*)"\s*/.exec(text);
  const rest = quoted ? text.slice(quoted[0].length) : text;
  const open = rest.indexOf('<');
  if (open >= 0) {
    // Not the first '>': OpenSIPS sends <<sip:…>;+sip.src> in some answers.
    const close = rest.indexOf('>', open);
    const uri = rest.slice(open, close < 0 ? undefined : close).replace(/^<+/, '');
    if (uri.trim() === '') return null;
    const name = quoted ? unescapeQuoted(quoted[1] ?? '') : rest.slice(0, open).trim();
    return {
      displayName: name === '' ? null : name,
      uri: uri.trim(),
      parameters: close < 0 ? {} : readParameters(rest.slice(close + 1)),
    };
  }
  const [uri = '', ...parameters] = rest.split(';');
  if (uri.trim() === '') return null;
  return {
    displayName: quoted ? unescapeQuoted(quoted[1] ?? '') : null,
    uri: uri.trim(),
    parameters: readParameters(parameters.map((parameter) => `;${parameter}`).join('')),
  };
}

/** `;a=1;b` as a record. */
function readParameters(text: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null);
  for (const piece of splitOutsideQuotes(text, ';')) {
    const equals = piece.indexOf('=');
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? '' : piece.slice(equals + 1).trim();
    parameters[name] = value.startsWith('"') ? unescapeQuoted(value.slice(1, -1)) : value;
  }
  return { ...parameters };
}

function unescapeQuoted(text: string): string {
  return text.replace(/\\(.)/g, '$1');
}
