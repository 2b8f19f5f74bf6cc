// pcapng's 64-bit timestamps and Unix ms, without BigInt (pcapng §4.3, if_tsresol).

/** Splits Unix ms (≥ 0, with a fraction) into whole ns as two 32-bit halves, without leaving exact integers. */
export class NanosecondStamp {
  high = 0;
  low = 0;

  set(unixMs: number): void {
    let seconds = Math.floor(unixMs / 1000);
    let ns = Math.round((unixMs - seconds * 1000) * 1e6);
    if (ns >= 1e9) {
      seconds++;
      ns -= 1e9;
    }
    // 1e9 = 1953125 · 2^9: the product stays below 2^53 (until 2116), and the shift by 9 is left to the halves.
    const upper = seconds * 1_953_125;
    let high = Math.floor(upper / 8_388_608);
    let low = (upper - high * 8_388_608) * 512 + ns;
    if (low >= 4_294_967_296) {
      low -= 4_294_967_296;
      high++;
    }
    this.high = high >>> 0;
    this.low = low;
  }
}

/** Reads timestamps of one interface. */
export type TimestampReader = (high: number, low: number) => number;

/**
 * @param resolution the octet of if_tsresol: a negative power of ten, or of two if the highest bit is set.
 * @param offsetSeconds if_tsoffset
 * @returns Unix ms from the two halves of a timestamp
 */
export function timestampReader(resolution: number, offsetSeconds: number): TimestampReader {
  const offsetMs = offsetSeconds * 1000;
  if (resolution === 9) {
    // 2^32 ns = 4294 ms and 967296 ns: whole ms and the rest are kept apart, so nothing is rounded twice.
    return (high, low) => {
      const rest = high * 967_296 + low;
      const restMs = Math.floor(rest / 1e6);
      return offsetMs + high * 4294 + restMs + (rest - restMs * 1e6) / 1e6;
    };
  }
  const unitsPerSecond = (resolution & 0x80) !== 0 ? 2 ** (resolution & 0x7f) : 10 ** resolution;
  const unitsPerMs = unitsPerSecond / 1000;
  return (high, low) => offsetMs + (high * 4_294_967_296 + low) / unitsPerMs;
}
