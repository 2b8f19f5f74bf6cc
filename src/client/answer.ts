// Reads where an SRS wants the media (RFC 7866 §7.2, RFC 3264 §6, RFC 4574): by label, else by position.
import { parse } from 'sdp-transform';

export interface AnsweredStream {
  label: string;
  /** Null when the SRS does not want this stream now: port 0, inactive or sendonly, no m-line, or no address. */
  destination: { host: string; rtpPort: number; rtcpPort: number } | null;
  /** The answered a=crypto, if there is one. Its keys protect what the SRS sends: RTCP, which is not read here. */
  crypto?: { suite: string; config: string };
}

export type AnswerReading = { ok: true; streams: AnsweredStream[] } | { ok: false; reason: string };

/** `labels` are those offered, in m-line order. The body may be SDP or a multipart with SDP in it. */
export function readAnswer(body: string, labels: readonly string[]): AnswerReading {
  const sdp = findSdp(body);
  if (sdp === null) return { ok: false, reason: 'the answer has no SDP' };
  let session: ReturnType<typeof parse>;
  try {
    session = parse(sdp);
  } catch (error) {
    return { ok: false, reason: `the answer's SDP cannot be read: ${(error as Error).message}` };
  }
  // sdp-transform turns a numeric label into a number, so 007 and 7 are one: our own labels have one spelling each.
  const answered = session.media.map((media) => String((media as { label?: string | number }).label ?? ''));
  const streams = labels.map((label, index): AnsweredStream => {
    const byLabel = answered.indexOf(label);
    const media = session.media[byLabel >= 0 ? byLabel : answered[index] === '' ? index : -1];
    const crypto = media?.crypto?.[0] && { crypto: media.crypto[0] };
    const host = media?.connection?.ip ?? session.connection?.ip;
    const direction = media?.direction ?? session.direction ?? 'sendrecv';
    const wanted = media && media.port > 0 && host && host !== '0.0.0.0' && host !== '::';
    if (!wanted || direction === 'inactive' || direction === 'sendonly') return { label, destination: null, ...crypto };
    const rtcpPort = (media as { rtcp?: { port: number } }).rtcp?.port ?? media.port + 1;
    return { label, destination: { host, rtpPort: media.port, rtcpPort }, ...crypto };
  });
  return { ok: true, streams };
}

function findSdp(body: string): string | null {
  const start = body.search(/^v=0/m);
  if (start < 0) return null;
  const end = body.slice(start).search(/^--/m);
  return end < 0 ? body.slice(start) : body.slice(start, start + end);
}
