import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import wavefile from 'wavefile';
import { silence, tone, tonePair } from '../../src/client/audio.ts';
import { CLIENT_CODECS } from '../../src/client/codec.ts';
import { encodedLoop } from '../../src/client/encoded-loop.ts';
import { dialogue } from '../../src/client/speech.ts';
import { readWavSources } from '../../src/client/wav-audio.ts';
import { ALAW_TO_LINEAR, ULAW_TO_LINEAR } from '../../src/render/codecs/g711.ts';
import { toneLevel } from '../support/listen.ts';

const level = (samples: Int16Array, rateHz: number, hz: number) =>
  toneLevel(samples, rateHz, hz, 0, (samples.length * 1000) / rateHz);
const power = (samples: Int16Array) => samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;

describe('sources', () => {
  test('a tone has its frequency, −12 dBFS, and loops without a seam', () => {
    const [left, right] = tonePair();
    const samples = left.samples(8000);
    expect(level(samples, 8000, 440)).toBeCloseTo(-12, 1);
    expect(level(samples, 8000, 880)).toBeLessThan(-80);
    expect(level(right.samples(16000), 16000, 880)).toBeCloseTo(-12, 1);
    expect(level(Int16Array.from([...samples, ...samples]), 8000, 440)).toBeCloseTo(-12, 1);
  });

  test('in the dialogue one speaks while the other is silent, in voices of different pitch', () => {
    const [caller, callee] = dialogue();
    expect(caller.durationMs).toBe(callee.durationMs);
    const [first, second] = [caller.samples(8000), callee.samples(8000)];
    const part = (samples: Int16Array, fromMs: number, toMs: number) => samples.subarray(fromMs * 8, toMs * 8);
    expect(power(part(first, 200, 2400))).toBeGreaterThan(1e5);
    expect(power(part(second, 0, 2800))).toBe(0);
    expect(power(part(second, 3000, 4800))).toBeGreaterThan(1e5);
    expect(power(part(first, 3000, 5000))).toBe(0);
    // Autocorrelation finds the glottis: around 112 Hz and 205 Hz with the melody's 15 % either way.
    expect(pitchOf(part(first, 0, 2600))).toBeGreaterThan(90);
    expect(pitchOf(part(first, 0, 2600))).toBeLessThan(140);
    expect(pitchOf(part(second, 2900, 4900))).toBeGreaterThan(165);
    expect(pitchOf(part(second, 2900, 4900))).toBeLessThan(250);
    expect(dialogue()[0].samples(8000)).toEqual(first);
  });
});

/** The lag of the strongest autocorrelation between 70 and 350 Hz, as a frequency. */
function pitchOf(samples: Int16Array): number {
  let best = 0;
  let bestLag = 0;
  for (let lag = Math.floor(8000 / 350); lag <= 8000 / 70; lag++) {
    let sum = 0;
    for (let index = lag; index < samples.length; index++) sum += samples[index]! * samples[index - lag]!;
    if (sum > best) [best, bestLag] = [sum, lag];
  }
  return 8000 / bestLag;
}

describe('WAV files', () => {
  async function wavPath(make: (wav: InstanceType<typeof wavefile.WaveFile>) => void): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'sipreel-wav-'));
    onTestFinished(() => rm(directory, { recursive: true }));
    const wav = new wavefile.WaveFile();
    make(wav);
    await writeFile(join(directory, 'file.wav'), wav.toBuffer());
    return join(directory, 'file.wav');
  }

  test('stereo gives two parties; 48 kHz is brought to the rate of the codec', async () => {
    const path = await wavPath((wav) =>
      wav.fromScratch(2, 48000, '16', [tone(440).samples(48000), tone(880).samples(48000)]),
    );
    const sources = await readWavSources([path]);
    expect(sources.map(({ name, durationMs }) => ({ name, durationMs }))).toEqual([
      { name: 'file.wav channel 1', durationMs: 1000 },
      { name: 'file.wav channel 2', durationMs: 1000 },
    ]);
    expect(level(sources[0]!.samples(8000), 8000, 440)).toBeCloseTo(-12, 0);
    expect(level(sources[1]!.samples(8000), 8000, 880)).toBeCloseTo(-12, 0);
    expect(level(sources[1]!.samples(8000), 8000, 440)).toBeLessThan(-50);
  });

  test('two mono files, one of them µ-law and one of 32-bit floats', async () => {
    const first = await wavPath((wav) => {
      wav.fromScratch(1, 8000, '16', tone(500).samples(8000));
      wav.toMuLaw();
    });
    const second = await wavPath((wav) => {
      wav.fromScratch(1, 8000, '16', tone(700).samples(8000));
      wav.toBitDepth('32f');
    });
    const sources = await readWavSources([first, second]);
    expect(sources.map((source) => level(source.samples(8000), 8000, source === sources[0] ? 500 : 700))).toEqual([
      expect.closeTo(-12, 0),
      expect.closeTo(-12, 0),
    ]);
  });

  test('what is no WAV is refused in words', async () => {
    const path = await wavPath((wav) => wav.fromScratch(1, 8000, '16', [0]));
    await writeFile(path, 'nonsense');
    await expect(readWavSources([path])).rejects.toThrow(/file\.wav cannot be read as WAV: /);
    await expect(readWavSources([`${path}x`])).rejects.toThrow(/ENOENT/);
  });
});

describe('encoded loops', () => {
  test('are cut into 20 ms packets, filled up, and decode to the source', () => {
    const source = {
      name: 'short',
      durationMs: 25,
      samples: (rateHz: number) =>
        tone(440)
          .samples(rateHz)
          .subarray(0, rateHz / 40),
    };
    const loop = encodedLoop(source, CLIENT_CODECS.pcmu);
    expect(loop).toMatchObject({ packetOctets: 160, packetCount: 2 });
    const decoded = Array.from(loop.octets, (code) => ULAW_TO_LINEAR[code]!);
    const wanted = source.samples(8000);
    expect(Math.max(...decoded.slice(0, 200).map((sample, index) => Math.abs(sample - wanted[index]!)))).toBeLessThan(
      300,
    );
    expect(decoded.slice(200)).toEqual(Array(120).fill(0));
  });

  test.each([
    ['pcma', 160, 8000],
    ['l16', 640, 16000],
  ] as const)('%s', (name, packetOctets, rateHz) => {
    const loop = encodedLoop(tone(440), CLIENT_CODECS[name]);
    expect(loop).toMatchObject({ packetOctets, packetCount: 50 });
    const octets = Buffer.from(loop.octets);
    const decoded = Int16Array.from({ length: rateHz }, (_, index) =>
      name === 'l16' ? octets.readInt16BE(index * 2) : ALAW_TO_LINEAR[octets[index]!]!,
    );
    expect(level(decoded, rateHz, 440)).toBeCloseTo(-12, 1);
  });

  test('are encoded once per source and codec', () => {
    const source = silence();
    expect(encodedLoop(source, CLIENT_CODECS.pcmu)).toBe(encodedLoop(source, CLIENT_CODECS.pcmu));
    expect(encodedLoop(source, CLIENT_CODECS.pcmu)).not.toBe(encodedLoop(source, CLIENT_CODECS.pcma));
  });
});
