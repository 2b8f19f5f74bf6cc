// Whether an RTP packet is protected or plain, by its length alone: for m-lines that leave it open.
import type { MediaFormat } from '../recording/media.ts';
import type { RtpHeader } from '../rtp/packet.ts';
import { TELEPHONE_EVENT_OCTETS } from '../rtp/telephone-event.ts';

/** Packets of these last a multiple of 5 ms; what SRTP adds (4, 10 or 16 octets) never makes another multiple. */
const BLOCKS_PER_SECOND = 200;
const OCTETS_PER_SECOND: Record<string, (format: MediaFormat) => number> = {
  PCMU: ({ clockRateHz, channels }) => clockRateHz * channels,
  PCMA: ({ clockRateHz, channels }) => clockRateHz * channels,
  // Its RTP clock is half its rate, by mistake (RFC 3551 §4.5.2); 64 kbit/s.
  G722: ({ channels }) => 8000 * channels,
  L16: ({ clockRateHz, channels }) => clockRateHz * channels * 2,
};

/** Null for encodings of varying length, and unknown ones: nothing can be told. */
export function looksProtected(header: RtpHeader, formats: readonly MediaFormat[]): boolean | null {
  const format = formats.find(({ payloadType }) => payloadType === header.payloadType);
  if (format === undefined) return null;
  const octets = header.payloadEnd - header.payloadStart;
  if (format.encoding === 'TELEPHONE-EVENT') return octets !== TELEPHONE_EVENT_OCTETS;
  if (!Object.hasOwn(OCTETS_PER_SECOND, format.encoding)) return null;
  const block = OCTETS_PER_SECOND[format.encoding]!(format) / BLOCKS_PER_SECOND;
  return Number.isInteger(block) && block >= 40 ? octets % block !== 0 : null;
}
