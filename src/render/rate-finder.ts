// Finds where a stream's payload changes its rate under an unchanging label (mod_oreka; placement 'arrival').
import { Interleaving, type Layout } from './interleaving.ts';
import { RateBlock, USUAL_RATE_HZ } from './rate-block.ts';

/** A change of the packet size ends a block if so many of one size came before it; else it is no change but a habit. */
const MIN_SAME_SIZE = 16;
/** An unusual rate must hold for so much audio. */
const CONFIRM_MS = 1000;
/** Without a change of the packet size it must outweigh what was held back before it by so much: a burst is no rate. */
const BURST_MARGIN_MS = 500;
/** Shorter ones that could not be decided are not worth a word. */
const UNDECIDED_MS = 1000;
const MAX_PARTS = 200;
const MAX_COVER_MS = 30_000;
/** A block that is so much in time; each makes a late burst less likely. */
const STEADY_MS = 100;
const COVER_DECAY = 0.8;

/** Packets of one rate, from one on, counted among the stream's G.711 packets. */
export interface RatePart {
  firstPacket: number;
  /** Octets per second; null when it could not be told: rendered as labelled. */
  rateHz: number | null;
  layout: Layout;
  /** From the arrival of the first packet to that of the last, ms. */
  startMs: number;
  endMs: number;
}

interface OpenPart extends RatePart {
  resized: boolean;
  octets: number;
  /** The most that its audio, taken at the usual rate, was ahead of time. */
  aheadMs: number;
  /** How late its beginning may be: what the network may have held back. */
  coverMs: number;
  interleaving: Interleaving;
}

export class RateFinder {
  readonly #block = new RateBlock();
  readonly #interleaving = new Interleaving();
  readonly #parts: OpenPart[] = [];
  #packet = 0;
  #ssrc = -1;
  #size = -1;
  /** Packets of that size in a row. */
  #sameSize = 0;
  #blockFrom = 0;
  #blockStartMs = 0;
  #blockResized = false;
  #lastArrivalMs = 0;
  /** By how much the audio fell behind time lately. */
  #coverMs = 0;

  /** Takes note of the stream's next G.711 packet. @param table code to sample */
  observe(
    ssrc: number,
    sequenceNumber: number,
    arrivalMs: number,
    table: Int16Array,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    const block = this.#block;
    const octets = end - start;
    const resized = octets !== this.#size;
    const restarted = ssrc !== this.#ssrc || !block.continues(sequenceNumber);
    if (block.isFull || restarted || (resized && this.#sameSize >= MIN_SAME_SIZE)) this.#closeBlock();
    if (block.packets === 0) {
      this.#blockFrom = this.#packet;
      this.#blockStartMs = arrivalMs;
      this.#blockResized = resized;
    }
    this.#sameSize = resized ? 1 : this.#sameSize + 1;
    this.#ssrc = ssrc;
    this.#size = octets;
    block.add(sequenceNumber, octets, arrivalMs);
    this.#interleaving.observe(table, buffer, start, end);
    this.#lastArrivalMs = arrivalMs;
    this.#packet++;
  }

  /** The parts in their order; empty if all is as it should be. Call once, at the end. */
  finish(): RatePart[] {
    this.#closeBlock();
    const parts: RatePart[] = [];
    for (const open of this.#parts) {
      const { firstPacket, startMs, endMs } = open;
      const rateHz = decided(open);
      const layout = rateHz !== null && rateHz > USUAL_RATE_HZ ? open.interleaving.layout() : 'mono';
      const before = parts.at(-1);
      if (before !== undefined && before.rateHz === rateHz && before.layout === layout) before.endMs = endMs;
      else parts.push({ firstPacket, rateHz, layout, startMs, endMs });
    }
    return parts.some((part) => part.rateHz !== USUAL_RATE_HZ) ? parts : [];
  }

  #closeBlock(): void {
    const block = this.#block;
    if (block.packets === 0) return;
    const rateHz = block.rateHz();
    const last = this.#parts.at(-1);
    const elapsedMs = this.#lastArrivalMs - (last?.endMs ?? this.#blockStartMs);
    if (last !== undefined && this.#parts.length >= MAX_PARTS) {
      last.rateHz = null;
    } else if (last !== undefined && this.#goesOn(last, rateHz)) {
      last.rateHz ??= rateHz;
    } else {
      this.#parts.push({
        firstPacket: this.#blockFrom,
        rateHz,
        layout: 'unknown',
        startMs: this.#blockStartMs,
        endMs: this.#lastArrivalMs,
        resized: this.#blockResized && this.#parts.length > 0,
        octets: 0,
        aheadMs: 0,
        coverMs: this.#coverMs + this.#blockStartMs - (last?.endMs ?? this.#blockStartMs),
        interleaving: new Interleaving(),
      });
    }
    const part = this.#parts.at(-1)!;
    part.octets += block.octets;
    part.endMs = this.#lastArrivalMs;
    part.aheadMs = Math.max(part.aheadMs, usualMs(part.octets) - (part.endMs - part.startMs));
    part.interleaving.take(this.#interleaving);
    this.#cover(elapsedMs, usualMs(block.octets));
    block.clear();
  }

  /** What the network held back comes in a burst, sooner or later; what a hold left out never comes. */
  #cover(elapsedMs: number, audioMs: number): void {
    const behindMs = elapsedMs - audioMs;
    this.#coverMs = Math.min(MAX_COVER_MS, Math.max(0, this.#coverMs + behindMs));
    if (Math.abs(behindMs) < STEADY_MS) this.#coverMs *= COVER_DECAY;
  }

  #goesOn(part: OpenPart, rateHz: number | null): boolean {
    if (part.rateHz === rateHz) return true;
    return !this.#blockResized && (rateHz === null || part.rateHz === null);
  }
}

/** How long so many octets last at the usual rate. */
function usualMs(octets: number): number {
  return (octets * 1000) / USUAL_RATE_HZ;
}

/**
 * The rate that is believed: the usual one for what is short or where bursts and gaps explain everything, null for
 * what cannot be told.
 */
function decided({ rateHz, octets, aheadMs, resized, coverMs }: OpenPart): number | null {
  const isBurst = !resized && aheadMs < coverMs + BURST_MARGIN_MS;
  if (rateHz === null) return isBurst || usualMs(octets) < UNDECIDED_MS ? USUAL_RATE_HZ : null;
  if ((octets * 1000) / rateHz < CONFIRM_MS) return USUAL_RATE_HZ;
  // The resampler fits the codec that the call begins with: without a change too few octets are gaps.
  return isBurst ? USUAL_RATE_HZ : rateHz;
}
