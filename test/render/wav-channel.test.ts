import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { wavFacts } from '../../src/archive/wav-facts.ts';
import { wavChannel } from '../../src/render/wav-channel.ts';
import { makeWav, type WavToMake } from '../support/wav.ts';

/** In pieces that end inside of frames. */
const sourceOf = (wav: Buffer) => ({
  octets: wav.length,
  read: (first: number, last: number) => {
    const part = wav.subarray(first, last + 1);
    return Readable.from(Array.from({ length: Math.ceil(part.length / 7) }, (_, i) => part.subarray(7 * i, 7 * i + 7)));
  },
});
const channelOf = (wav: Buffer, channel: number) => buffer(Readable.from(wavChannel(sourceOf(wav), channel)));

test.each(['pcm16', 'pcm8', 'pcm24', 'alaw', 'mulaw'] as const)(
  'each channel of %s is what was put in',
  async (coding) => {
    const wanted: WavToMake = { coding, durationMs: 101, sampleRateHz: 1000 };
    const stereo = makeWav({ ...wanted, channels: 2, tonesHz: [100, 250] });
    for (const [channel, toneHz] of [100, 250].entries()) {
      const own = await channelOf(stereo, channel);
      expect(own.equals(makeWav({ ...wanted, tonesHz: [toneHz] }))).toBe(true);
      expect(wavFacts(own, own.length)).toMatchObject({ channels: 1, durationMs: 101 });
    }
  },
);

test('what cannot be taken apart is told', async () => {
  await expect(channelOf(makeWav(), 1)).rejects.toThrow('one channel');
  await expect(channelOf(makeWav({ coding: 'gsm' }), 0)).rejects.toThrow('cannot be taken apart');
  await expect(channelOf(Buffer.from('RIFF'), 0)).rejects.toThrow('cannot be taken apart');
});
