// When to send receiver reports for one stream, and what they say (RFC 3550 §6.2, §6.4.2; A.7 in its simplest form).
import { randomInt } from 'node:crypto';
import {
  MAX_REPORT_BLOCKS,
  makeReportBlock,
  newReportMemory,
  type ReportMemory,
  writeReceiverReport,
} from '../rtp/receiver-report.ts';
import { type ReportBlock, readRtcp } from '../rtp/rtcp.ts';
import { MAX_SSRCS, type RtpStatisticsCounter } from '../rtp/statistics.ts';

/** One report, its blocks and a CNAME of full length. */
const REPORT_OCTETS = 1200;
/** Where this thread makes its reports, one at a time. */
const octets = Buffer.alloc(REPORT_OCTETS);

/**
 * Two members and one of them silent: the RFC's interval is its minimum, so only the randomisation of A.7 is left.
 * Some phones and proxies take missing reports for a dead peer; to all others they are harmless.
 */
export class ReceiverReports {
  readonly ssrc = randomInt(1, 2 ** 32);
  readonly #intervalMs: number;
  readonly #cname: string;
  readonly #random: () => number;
  readonly #memories = new Map<number, ReportMemory>();
  #dueMs: number;
  #packetsReported = 0;

  constructor(intervalMs: number, cname: string, nowMs: number, random: () => number = Math.random) {
    this.#intervalMs = intervalMs;
    this.#cname = cname;
    this.#random = random;
    this.#dueMs = nowMs + this.#nextIntervalMs();
  }

  /** Takes the time of sender reports out of a valid RTCP datagram. */
  observe(buffer: Uint8Array, start: number, end: number, arrivalMs: number): void {
    for (const packet of readRtcp(buffer, start, end)) {
      if (packet.type !== 'sr') continue;
      const memory = this.#memory(packet.ssrc);
      if (!memory) return;
      memory.lastSr = ((packet.ntpSeconds << 16) | (packet.ntpFraction >>> 16)) >>> 0;
      memory.lastSrArrivalMs = arrivalMs;
    }
  }

  /**
   * @returns the report if one is due and packets came since the last one, otherwise null.
   * Valid until any other report of this thread.
   */
  reportIfDue(counter: RtpStatisticsCounter, nowMs: number): Uint8Array | null {
    if (nowMs < this.#dueMs) return null;
    this.#dueMs = nowMs + this.#nextIntervalMs();
    const { packets } = counter;
    if (packets === this.#packetsReported) return null;
    this.#packetsReported = packets;
    const blocks: ReportBlock[] = [];
    for (const source of counter.sources()) {
      const memory = this.#memory(source.ssrc);
      if (!memory || blocks.length >= MAX_REPORT_BLOCKS) break;
      if (source.sequence.expected > memory.expectedPrior) blocks.push(makeReportBlock(source, memory, nowMs));
    }
    return octets.subarray(0, writeReceiverReport(octets, this.ssrc, blocks, this.#cname));
  }

  #memory(ssrc: number): ReportMemory | null {
    let memory = this.#memories.get(ssrc);
    if (!memory) {
      // A sender that invents SSRCs must not cost memory.
      if (this.#memories.size >= MAX_SSRCS) return null;
      memory = newReportMemory();
      this.#memories.set(ssrc, memory);
    }
    return memory;
  }

  #nextIntervalMs(): number {
    return this.#intervalMs * (0.5 + this.#random());
  }
}
