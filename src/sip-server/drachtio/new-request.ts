// A request outside a dialog, made of what the app gave and the defaults of the drachtio protocol (RFC 3261 §8.1.1).
import { completeRequest } from '../dialog/compose.ts';
import { newCallId, newSequenceNumber } from '../dialog/identifiers.ts';
import type { LocalAddress } from '../dialog/owner.ts';
import { createRequest } from '../message/build.ts';
import { isToken } from '../message/header-names.ts';
import type { SipMessage } from '../message/message.ts';
import { parseNameAddr, parseSipUri } from '../message/uri.ts';
import { bracketed } from '../message/via.ts';
import { newTag } from '../transaction/matching.ts';
import { inBrackets, requestContent, resolveLocalhost } from './app-headers.ts';
import { type AppMessage, appHeader } from './app-message.ts';

export interface RequestLine {
  method: string;
  requestUri: string;
}

/** Null if it is no request line, or for an unreadable URI when `needsUri`: inside a dialog the URI is not used. */
export function parseRequestLine(startLine: string, needsUri: boolean): RequestLine | null {
  const match = /^(\S+) +(\S+) +SIP\/2\.0$/i.exec(startLine);
  if (!match || !isToken(match[1]!)) return null;
  if (needsUri && !parseSipUri(match[2]!)) return null;
  return { method: match[1]!.toUpperCase(), requestUri: match[2]! };
}

/** The request as it goes out, but for the Via. */
export function buildNewRequest(
  { method, requestUri }: RequestLine,
  message: AppMessage,
  local: LocalAddress,
  userAgent: string | null,
): SipMessage {
  const request = createRequest(method, requestUri);
  const given = (name: string) => {
    const value = appHeader(message, name);
    return value === undefined ? undefined : resolveLocalhost({ name, value }, local).value;
  };
  for (const { name, value } of message.headers) if (name === 'Route') request.append(name, value);
  const hops = Number(given('max-forwards'));
  request.append('Max-Forwards', hops >= 1 && hops <= 255 ? String(hops) : '70');
  request.append('From', withTag(given('from') ?? `<sip:${bracketed(local.host)}:${local.port}>`));
  request.append('To', inBrackets(given('to') ?? requestUri));
  request.append('Call-ID', given('call-id') || newCallId());
  const sequence = Number(/^\d{1,10}/.exec(given('cseq') ?? '')?.[0] ?? newSequenceNumber());
  request.append('CSeq', `${Math.min(sequence, 0x7fffffff)} ${method}`);
  completeRequest(request, requestContent(message), local, userAgent);
  return request;
}

/** A tag that the app gives is kept: it repeats its own when it answers a challenge. */
function withTag(from: string): string {
  const value = inBrackets(from);
  return parseNameAddr(value)?.params.get('tag') ? value : `${value};tag=${newTag()}`;
}
