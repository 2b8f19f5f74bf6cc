// Is this the audio that was sent? Compared sample by sample against what was sent, not by its length or existence.

/**
 * Correlation (−1…1) of a stretch of `heard` with `sent`, best within ±`slackSamples` around the expected place. 1 is the same audio.
 * Also returns where it was found, in samples from the expected place.
 */
export function likeness(
  heard: Int16Array,
  heardAt: number,
  sent: Int16Array,
  sentAt: number,
  length: number,
  slackSamples: number,
): { correlation: number; shift: number } {
  let best = { correlation: -1, shift: 0 };
  for (let shift = -slackSamples; shift <= slackSamples; shift++) {
    const correlation = correlate(heard, heardAt + shift, sent, sentAt, length);
    if (correlation > best.correlation) best = { correlation, shift };
  }
  return best;
}

function correlate(a: Int16Array, aAt: number, b: Int16Array, bAt: number, length: number): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < length; i++) {
    const x = a[aAt + i] ?? 0;
    const y = b[bAt + i] ?? 0;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
