// Texts as mod_oreka writes them, with what a test wants to vary.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type OrekaMessage, readDatagram } from '../../src/oreka/datagram.ts';

export interface TextOptions {
  callId?: string;
  side?: 'RX' | 'TX' | null;
  port?: number;
  from?: string;
  to?: string;
  requestUri?: string;
  callerName?: string;
  /** Complete lines, after Subject. */
  headers?: string[];
  sourceHost?: string;
  host?: string;
  pid?: number;
}

export const CALL_ID = '07cebeeb-b06d-4704-a6c2-f247c7ec4370';

export function invite(options: TextOptions = {}): Buffer {
  const { side = 'RX', port = side === 'TX' ? 21210 : 18756, sourceHost = '127.0.0.40', host = '127.0.0.1' } = options;
  const body = [
    'v=0',
    `o=freeswitch ${options.callId ?? CALL_ID} 1 IN IP4 ${sourceHost}`,
    `c=IN IP4 ${host}`,
    side === null ? 's=Phone Recording' : `s=Phone Recording (${side})`,
    `i=FreeSWITCH Oreka Recorder (pid=${options.pid ?? 17277})`,
    `m=audio ${port} RTP/AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    '',
  ].join('\r\n');
  return text('INVITE', 'BEGIN', { ...options, side }, ['Content-Type: application/sdp'], body);
}

export function bye(options: TextOptions = {}): Buffer {
  return text('BYE', 'END', options, [], '');
}

function text(method: string, verb: string, options: TextOptions, last: string[], body: string): Buffer {
  const { callId = CALL_ID, side = 'RX', sourceHost = '127.0.0.40', from = '2001', to = '1002' } = options;
  const lines = [
    `${method} ${options.requestUri ?? `sip:${to}@${sourceHost}:5060`} SIP/2.0`,
    `Via: SIP/2.0/UDP ${sourceHost}:5061;branch=z9hG4bK-${callId}`,
    `From: <sip:${from}@${sourceHost}:5061;tag=1>`,
    `To: <sip:${to}@${sourceHost}:5060>`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    `Contact: sip:freeswitch@${sourceHost}:5061`,
    'Max-Forwards: 70',
    side === null ? 'Subject: recording' : `Subject: ${verb} ${side} recording of ${options.callerName ?? 'Alice'}`,
    ...(options.headers ?? []),
    ...last,
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ];
  // The module ends every datagram with one LF too many.
  return Buffer.from(`${lines.join('\r\n')}\n`);
}

/** A captured datagram, `normal/sip-001-INVITE-RX`. */
export function captured(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../fixtures/oreka/${name}.bin`, import.meta.url)));
}

export function message(datagram: Buffer): OrekaMessage {
  const reading = readDatagram(datagram);
  if (!reading.ok) throw new Error(`unreadable: ${reading.reason}`);
  return reading.message;
}
