// When the streams that stand in for another one had packets: nothing of that one is heard then.
import type { Analysis } from './analyse.ts';

export class Covered {
  readonly #spans: { startMs: number; endMs: number }[];

  constructor(standIns: readonly string[], { streams }: Pick<Analysis, 'streams'>) {
    this.#spans = streams
      .filter(({ figures }) => standIns.includes(figures.streamId))
      .map(({ figures }) => ({
        startMs: figures.firstPacketMs ?? Number.NaN,
        endMs: figures.lastPacketMs ?? Number.NaN,
      }));
  }

  /** @param unixMs arrival, as recorded */
  at(unixMs: number): boolean {
    return this.#spans.some(({ startMs, endMs }) => unixMs >= startMs && unixMs <= endMs);
  }
}
