// Parties' audio from WAV files: one channel is one party.
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import wavefile from 'wavefile';
import type { AudioSource } from './audio.ts';

const MAX_FILE_OCTETS = 100 * 1024 * 1024;

/**
 * One source per channel of each file, in order: a stereo file gives caller and callee, two mono files as well.
 * Rejects with a sentence for the operator when a file is missing, too big (100 MB), empty or no WAV that wavefile reads.
 */
export async function readWavSources(paths: readonly string[]): Promise<AudioSource[]> {
  const sources: AudioSource[] = [];
  for (const path of paths) sources.push(...(await readWav(path)));
  return sources;
}

async function readWav(path: string): Promise<AudioSource[]> {
  const { size } = await stat(path);
  if (size > MAX_FILE_OCTETS) throw new Error(`${path} is larger than 100 MB: give a shorter excerpt.`);
  const octets = await readFile(path);
  try {
    return channelsOf(octets, basename(path));
  } catch (error) {
    throw new Error(`${path} cannot be read as WAV: ${(error as Error).message}`, { cause: error });
  }
}

function channelsOf(octets: Uint8Array, name: string): AudioSource[] {
  const wav = new wavefile.WaveFile(octets);
  // G.711 in WAV first becomes PCM; the bit depth change then scales floats and 24 bits.
  const { numChannels, sampleRate } = wav.fmt as { numChannels: number; sampleRate: number };
  if (wav.bitDepth === '8a') wav.fromALaw();
  else if (wav.bitDepth === '8m') wav.fromMuLaw();
  if (wav.bitDepth !== '16') wav.toBitDepth('16');
  const channels = numChannels === 1 ? [wav.getSamples(false)] : (wav.getSamples(false) as unknown as Float64Array[]);
  return channels.map((samples, index): AudioSource => {
    if (samples.length === 0) throw new Error('it holds no samples');
    const own = Int16Array.from(samples);
    return {
      name: channels.length === 1 ? name : `${name} channel ${index + 1}`,
      durationMs: (own.length * 1000) / sampleRate,
      samples: (rateHz) => (rateHz === sampleRate ? own : resample(own, sampleRate, rateHz)),
    };
  });
}

/** wavefile's resampler, with its low-pass filter: good enough for a test call. */
function resample(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  const wav = new wavefile.WaveFile();
  wav.fromScratch(1, fromHz, '16', samples);
  wav.toSampleRate(toHz, { method: 'linear', LPF: toHz < fromHz });
  return Int16Array.from(wav.getSamples(false) as unknown as Float64Array);
}
