// The answer to a recording offer (RFC 3264 §6, RFC 7866 §7.2): pure text in, text out.
import type { StreamAddress } from '../recording/media.ts';
import type { Unwanted } from '../recording/recorder-interface.ts';
import type { OfferedMediaLine } from './sdp.ts';

/** What the next answer has to know of this one. */
export interface AnswerState {
  text: string;
  /** The o= version; counts answers that differ. */
  version: number;
}

export interface AnswerRequest {
  mediaLines: readonly OfferedMediaLine[];
  /** Where media is received, by m-line index; m-lines without an entry are refused with port 0. */
  addresses: ReadonlyMap<number, StreamAddress>;
  /** Our crypto attribute by m-line index: `crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…`. */
  crypto?: ReadonlyMap<number, string>;
  /** By m-line index, those whose media we do not want, and why. */
  unwanted?: ReadonlyMap<number, Unwanted>;
  /** The client understands `a=record` on every m-line (option tag `record-aware`), not only where it has said a preference. */
  recordingAware?: boolean;
  /** Our media address, IPv4 or IPv6. */
  host: string;
  /** The o= session id: digits, the same for the whole dialog. */
  sessionId: string;
  previous: AnswerState | null;
}

/**
 * Same number and order of m-lines, every format of an accepted one (rtpengine insists on all of them), the label as
 * offered, `recvonly` while the client sends and we want it, else `inactive`. The version rises only with new content.
 */
export function answerOffer(request: AnswerRequest): AnswerState {
  const { host, previous } = request;
  const network = `IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host}`;
  const body = ['s=-', `c=${network}`, 't=0 0', ...request.mediaLines.flatMap((line) => mediaSection(request, line))];
  const compose = (version: number) =>
    ['v=0', `o=sipreel ${request.sessionId} ${version} ${network}`, ...body].map((line) => `${line}\r\n`).join('');
  if (!previous) return { text: compose(1), version: 1 };
  if (previous.text === compose(previous.version)) return previous;
  return { text: compose(previous.version + 1), version: previous.version + 1 };
}

function mediaSection(request: AnswerRequest, line: OfferedMediaLine): string[] {
  const address = request.addresses.get(line.index);
  const formats = line.formatTokens.length > 0 ? line.formatTokens : ['0'];
  const section = [
    `m=${line.media || 'audio'} ${address?.rtpPort ?? 0} ${line.protocol || 'RTP/AVP'} ${formats.join(' ')}`,
  ];
  if (address) {
    for (const token of new Set(formats)) {
      const rtpmap = line.rtpmaps.get(token);
      const fmtp = line.fmtps.get(token);
      if (rtpmap !== undefined) section.push(`a=rtpmap:${token} ${rtpmap}`);
      if (fmtp !== undefined) section.push(`a=fmtp:${token} ${fmtp}`);
    }
    const crypto = request.crypto?.get(line.index);
    if (crypto !== undefined) section.push(`a=${crypto}`);
    const unwanted = request.unwanted?.get(line.index);
    const idle = line.held || unwanted !== undefined;
    section.push(idle ? 'a=inactive' : 'a=recvonly');
    // Only to those who know the attributes (RFC 7866 §6.3, §7.3).
    if (line.preference !== null || request.recordingAware)
      section.push(`a=record:${unwanted === 'discarded' ? 'off' : idle ? 'paused' : 'on'}`);
  }
  if (line.label !== null) section.push(`a=label:${line.label}`);
  return section;
}
