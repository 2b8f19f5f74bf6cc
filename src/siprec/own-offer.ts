// Our offer to a client that sends none (RFC 3261 §13.2.1): what it would have offered, seen from its side, so that the
// same code makes our SDP of it. One m-line per stream that its metadata names, else one: RFC 7866 §7.1 leaves the offer to
// the client, and the phones that leave it to us fork one voice per session; they would answer a second line with port 0.

/** All that phones fork. What we cannot decode is kept as it was captured: a fork is not transcoded for us. */
const FORMATS = [
  'm=audio 9 RTP/AVP 0 8 9 18 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:9 G722/8000',
  'a=rtpmap:18 G729/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=fmtp:101 0-15',
  'a=sendonly',
];

const MAX_STREAMS = 16;

/** `labels`: of the streams in the client's metadata. */
export function offerForClient(labels: readonly string[]): string {
  const unique = [...new Set(labels)].slice(0, MAX_STREAMS);
  const sections = unique.length > 0 ? unique.map((label) => [...FORMATS, `a=label:${label}`]) : [FORMATS];
  return ['v=0', 's=-', 't=0 0', ...sections.flat()].map((line) => `${line}\r\n`).join('');
}
