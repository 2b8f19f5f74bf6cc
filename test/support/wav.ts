// WAV files as other programs write them, to be handed in.
import { linearToAlaw, linearToUlaw } from '../../src/render/codecs/g711.ts';

export interface WavToMake {
  coding?: 'pcm16' | 'pcm8' | 'pcm24' | 'alaw' | 'mulaw' | 'gsm';
  channels?: number;
  sampleRateHz?: number;
  durationMs?: number;
  /** Per channel; 0 is silence. */
  tonesHz?: number[];
}

const TAGS = { pcm16: 1, pcm8: 1, pcm24: 1, alaw: 6, mulaw: 7, gsm: 0x31 };
const BITS = { pcm16: 16, pcm8: 8, pcm24: 24, alaw: 8, mulaw: 8, gsm: 0 };

/** Half of full scale where there is a tone. GSM is noise of the right length. */
export function makeWav(wanted: WavToMake = {}): Buffer {
  const { coding = 'pcm16', channels = 1, sampleRateHz = 8000, durationMs = 200, tonesHz = [440, 880] } = wanted;
  const frames = (durationMs * sampleRateHz) / 1000;
  const octets = BITS[coding] / 8;
  const data =
    coding === 'gsm' ? Buffer.alloc(Math.ceil(frames / 320) * 65, 0xd5) : Buffer.alloc(frames * channels * octets);
  for (let frame = 0, at = 0; coding !== 'gsm' && frame < frames; frame++) {
    for (let channel = 0; channel < channels; channel++, at += octets) {
      const sample = Math.round(16_384 * Math.sin((2 * Math.PI * (tonesHz[channel] ?? 0) * frame) / sampleRateHz));
      if (coding === 'pcm16') data.writeInt16LE(sample, at);
      else if (coding === 'pcm24') data.writeIntLE(sample * 256, at, 3);
      else if (coding === 'pcm8') data[at] = (sample >> 8) + 128;
      else data[at] = coding === 'alaw' ? linearToAlaw(sample) : linearToUlaw(sample);
    }
  }
  const block = coding === 'gsm' ? 65 : octets * channels;
  const fmt = Buffer.alloc(coding === 'gsm' ? 20 : 16);
  fmt.writeUInt16LE(TAGS[coding], 0);
  fmt.writeUInt16LE(channels, 2);
  fmt.writeUInt32LE(sampleRateHz, 4);
  fmt.writeUInt32LE(coding === 'gsm' ? 1625 : sampleRateHz * block, 8);
  fmt.writeUInt16LE(block, 12);
  fmt.writeUInt16LE(BITS[coding], 14);
  if (coding === 'gsm') {
    fmt.writeUInt16LE(2, 16);
    fmt.writeUInt16LE(320, 18);
  }
  const padding = Buffer.alloc(data.length % 2);
  const body = Buffer.concat([Buffer.from('WAVE'), chunk('fmt ', fmt), chunk('data', data), padding]);
  return chunk('RIFF', body);
}

function chunk(id: string, content: Buffer): Buffer {
  const head = Buffer.alloc(8, id);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}
