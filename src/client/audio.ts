// What a party says: sources of samples that repeat for as long as the call lasts.

/** 16-bit samples of one party, as a loop. Sources compare by identity: share one between calls and it is encoded once. */
export interface AudioSource {
  /** For messages to people. */
  readonly name: string;
  /** Length of one loop in ms. */
  readonly durationMs: number;
  /** One loop at that sampling rate. May take some milliseconds of CPU per second of audio. */
  samples(sampleRateHz: number): Int16Array;
}

const FULL_SCALE = 32767;

/** A steady sine. Its peak is `levelDbfs` below full scale. Only whole Hz loop without a click. */
export function tone(frequencyHz: number, levelDbfs = -12): AudioSource {
  const peak = FULL_SCALE * 10 ** (levelDbfs / 20);
  return {
    name: `${frequencyHz} Hz`,
    durationMs: 1000,
    samples(sampleRateHz) {
      const step = (2 * Math.PI * frequencyHz) / sampleRateHz;
      return Int16Array.from({ length: sampleRateHz }, (_, index) => Math.round(peak * Math.sin(step * index)));
    },
  };
}

export function silence(): AudioSource {
  return { name: 'silence', durationMs: 1000, samples: (sampleRateHz) => new Int16Array(sampleRateHz) };
}

/** 440 Hz for the caller, 880 Hz for the callee. */
export function tonePair(): [AudioSource, AudioSource] {
  return [tone(440), tone(880)];
}
