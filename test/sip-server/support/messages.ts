// SIP messages for tests: captured ones, and small ones built from text.
import { readFileSync } from 'node:fs';
import type { SipMessage } from '../../../src/sip-server/message/message.ts';
import { parseMessage } from '../../../src/sip-server/message/parse.ts';

export const FIXTURES = [
  'opensips-udp-invite',
  'opensips-udp-ack',
  'opensips-udp-bye',
  'opensips-tcp-invite',
  'opensips-meta-group-invite',
  'opensips-hold-reinvite',
  'opensips-ack-for-503',
] as const;

export function fixture(name: (typeof FIXTURES)[number]): Buffer {
  return readFileSync(new URL(`../../fixtures/sip/${name}.sip`, import.meta.url));
}

/** Lines of a template as CRLF bytes; the first line break is left out. */
export function sip(text: string): Buffer {
  return Buffer.from(text.replace(/^\n/, '').replaceAll('\n', '\r\n'));
}

export function parsed(bytes: Buffer): SipMessage {
  const result = parseMessage(bytes);
  if ('malformed' in result) throw new Error(`malformed: ${result.malformed}`);
  return result.message;
}

export interface RequestParts {
  method?: string;
  cseqMethod?: string;
  branch?: string;
  via?: string;
  callId?: string;
  cseq?: number;
  fromTag?: string;
  toTag?: string;
  extra?: string;
  body?: string;
}

/** A request as a peer would send it. */
export function requestBytes(parts: RequestParts = {}): Buffer {
  const { method = 'INVITE', branch = 'z9hG4bK-1', callId = 'call-1', cseq = 1, fromTag = 'from-1', toTag } = parts;
  const { via = `SIP/2.0/UDP 127.0.0.1:5080;branch=${branch}`, extra = '', body = '' } = parts;
  const head = sip(`
${method} sip:srs@127.0.0.1 SIP/2.0
Via: ${via}
Max-Forwards: 70
From: <sip:src@127.0.0.1>;tag=${fromTag}
To: <sip:srs@127.0.0.1>${toTag === undefined ? '' : `;tag=${toTag}`}
Call-ID: ${callId}
CSeq: ${cseq} ${parts.cseqMethod ?? method}
${extra}Content-Length: ${Buffer.byteLength(body)}

`);
  // The body keeps its own line breaks.
  return Buffer.concat([head, Buffer.from(body)]);
}

export function request(parts: RequestParts = {}): SipMessage {
  return parsed(requestBytes(parts));
}
