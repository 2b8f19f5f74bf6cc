// A made-up dialogue: two voices of buzz and formants take turns. Nobody says a word, but a listener hears who is who.
import type { AudioSource } from './audio.ts';
import { type Random, seededRandom } from './random.ts';

interface Voice {
  name: string;
  pitchHz: number;
  /** Scales the formants: shorter vocal tracts have higher ones. */
  tract: number;
  seed: number;
}

const CALLER: Voice = { name: 'caller voice', pitchHz: 112, tract: 1, seed: 7 };
const CALLEE: Voice = { name: 'callee voice', pitchHz: 205, tract: 1.17, seed: 23 };

/** Who talks when, in ms: a loop of 24 s with a short overlap, as people do. */
const DIALOGUE_MS = 24_000;
const CALLER_TURNS: readonly Turn[] = [
  [0, 2600],
  [5200, 8100],
  [11_600, 12_300],
  [15_000, 18_600],
  [22_400, 23_400],
];
const CALLEE_TURNS: readonly Turn[] = [
  [2900, 4900],
  [8000, 11_200],
  [12_500, 14_700],
  [18_900, 22_100],
];
type Turn = readonly [startMs: number, endMs: number];

/** First formants of some vowels in Hz, with their bandwidths below. */
const VOWELS = [
  [730, 1090, 2440],
  [530, 1840, 2480],
  [390, 1990, 2550],
  [570, 840, 2410],
  [440, 1020, 2240],
  [660, 1720, 2410],
] as const;
const BANDWIDTHS_HZ = [80, 110, 160] as const;
const PEAK = 14_000;

/** Both parties of one dialogue, caller first. Each is silent while the other talks. The same samples every time. */
export function dialogue(): [AudioSource, AudioSource] {
  return [speaker(CALLER, CALLER_TURNS), speaker(CALLEE, CALLEE_TURNS)];
}

function speaker(voice: Voice, turns: readonly Turn[]): AudioSource {
  return {
    name: voice.name,
    durationMs: DIALOGUE_MS,
    samples(sampleRateHz) {
      const random = seededRandom(voice.seed);
      const signal = new Float64Array((DIALOGUE_MS * sampleRateHz) / 1000);
      for (const [startMs, endMs] of turns) {
        for (let atMs: number = startMs; atMs < endMs; ) {
          const lengthMs = Math.min(endMs - atMs, 130 + random.fraction() * 130);
          const tune = 1.12 - (0.25 * (atMs - startMs)) / (endMs - startMs);
          addSyllable(signal, sampleRateHz, voice, random, { atMs, lengthMs, tune });
          atMs += lengthMs + (random.fraction() < 0.2 ? 90 : 15);
        }
      }
      return normalise(signal);
    },
  };
}

interface Syllable {
  atMs: number;
  lengthMs: number;
  /** Pitch relative to the voice's: falls through a turn. */
  tune: number;
}

function addSyllable(
  signal: Float64Array,
  rateHz: number,
  voice: Voice,
  random: Random,
  { atMs, lengthMs, tune }: Syllable,
): void {
  const vowel = VOWELS[Math.floor(random.fraction() * VOWELS.length)]!;
  const formants = vowel.map((hz, index) => resonator(hz * voice.tract, BANDWIDTHS_HZ[index]!, rateHz));
  const hiss = random.fraction() < 0.4 ? 0.12 : 0;
  const start = Math.round((atMs * rateHz) / 1000);
  const length = Math.round((lengthMs * rateHz) / 1000);
  const pitchHz = voice.pitchHz * tune * (0.95 + 0.1 * random.fraction());
  let phase = 0;
  for (let index = 0; index < length && start + index < signal.length; index++) {
    const progress = index / length;
    phase += (pitchHz * (1 + 0.04 * Math.sin(Math.PI * progress))) / rateHz;
    if (phase >= 1) phase -= 1;
    // A falling saw is a fair glottis; the hiss before the vowel passes for a consonant.
    const source = 0.5 - phase + (progress < 0.25 ? hiss * (random.fraction() - 0.5) * 8 : 0);
    const formed = formants[0]!(source) + 0.6 * formants[1]!(source) + 0.3 * formants[2]!(source);
    signal[start + index]! += formed * Math.sin(Math.PI * progress) ** 0.6;
  }
}

/** A two-pole resonator with about unit gain at its centre. */
function resonator(centreHz: number, bandwidthHz: number, rateHz: number): (input: number) => number {
  const radius = Math.exp((-Math.PI * bandwidthHz) / rateHz);
  const feedback = 2 * radius * Math.cos((2 * Math.PI * centreHz) / rateHz);
  const gain = (1 - radius) * Math.sqrt(1 - 2 * radius * Math.cos((4 * Math.PI * centreHz) / rateHz) + radius ** 2);
  let previous = 0;
  let beforePrevious = 0;
  return (input) => {
    const output = gain * input + feedback * previous - radius * radius * beforePrevious;
    beforePrevious = previous;
    previous = output;
    return output;
  };
}

function normalise(signal: Float64Array): Int16Array {
  let peak = 1e-9;
  for (const value of signal) peak = Math.max(peak, Math.abs(value));
  return Int16Array.from(signal, (value) => Math.round((value * PEAK) / peak));
}
