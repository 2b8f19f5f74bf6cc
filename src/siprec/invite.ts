// Is this INVITE a recording session that can be recorded? Metadata, tags and labels never decide against it (RFC 7866 §6.2).
import { SRTP_SUITES } from '../rtp/srtp/suites.ts';
import { readBuiltInBridge } from './built-in-bridge.ts';
import type { RecordingBody } from './multipart.ts';
import { type OfferedMediaLine, refusalOf } from './sdp.ts';
import { headerList, headerValue, type SipHeader } from './sip-headers.ts';
import { encodingNotSupported, notAcceptable, type SipRefusal } from './sip-status.ts';

/** Null if the INVITE is to be recorded. Every 488 says what is missing. */
export function judgeInvite(
  headers: readonly SipHeader[],
  body: RecordingBody,
  mediaLines: readonly OfferedMediaLine[],
  acceptPlainCalls: boolean,
): SipRefusal | null {
  const nothingRead = !body.metadata && (body.sdp === null ? body.others.length > 0 : mediaLines.length === 0);
  if (nothingRead && isEncoded(headers)) return encodingNotSupported();
  // Without an offer of theirs the media is as we ask for it: only whether it is a recording session is to be told.
  if (body.sdp === null) {
    if (body.metadata || acceptPlainCalls || hasRecordingMark(headers) || readBuiltInBridge(headers)) return null;
    return notAcceptable('Not a recording session: no SDP, no metadata and no siprec mark.');
  }
  if (body.sdp.trim() === '') return notAcceptable('The SDP part is empty.');
  if (mediaLines.length === 0) return notAcceptable('The SDP has no m-line.');
  const refusals = new Set(mediaLines.map(refusalOf));
  if (!refusals.has(null)) {
    if (refusals.has('dtls-not-supported'))
      return notAcceptable('DTLS-SRTP is not supported: offer RTP/SAVP with a=crypto, or RTP/AVP.');
    if (refusals.has('srtp-without-key'))
      return notAcceptable(`No a=crypto line that can be used. Suites: ${Object.keys(SRTP_SUITES).join(' ')}.`);
    if (refusals.has('port-zero')) return notAcceptable('Every audio stream has port 0.');
    if (refusals.size === 1 && refusals.has('not-audio')) return notAcceptable('There is no audio stream.');
    return notAcceptable('No audio stream has a transport and formats that can be recorded.');
  }
  if (body.metadata || acceptPlainCalls || hasRecordingMark(headers) || mediaLines.some(onlySends)) return null;
  return notAcceptable('Not a recording session: no metadata, no siprec mark, and the client wants to receive.');
}

/** `Require: siprec`, or a feature tag in Contact, in any of the spellings seen: `+sip.src`, `+sip-src`, `;src`. */
function hasRecordingMark(headers: readonly SipHeader[]): boolean {
  const required = headerList(headers, 'require').some((tag) => tag.toLowerCase() === 'siprec');
  return required || /;\s*(?:\+?sip[.-])?src\b(?![.-])/i.test(headerValue(headers, 'contact') ?? '');
}

function isEncoded(headers: readonly SipHeader[]): boolean {
  return headerList(headers, 'content-encoding').some((encoding) => encoding.toLowerCase() !== 'identity');
}

function onlySends(line: OfferedMediaLine): boolean {
  return refusalOf(line) === null && (line.direction === 'sendonly' || line.direction === 'inactive');
}
