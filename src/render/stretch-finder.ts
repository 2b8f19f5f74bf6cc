// Cuts a stream's packets into stretches: where RTP time breaks, arrival time has to tell how much time lies between.
import { GrowingStretch, type Stretch } from './stretch.ts';

//                  fits                           does not fit
//               ┌────────┐                 ┌───────────────────────┐
//               ▼        │   no fit        ▼                       │ fits neither: a new doubt
//   (first) ─▶ RUNNING ──┴────────────▶ DOUBTING ──────────────────┘
//               ▲  ▲                     │     │    (after CONFIRM_PACKETS the old doubt is the run first)
//               │  └─── fits the run ────┘     │ the doubt held for CONFIRM_MS: a new stretch began with it
//               └──────────────────────────────┘
//
// A burst after a network stall, a stray packet, a late one: they end in "fits the run" and change nothing. A hold that
// stopped the sender's clock, a timestamp jump, a restart: they hold. So a stretch is known only in hindsight, and the
// second pass finds it again by the number of the packet that began it.

/** A new stretch has to last so long, unless the stream ends before. */
const CONFIRM_MS = 1000;
/** A shorter one counts too if another break follows it and it had so many packets: prompts with pauses between. */
const CONFIRM_PACKETS = 5;
/** A packet that is so much earlier than RTP time says belongs to another clock. */
const EARLY_MS = 200;
/** A clock may be wrong by one percent. */
const RUN_AHEAD_RATIO = 0.01;
/** Sources told apart at the same time; a further SSRC takes the place of the one heard least recently. */
const MAX_SOURCES = 4;
const MAX_STRETCHES = 1000;
/** Doubts in a row that never held: timestamps mean nothing here. */
const MAX_DOUBTS = 50;

export interface StretchLimits {
  /** Delay above the usual one that means a break of the sender's clock when it stays. */
  lateMs: number;
  /** A stretch may run ahead of time by this much (a buffer sent out at once), and by one percent of its length. */
  aheadMs: number;
  /**
   * What came last and all at once, later than usual by no more than this, was held up, by the network or because nobody read it: the
   * stream ended before the burst could bring the delay back. 0 for senders that send after a pause what their clock knows nothing of.
   */
  heldUpMs: number;
}

interface Source {
  run: GrowingStretch;
  doubt: GrowingStretch;
  /** Number of doubts since the last packet that fitted; 0 while running. */
  doubts: number;
  lastPacket: number;
}

export class StretchFinder {
  /** Packets from this one on are placed by arrival alone, because the timestamps make no sense; null while they do. */
  lostAt: number | null = null;

  readonly #limits: StretchLimits;
  readonly #sources: Source[] = [];
  readonly #found: Stretch[] = [];
  #packet = 0;

  constructor(limits: StretchLimits) {
    this.#limits = limits;
  }

  /**
   * Takes note of the stream's next audio packet.
   * @param ticks its length in RTP time
   * @param spokenMs its arrival less its length
   * @param separated the stream was not receiving since its packet before: a new stretch in any case
   */
  observe(
    ssrc: number,
    rtpTime: number,
    ticks: number,
    clockRateHz: number,
    spokenMs: number,
    separated: boolean,
  ): void {
    const packet = this.#packet++;
    if (this.lostAt !== null) return;
    if (separated) this.#closeAll();
    const source = this.#sourceOf(ssrc);
    if (source === null) {
      this.#open(ssrc, packet, clockRateHz, rtpTime, ticks, spokenMs);
    } else {
      source.lastPacket = packet;
      if (source.run.clockRateHz !== clockRateHz) {
        this.#close(source);
        this.#open(ssrc, packet, clockRateHz, rtpTime, ticks, spokenMs);
      } else if (!this.#fit(source.run, rtpTime, ticks, spokenMs)) {
        this.#doubt(source, packet, rtpTime, ticks, spokenMs);
      } else {
        source.doubts = 0;
      }
    }
    if (this.#found.length >= MAX_STRETCHES && this.lostAt === null) this.#giveUp(packet + 1);
  }

  /** The stretches in the order of their first packets. Call once, at the end. */
  finish(): Stretch[] {
    this.#closeAll();
    return this.#found.sort((a, b) => a.firstPacket - b.firstPacket);
  }

  #fit(stretch: GrowingStretch, rtpTime: number, ticks: number, spokenMs: number): boolean {
    const tick = stretch.tickOf(rtpTime, spokenMs);
    const delayMs = stretch.delayMs(tick, spokenMs);
    const above = delayMs - stretch.floorMs;
    if (above > this.#limits.lateMs || above < -EARLY_MS) return false;
    if (delayMs < -this.#limits.aheadMs - RUN_AHEAD_RATIO * (spokenMs - stretch.baseSpokenMs)) return false;
    stretch.add(tick, ticks, delayMs, spokenMs);
    return true;
  }

  #doubt(source: Source, packet: number, rtpTime: number, ticks: number, spokenMs: number): void {
    if (source.doubts > 0 && this.#fit(source.doubt, rtpTime, ticks, spokenMs)) {
      if (spokenMs - source.doubt.baseSpokenMs >= CONFIRM_MS) this.#believe(source);
      return;
    }
    if (source.doubts > 0 && source.doubt.packets >= CONFIRM_PACKETS) this.#believe(source);
    source.doubts++;
    source.doubt.begin(source.run.ssrc, packet, source.run.clockRateHz, rtpTime, ticks, spokenMs);
    if (source.doubts > MAX_DOUBTS) this.#giveUp(packet);
  }

  /** The run has ended; what was in doubt is the run now. */
  #believe(source: Source): void {
    this.#found.push(source.run.finish());
    source.run = source.doubt;
    source.doubt = new GrowingStretch();
    source.doubts = 0;
  }

  #sourceOf(ssrc: number): Source | null {
    for (const source of this.#sources) if (source.run.ssrc === ssrc) return source;
    return null;
  }

  #open(ssrc: number, packet: number, clockRateHz: number, rtpTime: number, ticks: number, spokenMs: number): void {
    if (this.#sources.length >= MAX_SOURCES) {
      let oldest = this.#sources[0]!;
      for (const source of this.#sources) if (source.lastPacket < oldest.lastPacket) oldest = source;
      this.#close(oldest);
    }
    const run = new GrowingStretch();
    run.begin(ssrc, packet, clockRateHz, rtpTime, ticks, spokenMs);
    this.#sources.push({ run, doubt: new GrowingStretch(), doubts: 0, lastPacket: packet });
  }

  #close(source: Source): void {
    this.#sources.splice(this.#sources.indexOf(source), 1);
    const { run, doubt, doubts } = source;
    // What came last and hangs together is believed; a single packet that fits nothing is not.
    const isHeldUp = doubts > 0 && this.#isHeldUp(run, doubt);
    if (isHeldUp) run.extendBy(doubt);
    this.#found.push(run.finish());
    if (doubts > 0 && doubt.packets >= 2 && !isHeldUp) this.#found.push(doubt.finish());
  }

  #isHeldUp(run: GrowingStretch, doubt: GrowingStretch): boolean {
    const tick = run.tickOf(doubt.baseRtpTime, doubt.baseSpokenMs);
    const lateMs = run.delayMs(tick, doubt.baseSpokenMs) - run.floorMs;
    return lateMs > 0 && lateMs <= this.#limits.heldUpMs && doubt.cameAtOnce;
  }

  #closeAll(): void {
    while (this.#sources.length > 0) this.#close(this.#sources[0]!);
  }

  #giveUp(atPacket: number): void {
    this.#closeAll();
    this.lostAt = atPacket;
  }
}
