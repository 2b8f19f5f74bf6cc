// Audio that says when it was spoken: each second has a tone of its own, so that a recording tells where every part of it belongs.
import type { AudioSource } from '../../src/client/audio.ts';
import { toneLevel } from '../support/listen.ts';

/** The pattern repeats after so many seconds: nothing may be misplaced by a multiple of that unseen. */
const SECONDS = 16;
const FIRST_HZ = { caller: 400, callee: 450 };
const STEP_HZ = 100;
const LEVEL_DBFS = -12;
/** Below, a window holds no tone. */
const HEARD_DB = -26;
export const WINDOW_MS = 100;

export type Party = keyof typeof FIRST_HZ;

const frequency = (party: Party, second: number) =>
  FIRST_HZ[party] + STEP_HZ * (((second % SECONDS) + SECONDS) % SECONDS);

export function spokenClock(party: Party): AudioSource {
  return {
    name: `the ${party}'s clock`,
    durationMs: SECONDS * 1000,
    samples(sampleRateHz) {
      const peak = 32_767 * 10 ** (LEVEL_DBFS / 20);
      return Int16Array.from({ length: SECONDS * sampleRateHz }, (_, index) => {
        const second = Math.floor(index / sampleRateHz);
        // The phase runs on within a second only; whole Hz end where they began.
        return Math.round(peak * Math.sin((2 * Math.PI * frequency(party, second) * index) / sampleRateHz));
      });
    },
  };
}

/** Which second (modulo the pattern) is heard in the window; null for none. */
export function heardSecond(samples: Int16Array, sampleRateHz: number, party: Party, fromMs: number): number | null {
  let best: { second: number; level: number } | null = null;
  for (let second = 0; second < SECONDS; second++) {
    const level = toneLevel(samples, sampleRateHz, frequency(party, second), fromMs, fromMs + WINDOW_MS);
    if (level > (best?.level ?? HEARD_DB)) best = { second, level };
  }
  return best?.second ?? null;
}

export const expectedSecond = (spokenMs: number) => ((Math.floor(spokenMs / 1000) % SECONDS) + SECONDS) % SECONDS;
