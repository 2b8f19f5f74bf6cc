// The body of the client's INVITE: an SDP offer (RFC 7866 §7.1) and metadata in one multipart, shaped like OpenSIPS 3.6.
import { randomUUID } from 'node:crypto';
import { type ClientCodec, TELEPHONE_EVENT_PAYLOAD_TYPE } from './codec.ts';
import { type MetadataDocument, writeMetadata } from './metadata-document.ts';

export const OFFER_BOUNDARY = 'OSS-unique-boundary-42';
export const OFFER_CONTENT_TYPE = `multipart/mixed;boundary=${OFFER_BOUNDARY}`;

export interface OfferedMedia {
  label: string;
  /** The address that packets leave from, at least until the first resume. */
  port: number;
  codec: ClientCodec;
  direction: 'sendonly' | 'inactive';
  /** `RTP/AVP` unless given. */
  protocol?: string;
  /** Values of a=crypto. */
  crypto?: string[];
}

export interface SessionDescription {
  /** The o= and c= address, an IPv4 or IPv6 literal. */
  host: string;
  /** o= session id; OpenSIPS uses the start time in seconds. */
  originId: number;
  /** o= version; OpenSIPS leaves it 0 for ever. */
  originVersion: number;
  media: OfferedMedia[];
}

/** A whole multipart body for INVITE and re-INVITE; its type is OFFER_CONTENT_TYPE. */
export function writeOffer(description: SessionDescription, metadata: MetadataDocument): string {
  return [
    `--${OFFER_BOUNDARY}`,
    'Content-Type: application/sdp',
    '',
    writeSdp(description),
    `--${OFFER_BOUNDARY}`,
    'Content-Type: application/rs-metadata+xml',
    'Content-Disposition: recording-session',
    '',
    `${writeMetadata(metadata)}--${OFFER_BOUNDARY}--`,
    '',
  ].join('\r\n');
}

/** The SDP alone, as the answer to a re-INVITE from the other side needs it. Ends in CRLF. */
export function writeSdp(description: SessionDescription): string {
  const address = `IN ${description.host.includes(':') ? 'IP6' : 'IP4'} ${description.host}`;
  const lines = [
    'v=0',
    `o=- ${description.originId} ${description.originVersion} ${address}`,
    's=-',
    `c=${address}`,
    't=0 0',
  ];
  for (const { label, port, codec, direction, protocol = 'RTP/AVP', crypto = [] } of description.media) {
    lines.push(
      `m=audio ${port} ${protocol} ${codec.payloadType} ${TELEPHONE_EVENT_PAYLOAD_TYPE}`,
      `a=rtpmap:${codec.payloadType} ${codec.encoding}/${codec.clockRateHz}`,
      `a=rtpmap:${TELEPHONE_EVENT_PAYLOAD_TYPE} telephone-event/${codec.clockRateHz}`,
      `a=fmtp:${TELEPHONE_EVENT_PAYLOAD_TYPE} 0-15`,
      'a=ptime:20',
      ...crypto.map((value) => `a=crypto:${value}`),
      `a=${direction}`,
      `a=label:${label}`,
    );
  }
  return `${lines.join('\r\n')}\r\n`;
}

/** An id as OpenSIPS writes it: a UUID's 16 octets in base64. */
export function freshMetadataId(): string {
  return Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64');
}
