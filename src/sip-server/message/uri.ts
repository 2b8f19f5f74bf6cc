// SIP URIs and name-addr values (RFC 3261 §19.1, §20.10), read tolerantly.
import { parseParams, quotedStringEnd, splitOutside, trimLws, unquote } from './scan.ts';
import { bracketed, parseHostPort } from './via.ts';

export interface SipUri {
  scheme: 'sip' | 'sips';
  /** As written (escapes kept, a password included); null if there is none. */
  user: string | null;
  /** Without brackets. */
  host: string;
  port: number | null;
  /** Keys in lower case; null for a bare name such as `lr`. */
  params: Map<string, string | null>;
  /** What stands behind `?`, as written; empty if there is nothing. */
  headers: string;
}

export interface NameAddr {
  /** Unquoted; empty if there is none. */
  displayName: string;
  /** What stands between the angle brackets, or the bare URI. */
  uri: string;
  /** Header parameters; keys in lower case, null for a bare name. */
  params: Map<string, string | null>;
}

/** Null for any other scheme and for what cannot be read as host[:port]. */
export function parseSipUri(text: string): SipUri | null {
  const scheme = /^[ \t]*(sips?):/i.exec(text);
  if (!scheme) return null;
  const rest = trimLws(text.slice(scheme[0].length));
  // A user part may hold ; and ?, so the last @ in front of any header part decides.
  const question = rest.indexOf('?', rest.lastIndexOf('@') + 1);
  const main = question < 0 ? rest : rest.slice(0, question);
  const at = main.lastIndexOf('@');
  const parts = main.slice(at + 1).split(';');
  const hostPort = parseHostPort(parts[0]!);
  if (!hostPort || /[\s<>]/.test(main)) return null;
  return {
    scheme: scheme[1]!.toLowerCase() as 'sip' | 'sips',
    user: at < 0 ? null : main.slice(0, at),
    host: hostPort.host,
    port: hostPort.port,
    params: parseParams(parts.slice(1)),
    headers: question < 0 ? '' : rest.slice(question + 1),
  };
}

export function formatSipUri(uri: SipUri): string {
  let text = `${uri.scheme}:${uri.user === null ? '' : `${uri.user}@`}${bracketed(uri.host)}`;
  if (uri.port !== null) text += `:${uri.port}`;
  for (const [name, value] of uri.params) text += value === null ? `;${name}` : `;${name}=${value}`;
  return uri.headers ? `${text}?${uri.headers}` : text;
}

/**
 * Reads `"Name" <uri>;params`, `Name <uri>`, and a bare `uri;params` whose parameters are the header's (§20).
 * Tolerates what OpenSIPS answers with: `<<sip:127.0.40.1:5060>;+sip.src>`. Null only for an empty value.
 */
export function parseNameAddr(text: string): NameAddr | null {
  const value = trimLws(text);
  if (value === '') return null;
  const open = openBracket(value);
  if (open < 0) {
    const parts = splitOutside(value, ';');
    return { displayName: '', uri: parts[0]!, params: parseParams(parts.slice(1)) };
  }
  let start = open + 1;
  while (value[start] === '<') start++;
  const close = value.indexOf('>', start);
  const uri = trimLws(close < 0 ? value.slice(start) : value.slice(start, close));
  // Further closing brackets belong to doubled opening ones and would stick to the last parameter.
  const tail = close < 0 ? '' : start > open + 1 ? value.slice(close + 1).replaceAll('>', '') : value.slice(close + 1);
  return {
    displayName: unquote(trimLws(value.slice(0, open))),
    uri,
    params: parseParams(splitOutside(tail, ';')),
  };
}

/** The first `<` outside a quoted display name, or -1. An unclosed quote is taken as an ordinary character. */
function openBracket(value: string): number {
  for (let i = 0; i < value.length; i++) {
    if (value[i] === '<') return i;
    if (value[i] !== '"') continue;
    const end = quotedStringEnd(value, i);
    if (end > 0) i = end;
  }
  return -1;
}
