// The SIP part of a frame from an app: a start line, some headers and a body; not a complete SIP message.
import { isToken, longName } from '../message/header-names.ts';
import type { Header } from '../message/message.ts';

export interface AppMessage {
  startLine: string;
  /** Full names, in order; repeated names stay repeated. */
  headers: Header[];
  /** Everything after the empty line. Only the frame's length delimits it: the app's Content-Length counts UTF-16 units. */
  body: Buffer;
}

const END_OF_HEADERS = '\r\n\r\n';
// Spellings that "a capital after each dash" would get wrong. Names compare without case; this is for people's eyes.
const SPELLINGS: Readonly<Record<string, string>> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'mime-version': 'MIME-Version',
  'min-se': 'Min-SE',
  rack: 'RAck',
  rseq: 'RSeq',
  'sip-etag': 'SIP-ETag',
  'sip-if-match': 'SIP-If-Match',
  'www-authenticate': 'WWW-Authenticate',
};

/** Never fails: lines that are not headers are skipped, as the reference server does. */
export function parseAppMessage(text: Buffer): AppMessage {
  const end = text.indexOf(END_OF_HEADERS);
  const head = text.toString('utf8', 0, end < 0 ? text.length : end);
  const [startLine = '', ...lines] = head.split(/\r\n(?![ \t])/);
  return {
    startLine: startLine.trim(),
    headers: lines.flatMap(parseHeaderLine),
    body: end < 0 ? Buffer.alloc(0) : text.subarray(end + END_OF_HEADERS.length),
  };
}

function parseHeaderLine(line: string): Header[] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).trimEnd();
  if (!isToken(name)) return [];
  // A lone CR or LF would end the header for a lenient peer.
  return [
    {
      name: spell(name),
      value: line
        .slice(colon + 1)
        .replace(/[\r\n\0]+[ \t]*/g, ' ')
        .trim(),
    },
  ];
}

/** `my-hdr` becomes `My-Hdr`; names that begin with X- are left alone. */
function spell(name: string): string {
  if (/^x-/i.test(name)) return name;
  const long = longName(name);
  return SPELLINGS[long.toLowerCase()] ?? long.replace(/(^|-)[a-z]/g, (first) => first.toUpperCase());
}

/** The value of the first header of that name, which is given in lower case. */
export function appHeader(message: AppMessage, lowerCaseName: string): string | undefined {
  return message.headers.find((header) => header.name.toLowerCase() === lowerCaseName)?.value;
}
