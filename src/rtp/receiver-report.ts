// Receiver reports with SDES CNAME: the figures behind them and the writer (RFC 3550 §6.4.2, §6.5.1, A.3).
import { REPORT_BLOCK_OCTETS, type ReportBlock, RTCP_RR, RTCP_SDES, SDES_CNAME } from './rtcp.ts';
import type { SsrcStatistics } from './statistics.ts';

/** The report count has five bits (§6.4.1). */
export const MAX_REPORT_BLOCKS = 31;
const MAX_CNAME_OCTETS = 255;

/** What a report needs to remember from the one before, per SSRC. Names of A.3. */
export interface ReportMemory {
  expectedPrior: number;
  receivedPrior: number;
  /** Middle 32 bits of the NTP time of the last sender report, 0 without. */
  lastSr: number;
  lastSrArrivalMs: number;
}

export function newReportMemory(): ReportMemory {
  return { expectedPrior: 0, receivedPrior: 0, lastSr: 0, lastSrArrivalMs: 0 };
}

/** Makes the block about one SSRC and moves its memory on. `nowMs` is on the clock that arrivals were taken from. */
export function makeReportBlock(source: SsrcStatistics, memory: ReportMemory, nowMs: number): ReportBlock {
  const { sequence } = source;
  const { expected, lost } = sequence;
  const received = expected - lost;
  const expectedInterval = expected - memory.expectedPrior;
  const lostInterval = expectedInterval - (received - memory.receivedPrior);
  memory.expectedPrior = expected;
  memory.receivedPrior = received;
  const fraction = expectedInterval <= 0 || lostInterval <= 0 ? 0 : Math.floor((lostInterval * 256) / expectedInterval);
  const delay = memory.lastSr === 0 ? 0 : Math.max(0, Math.round(((nowMs - memory.lastSrArrivalMs) * 65536) / 1000));
  return {
    ssrc: source.ssrc,
    fractionLost: Math.min(255, fraction),
    cumulativeLost: Math.min(0x7fffff, lost),
    extendedHighestSequence: sequence.extendedMax >>> 0,
    jitter: source.jitter.timestampUnits >>> 0,
    lastSr: memory.lastSr,
    delaySinceLastSr: Math.min(0xffffffff, delay),
  };
}

/**
 * Writes an RR and an SDES with our CNAME as one compound packet. More than 31 reports are left out.
 * `into` must hold 300 octets and 24 for each report. @returns the number of octets.
 */
export function writeReceiverReport(
  into: Uint8Array,
  ssrc: number,
  reports: readonly ReportBlock[],
  cname: string,
): number {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
  const count = Math.min(reports.length, MAX_REPORT_BLOCKS);
  view.setUint8(0, 0x80 | count);
  view.setUint8(1, RTCP_RR);
  view.setUint16(2, 1 + (count * REPORT_BLOCK_OCTETS) / 4);
  view.setUint32(4, ssrc);
  let at = 8;
  for (let i = 0; i < count; i++) {
    const block = reports[i]!;
    view.setUint32(at, block.ssrc);
    view.setUint32(at + 4, ((block.fractionLost << 24) | (block.cumulativeLost & 0xffffff)) >>> 0);
    view.setUint32(at + 8, block.extendedHighestSequence);
    view.setUint32(at + 12, block.jitter);
    view.setUint32(at + 16, block.lastSr);
    view.setUint32(at + 20, block.delaySinceLastSr);
    at += REPORT_BLOCK_OCTETS;
  }

  const name = Buffer.from(cname).subarray(0, MAX_CNAME_OCTETS);
  const sdes = at;
  view.setUint8(sdes, 0x81);
  view.setUint8(sdes + 1, RTCP_SDES);
  view.setUint32(sdes + 4, ssrc);
  view.setUint8(sdes + 8, SDES_CNAME);
  view.setUint8(sdes + 9, name.length);
  into.set(name, sdes + 10);
  at = sdes + 10 + name.length;
  // At least one null octet ends the items, then on to a 32-bit boundary.
  do view.setUint8(at++, 0);
  while ((at - sdes) % 4 !== 0);
  view.setUint16(sdes + 2, (at - sdes) / 4 - 1);
  return at;
}
