// From a stretch's RTP time to true time: a piecewise-linear map through the packets that were least late.
import type { Stretch } from './stretch.ts';

/** Beyond the estimated drift, the map may bend by so much. What is steeper is the network's delay, not a clock. */
const BEND_PPM = 300;
/** Below this the estimate is not used: the bend covers it, and a few slow packets cannot mislead it. */
const TRUSTED_DRIFT_PPM = 200;
/** No clock is that wrong; a larger drift is something else and is not followed. */
const LARGEST_DRIFT_PPM = 10_000;
/** Points that an estimate needs: about a minute. */
const DRIFT_POINTS = 7;

/**
 * Delay = true transmission delay + network jitter + drift of the sender's clock. Jitter only adds, so the lower
 * envelope of the delays shows the drift. The envelope's points are taken as an upper bound and made Lipschitz: the map
 * follows every drift up to the bend, but a congested minute between two good ones does not move it.
 *
 *   delay   .   .  : .            . : packets
 *     │   .  . _______*-----.        * : lowest of a window
 *     │ *-----*    ^ not followed    - : the map
 *     └────────────────────────▶ RTP time
 */
export class ClockMap {
  readonly #ticks: Float64Array;
  readonly #timesMs: Float64Array;
  /** ms per tick before the first knot and behind the last. */
  readonly #outerSlope: number;
  // The segment used last: calls come in the order of time.
  #from = Number.POSITIVE_INFINITY;
  #to = Number.NEGATIVE_INFINITY;
  #slope = 0;
  #originTick = 0;
  #originMs = 0;

  constructor(stretch: Stretch) {
    const { envelopeTicks, envelopeDelaysMs, clockRateHz, baseSpokenMs } = stretch;
    const drift = followedDrift(stretch);
    const rest = Float64Array.from(
      envelopeTicks,
      (tick, i) => envelopeDelaysMs[i]! - (drift * tick * 1000) / clockRateHz,
    );
    boundSlope(rest, envelopeTicks, (BEND_PPM * 1e-6 * 1000) / clockRateHz);
    this.#outerSlope = ((1 + drift) * 1000) / clockRateHz;
    this.#ticks = Float64Array.from(envelopeTicks);
    this.#timesMs = rest.map((delayMs, i) => baseSpokenMs + envelopeTicks[i]! * this.#outerSlope + delayMs);
  }

  /** True time of a tick, ms on the line of the arrival times. Strictly increasing and continuous; ticks may be fractional and outside the stretch. */
  timeMs(tick: number): number {
    if (tick < this.#from || tick >= this.#to) this.#seek(tick);
    return this.#originMs + (tick - this.#originTick) * this.#slope;
  }

  #seek(tick: number): void {
    const ticks = this.#ticks;
    const times = this.#timesMs;
    let low = 0;
    let high = ticks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ticks[middle]! <= tick) low = middle + 1;
      else high = middle;
    }
    // `low` is the number of knots at or before the tick.
    const knot = Math.max(0, low - 1);
    this.#originTick = ticks[knot]!;
    this.#originMs = times[knot]!;
    this.#from = low === 0 ? Number.NEGATIVE_INFINITY : ticks[knot]!;
    this.#to = low === ticks.length ? Number.POSITIVE_INFINITY : ticks[low]!;
    const inside = low > 0 && low < ticks.length;
    this.#slope = inside ? (times[low]! - times[knot]!) / (ticks[low]! - ticks[knot]!) : this.#outerSlope;
  }
}

/**
 * How much faster the sender's clock runs than ours, in parts per million (its delay falls then); null when there are
 * too few points to tell. The median over pairs half the stretch apart: a third of the windows may be congested.
 */
export function driftPpm(stretch: Stretch): number | null {
  const { envelopeTicks: ticks, envelopeDelaysMs: delays, clockRateHz } = stretch;
  if (ticks.length < DRIFT_POINTS) return null;
  const half = Math.floor(ticks.length / 2);
  const slopes = new Float64Array(ticks.length - half);
  for (let i = 0; i < slopes.length; i++) {
    const spanMs = ((ticks[i + half]! - ticks[i]!) * 1000) / clockRateHz;
    slopes[i] = (delays[i + half]! - delays[i]!) / spanMs;
  }
  slopes.sort();
  const middle = slopes.length >> 1;
  const median = slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
  return -median * 1e6;
}

/** Delay per time that the map follows in any case, without unit. */
function followedDrift(stretch: Stretch): number {
  const ppm = driftPpm(stretch);
  if (ppm === null || Math.abs(ppm) < TRUSTED_DRIFT_PPM || Math.abs(ppm) > LARGEST_DRIFT_PPM) return 0;
  return -ppm * 1e-6;
}

/** Lowers values until neighbours differ by at most `slope` per tick. */
function boundSlope(values: Float64Array, ticks: readonly number[], slope: number): void {
  for (let i = 1; i < values.length; i++) {
    values[i] = Math.min(values[i]!, values[i - 1]! + slope * (ticks[i]! - ticks[i - 1]!));
  }
  for (let i = values.length - 2; i >= 0; i--) {
    values[i] = Math.min(values[i]!, values[i + 1]! + slope * (ticks[i + 1]! - ticks[i]!));
  }
}
