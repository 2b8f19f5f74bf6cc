// Windowed-sinc interpolation: fixed rates for whole streams, and single packets by a sample more or less.

/** Zero crossings on either side of the kernel's middle. */
const HALF_TAPS = 32;
/** Passband edge relative to the lower of the two Nyquist frequencies. */
const CUTOFF = 0.94;
/** Kaiser window: stopband about -80 dB, transition band about 0.16 of the lower Nyquist frequency. */
const KAISER_BETA = 8;
/** Phases of the kernel. Ratios that need more (7999 to 48000) take the nearest of them: noise about -60 dB. */
const MAX_PHASES = 1024;

/**
 * Converts blocks that begin on a whole second, from one integer rate to another. It keeps no state: the caller gives
 * `margin` frames of context on both sides.
 */
export class Resampler {
  /** Input frames needed before and behind the block. */
  readonly margin: number;
  readonly #inputRateHz: number;
  readonly #outputRateHz: number;
  readonly #phases: number;
  readonly #taps: number;
  readonly #kernel: Float32Array;

  constructor(inputRateHz: number, outputRateHz: number) {
    this.#inputRateHz = inputRateHz;
    this.#outputRateHz = outputRateHz;
    const scale = Math.max(1, inputRateHz / outputRateHz);
    const half = Math.ceil(HALF_TAPS * scale);
    this.margin = half;
    this.#taps = 2 * half;
    this.#phases = Math.min(MAX_PHASES, outputRateHz / commonDivisor(inputRateHz, outputRateHz));
    this.#kernel = sincKernel(this.#phases, half, CUTOFF / scale, KAISER_BETA);
  }

  /**
   * Adds `frames` output samples to `output`.
   * @param input begins `margin` frames before the block and reaches `margin + 1` frames behind it
   */
  addTo(output: Float32Array, frames: number, input: Int16Array): void {
    const taps = this.#taps;
    const phases = this.#phases;
    const kernel = this.#kernel;
    const rateIn = this.#inputRateHz;
    const rateOut = this.#outputRateHz;
    for (let frame = 0; frame < frames; frame++) {
      const scaled = frame * rateIn;
      let whole = Math.floor(scaled / rateOut);
      let phase = Math.round(((scaled - whole * rateOut) * phases) / rateOut);
      if (phase === phases) {
        phase = 0;
        whole++;
      }
      const from = phase * taps;
      // Tap 0 lies half - 1 frames before the position; `input` begins half frames before frame 0.
      const at = whole + 1;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += kernel[from + tap]! * input[at + tap]!;
      output[frame] = output[frame]! + sum;
    }
  }
}

const STRETCH_HALF_TAPS = 8;
const STRETCH_PHASES = 512;
let stretchKernel: Float32Array | null = null;

/**
 * Fits `samples` values into `places`, a few more or fewer, for a clock that drifts. The first value stays the first,
 * so that packets still join; beyond the ends the outermost values are repeated, where the kernel hardly looks.
 */
export function fitSamples(input: Int16Array, samples: number, output: Int16Array, places: number): void {
  stretchKernel ??= sincKernel(STRETCH_PHASES, STRETCH_HALF_TAPS, 1, 6);
  const kernel = stretchKernel;
  const taps = 2 * STRETCH_HALF_TAPS;
  const last = samples - 1;
  for (let place = 0; place < places; place++) {
    const position = (place * samples) / places;
    let whole = Math.floor(position);
    let phase = Math.round((position - whole) * STRETCH_PHASES);
    if (phase === STRETCH_PHASES) {
      phase = 0;
      whole++;
    }
    if (phase === 0) {
      output[place] = input[Math.min(whole, last)]!;
      continue;
    }
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const at = whole + tap - STRETCH_HALF_TAPS + 1;
      sum += kernel[phase * taps + tap]! * input[Math.max(0, Math.min(at, last))]!;
    }
    output[place] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : Math.round(sum);
  }
}

/** `phases` rows of 2·half taps, each with a sum of 1. Row p interpolates p/phases behind tap half - 1. */
function sincKernel(phases: number, half: number, cutoff: number, beta: number): Float32Array {
  const taps = 2 * half;
  const kernel = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - (half - 1) - phase / phases;
      const value = sinc(x * cutoff) * kaiser(x / half, beta);
      kernel[phase * taps + tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < taps; tap++) kernel[phase * taps + tap] = kernel[phase * taps + tap]! / sum;
  }
  return kernel;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number, beta: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel0(beta * Math.sqrt(1 - x * x)) / bessel0(beta);
}

/** Modified Bessel function of order 0, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
