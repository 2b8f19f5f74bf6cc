// Where a packet goes: finds the stretch that pass 1 gave it to, and asks its map.
import type { Extent, StreamAnalysis } from './analyse.ts';
import { ArrivalChain } from './arrival-chain.ts';
import { ClockMap } from './clock-map.ts';
import { SequenceClock } from './sequence-clock.ts';
import { type Stretch, unwrapTick } from './stretch.ts';

/** A stretch with its map, as both the second pass and the key presses need it. */
export interface MappedStretch extends Extent {
  stretch: Stretch;
  map: ClockMap;
}

export function mapStretches(stretches: readonly Stretch[]): MappedStretch[] {
  return stretches.map((stretch) => {
    const map = new ClockMap(stretch);
    const { firstTick, endTick, baseLengthMs: leadMs } = stretch;
    return { stretch, map, startMs: map.timeMs(firstTick), endMs: map.timeMs(endTick), leadMs };
  });
}

/** RTP time to ticks of the stretch, taking the arrival time to tell the wraps. */
export function tickIn({ stretch }: MappedStretch, rtpTime: number, arrivalMs: number): number {
  return unwrapTick(rtpTime, stretch.baseRtpTime, arrivalMs - stretch.baseSpokenMs, 0, stretch.clockRateHz);
}

/** For one stream. Must be shown every audio packet, in the same order as in pass 1. */
export class Locator {
  /** Of the packet last located: ms on the line of the arrival times. Consecutive packets of a stretch meet exactly. */
  startMs = 0;
  endMs = 0;
  /** Tells stretches apart, 1–255. */
  tag = 1;

  readonly #stretches: readonly MappedStretch[];
  readonly #chainedFrom: number;
  readonly #sequenceClock: SequenceClock | null;
  readonly #chain = new ArrivalChain();
  #packet = 0;
  #next = 0;
  /** The latest stretch of each SSRC, the one used last in front. */
  readonly #open: { at: number; mapped: MappedStretch }[] = [];

  constructor(analysis: StreamAnalysis, stretches: readonly MappedStretch[], placement: 'rtp-time' | 'arrival') {
    this.#stretches = stretches;
    this.#chainedFrom = analysis.chainedFrom ?? Number.POSITIVE_INFINITY;
    this.#sequenceClock = placement === 'arrival' ? new SequenceClock() : null;
  }

  /** @param ticks length of the packet in RTP time. @returns false if it belongs to no stretch. */
  locate(
    header: { ssrc: number; sequenceNumber: number; rtpTime: number },
    ticks: number,
    clockRateHz: number,
    arrivalMs: number,
  ): boolean {
    const { ssrc } = header;
    const packet = this.#packet++;
    const time = this.#sequenceClock?.read(ssrc, header.sequenceNumber, ticks) ?? header.rtpTime;
    if (packet >= this.#chainedFrom) {
      const durationMs = (ticks * 1000) / clockRateHz;
      this.startMs = this.#chain.place(arrivalMs - durationMs, durationMs);
      this.endMs = this.startMs + durationMs;
      this.tag = 255;
      return true;
    }
    while (this.#next < this.#stretches.length && this.#stretches[this.#next]!.stretch.firstPacket <= packet) {
      this.#begin(this.#next++);
    }
    const open = this.#find(ssrc);
    if (open === null || open.mapped.stretch.clockRateHz !== clockRateHz) return false;
    const tick = tickIn(open.mapped, time, arrivalMs);
    this.startMs = open.mapped.map.timeMs(tick);
    this.endMs = open.mapped.map.timeMs(tick + ticks);
    this.tag = 1 + (open.at % 254);
    return true;
  }

  #begin(at: number): void {
    const mapped = this.#stretches[at]!;
    const same = this.#open.findIndex((open) => open.mapped.stretch.ssrc === mapped.stretch.ssrc);
    if (same >= 0) this.#open.splice(same, 1);
    this.#open.unshift({ at, mapped });
    // Pass 1 tells four sources apart; what it closed may still be found here, which does no harm.
    if (this.#open.length > 8) this.#open.pop();
  }

  #find(ssrc: number): { at: number; mapped: MappedStretch } | null {
    const open = this.#open;
    for (let i = 0; i < open.length; i++) {
      const found = open[i]!;
      if (found.mapped.stretch.ssrc !== ssrc) continue;
      if (i > 0) {
        open.splice(i, 1);
        open.unshift(found);
      }
      return found;
    }
    return null;
  }
}
