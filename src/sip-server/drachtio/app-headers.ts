// Which headers of an app's message go out, and `@localhost`, by which apps name the server's own address.
import type { Content, LocalAddress } from '../dialog/owner.ts';
import type { Header } from '../message/message.ts';
import { bracketed } from '../message/via.ts';
import type { AppMessage } from './app-message.ts';

// The server's own in every message: apps repeat some of them, and a dialog's must not be replaced.
const SERVER_HEADERS = [
  'via',
  'record-route',
  'content-length',
  'from',
  'to',
  'call-id',
  'cseq',
  'max-forwards',
  'route',
];
const ANSWER_HEADERS = new Set([...SERVER_HEADERS, 'rseq']);
const REQUEST_HEADERS = new Set(SERVER_HEADERS);

/** Headers and body for an answer. */
export function answerContent(message: AppMessage): Content {
  return content(message, ANSWER_HEADERS);
}

/** Headers and body for a request inside a dialog. */
export function requestContent(message: AppMessage): Content {
  return content(message, REQUEST_HEADERS);
}

function content(message: AppMessage, without: ReadonlySet<string>): Content {
  const kept = message.headers.filter(({ name }) => !without.has(name.toLowerCase()));
  return { headers: (local) => kept.map((header) => resolveLocalhost(header, local)), body: message.body };
}

const LOCALHOST = /@localhost(?::[0-9]+)?(?=[;>?\s]|$)/i;

/** Puts host and port of `local` in the place of `@localhost`, where the reference server does. */
export function resolveLocalhost({ name, value }: Header, local: LocalAddress): Header {
  const key = name.toLowerCase();
  if (!['from', 'to', 'contact', 'p-asserted-identity'].includes(key) || !LOCALHOST.test(value)) return { name, value };
  const needsTransport = key === 'contact' && local.transport !== 'udp' && !/[;]transport=/i.test(value);
  const address = `@${bracketed(local.host)}:${local.port}${needsTransport ? `;transport=${local.transport}` : ''}`;
  return { name, value: inBrackets(value).replace(LOCALHOST, address) };
}

/** `<uri>;params` for a bare `uri;params`, whose parameters are the header's (RFC 3261 §20). */
export function inBrackets(value: string): string {
  if (value.includes('<')) return value;
  const semicolon = value.indexOf(';');
  return semicolon < 0 ? `<${value}>` : `<${value.slice(0, semicolon)}>${value.slice(semicolon)}`;
}
