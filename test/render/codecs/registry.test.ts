// Which formats are decoded, and what L16 becomes.
import { describe, expect, test } from 'vitest';
import type { MediaFormat } from '../../../src/recording/media.ts';
import { decodeUlaw, linearToUlaw } from '../../../src/render/codecs/g711.ts';
import { encodeL16 } from '../../../src/render/codecs/l16.ts';
import { createDecoder } from '../../../src/render/codecs/registry.ts';

const format = (encoding: string, clockRateHz: number, channels = 1): MediaFormat => ({
  payloadType: 96,
  encoding,
  clockRateHz,
  channels,
  fmtp: null,
});

function decode(of: MediaFormat, payload: Uint8Array): number[] {
  const decoder = createDecoder(of)!;
  const out = new Int16Array(decoder.samplesIn(payload.length));
  decoder.decode(payload, 0, payload.length, out, 0);
  return [...out];
}

describe('L16', () => {
  test('network byte order, signed; an odd last octet is left out', () => {
    expect(decode(format('L16', 16_000), Uint8Array.of(0x01, 0x02, 0xff, 0xfe, 0x80, 0x00, 0x7f))).toEqual([
      258, -2, -32768,
    ]);
  });

  test('encoding and decoding are inverse', () => {
    const samples = Int16Array.from([0, 1, -1, 256, -256, 32767, -32768]);
    expect(decode(format('L16', 8000), encodeL16(samples))).toEqual([...samples]);
  });

  test('channels are mixed down to their mean', () => {
    const interleaved = encodeL16(Int16Array.from([100, 300, -32768, -32768, 32767, -32767]));
    expect(decode(format('L16', 44_100, 2), interleaved)).toEqual([200, -32768, 0]);
  });
});

test('G.711: channels interleaved octet by octet are mixed down, an incomplete last one is left out', () => {
  const [loud, soft] = [linearToUlaw(8000), linearToUlaw(-1000)];
  const mean = Math.round((decodeUlaw(loud) + decodeUlaw(soft)) / 2);
  expect(decode(format('PCMU', 8000, 2), Uint8Array.of(loud, soft, soft, loud, loud))).toEqual([mean, mean]);
});

test('the sample rate is that of the format', () => {
  expect(
    [format('PCMU', 8000), format('pcma', 16_000), format('L16', 48_000)].map((f) => createDecoder(f)?.sampleRateHz),
  ).toEqual([8000, 16_000, 48_000]);
});

test.each([
  format('G729', 8000),
  format('OPUS', 48_000, 2),
  format('TELEPHONE-EVENT', 8000),
  format('CONSTRUCTOR', 8000),
  format('L16', 0),
  format('L16', 4_000_000_000),
  format('L16', 8000.5),
  format('L16', 8000, 0),
  format('L16', 8000, 1000),
  format('PCMU', 8000, 9),
])('no decoder for %o', (unknown) => {
  expect(createDecoder(unknown)).toBeNull();
});
