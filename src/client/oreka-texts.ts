// The datagrams of FreeSWITCH's mod_oreka as it words them: SIP in looks only, SDP lines out of order, one LF too many.
import type { CallParty } from './call-plan.ts';

export interface OrekaTextParts {
  side: 'RX' | 'TX';
  callId: string;
  /** FreeSWITCH's own address. */
  localHost: string;
  caller: CallParty;
  callee: CallParty;
}

/** Announces that this side's audio will be sent to `mediaHost:mediaPort`. */
export function orekaInvite(parts: OrekaTextParts, mediaHost: string, mediaPort: number): string {
  const { side, callId, localHost } = parts;
  const sdp = [
    'v=0',
    `o=freeswitch ${callId} 1 IN IP4 ${localHost}`,
    `c=IN IP4 ${mediaHost}`,
    `s=Phone Recording (${side})`,
    `i=FreeSWITCH Oreka Recorder (pid=${process.pid})`,
    `m=audio ${mediaPort} RTP/AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    '',
  ].join('\r\n');
  return text('INVITE', 'BEGIN', parts, ['Content-Type: application/sdp'], sdp);
}

export function orekaBye(parts: OrekaTextParts): string {
  return text('BYE', 'END', parts, [], '');
}

function text(
  method: 'INVITE' | 'BYE',
  verb: 'BEGIN' | 'END',
  { side, callId, localHost, caller, callee }: OrekaTextParts,
  extra: string[],
  body: string,
): string {
  const [from, to] = [caller, callee].map(({ aor }) => /^(?:sips?:)?([^@;]+)/.exec(aor)?.[1] ?? 'unknown');
  const lines = [
    `${method} sip:${callee.name ?? to}@${localHost}:5060 SIP/2.0`,
    `Via: SIP/2.0/UDP ${localHost}:5061;branch=z9hG4bK-${callId}`,
    `From: <sip:${from}@${localHost}:5061;tag=1>`,
    `To: <sip:${to}@${localHost}:5060>`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    `Contact: sip:freeswitch@${localHost}:5061`,
    'Max-Forwards: 70',
    `Subject: ${verb} ${side} recording of ${caller.name ?? from}`,
    ...extra,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}\n`;
}
