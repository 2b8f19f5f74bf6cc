// The codecs that the client can send (RFC 3551 §4.5.10, §4.5.11, §4.5.14) and the payload types it offers them with.

export type CodecName = 'pcmu' | 'pcma' | 'l16';

/** One m-line's audio format, with telephone-event beside it (RFC 4733) on the same clock. */
export interface ClientCodec {
  name: CodecName;
  payloadType: number;
  encoding: 'PCMU' | 'PCMA' | 'L16';
  clockRateHz: number;
  octetsPerSample: 1 | 2;
}

export const PACKET_MS = 20;
export const TELEPHONE_EVENT_PAYLOAD_TYPE = 101;

/** L16 is offered at 16 kHz under a dynamic number: RFC 3551's static 10 and 11 are 44.1 kHz. */
export const CLIENT_CODECS: Record<CodecName, ClientCodec> = {
  pcmu: { name: 'pcmu', payloadType: 0, encoding: 'PCMU', clockRateHz: 8000, octetsPerSample: 1 },
  pcma: { name: 'pcma', payloadType: 8, encoding: 'PCMA', clockRateHz: 8000, octetsPerSample: 1 },
  l16: { name: 'l16', payloadType: 96, encoding: 'L16', clockRateHz: 16000, octetsPerSample: 2 },
};

/** Samples in one packet of PACKET_MS. */
export function packetSamples(codec: ClientCodec): number {
  return (codec.clockRateHz * PACKET_MS) / 1000;
}

export function isCodecName(name: string): name is CodecName {
  return Object.hasOwn(CLIENT_CODECS, name);
}
