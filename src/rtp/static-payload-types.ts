// The payload types that mean something without an rtpmap (RFC 3551 §6, tables 4 and 5).

export interface StaticPayloadType {
  readonly payloadType: number;
  readonly encoding: string;
  readonly clockRateHz: number;
  /** 1 for video. */
  readonly channels: number;
}

const audio = (payloadType: number, encoding: string, clockRateHz: number, channels = 1): StaticPayloadType =>
  Object.freeze({ payloadType, encoding, clockRateHz, channels });
const video = (payloadType: number, encoding: string): StaticPayloadType => audio(payloadType, encoding, 90_000);

/** By payload type number. 1, 2, 19 and what is missing are reserved or unassigned. */
export const STATIC_PAYLOAD_TYPES: ReadonlyMap<number, StaticPayloadType> = new Map(
  [
    audio(0, 'PCMU', 8000),
    audio(3, 'GSM', 8000),
    audio(4, 'G723', 8000),
    audio(5, 'DVI4', 8000),
    audio(6, 'DVI4', 16_000),
    audio(7, 'LPC', 8000),
    audio(8, 'PCMA', 8000),
    // G.722 samples at 16 kHz; its RTP clock is 8000 for historical reasons (§4.5.2).
    audio(9, 'G722', 8000),
    audio(10, 'L16', 44_100, 2),
    audio(11, 'L16', 44_100),
    audio(12, 'QCELP', 8000),
    audio(13, 'CN', 8000),
    audio(14, 'MPA', 90_000),
    audio(15, 'G728', 8000),
    audio(16, 'DVI4', 11_025),
    audio(17, 'DVI4', 22_050),
    audio(18, 'G729', 8000),
    video(25, 'CELB'),
    video(26, 'JPEG'),
    video(28, 'NV'),
    video(31, 'H261'),
    video(32, 'MPV'),
    video(33, 'MP2T'),
    video(34, 'H263'),
  ].map((type) => [type.payloadType, type]),
);
